"""The base of every API type: camelCase in YAML, snake_case in Python, unknown fields ignored, types strict.

An older Moorage must read objects of a newer API, so unknown fields never fail here. The API server
prunes them and local mode refuses them (`moorage_api.crd.unknown_fields`). A rule across fields is
written once, beside the type: the API server gets its CEL form, pydantic its Python form.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule across the fields of one object: `cel` and `check` say the same."""

    cel: str
    """CEL on `self`, true where the object is right."""
    check: Callable[[Any], bool]
    """The same on the parsed object."""
    message: str
    """What is wrong, for a person."""
    field: str = ""
    """The field at fault, in camelCase and below the object; the object itself where empty."""


class ApiModel(BaseModel):
    """A part of a manifest."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _keeps_rules(self) -> Self:
        for rule in self.rules:
            if not rule.check(self):
                raise PydanticCustomError("rule", "{message}", {"message": rule.message, "field": rule.field})
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        json_schema = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            json_schema["x-kubernetes-validations"] = [_validation(rule) for rule in cls.rules]
        return json_schema


def _validation(rule: Rule) -> dict[str, str]:
    validation = {"rule": rule.cel, "message": rule.message}
    return {**validation, "fieldPath": f".{rule.field}"} if rule.field else validation


class ApiEnum(StrEnum):
    """Words that a field may have; read from plain strings although the types are strict."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        return {**handler(source), "strict": False}


@dataclass(frozen=True, slots=True)
class ListMap:
    """Marks a list of objects that is a map by one field: two field managers can own different entries."""

    key: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._no_duplicates, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        marks = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [to_camel(self.key)]}
        return {**handler(schema), **marks}

    def _no_duplicates(self, entries: list[Any]) -> list[Any]:
        return _distinct(entries, [getattr(entry, self.key) for entry in entries])


@dataclass(frozen=True, slots=True)
class ListSet:
    """Marks a list of scalars without duplicates."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda items: _distinct(items, items), handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "x-kubernetes-list-type": "set"}


def _distinct(entries: list[Any], keys: list[Any]) -> list[Any]:
    for key, count in Counter(keys).items():
        if count > 1:
            second = [index for index, other in enumerate(keys) if other == key][1]
            raise PydanticCustomError(
                "duplicate", "duplicate value {key}", {"key": repr(str(key)), "field": f"[{second}]"}
            )
    return entries
