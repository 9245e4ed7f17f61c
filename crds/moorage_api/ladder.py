"""The second step of the validation ladder: the same answers as the API server's, without one.

Local mode validates with it, the operator turns what slipped through the first step into InvalidSpec.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from moorage_api import API_VERSION
from moorage_api.kinds import KINDS
from moorage_api.schema import Schema, structural

Object = dict[str, Any]
SCHEMAS: dict[str, Schema] = {kind.kind: structural(kind.model) for kind in KINDS.values()}
"""The structural schema of each kind's whole object."""
_METADATA = frozenset(
    {
        "annotations", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers",
        "generateName", "generation", "labels", "managedFields", "name", "namespace", "ownerReferences",
        "resourceVersion", "selfLink", "uid",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with a manifest, and where."""

    path: str
    """Path of the field as in the YAML: spec.models[0].uri."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def validate(manifest: Object) -> list[FieldError]:
    """Everything that is wrong with a manifest; unknown fields are `unknown_fields`' business."""
    kind = KINDS.get(manifest.get("kind", "")) if isinstance(manifest.get("kind"), str) else None
    if kind is None:
        return [FieldError("kind", f"must be one of {', '.join(KINDS)}")]
    errors = []
    if manifest.get("apiVersion") != API_VERSION:
        errors.append(FieldError("apiVersion", f"must be {API_VERSION}"))
    try:
        kind.model.model_validate(apply_defaults(manifest))
    except ValidationError as error:
        errors += field_errors(error)
    return errors


def field_errors(error: ValidationError) -> list[FieldError]:
    """Pydantic's errors with the paths of the YAML, one for each field."""
    found: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        context = detail.get("ctx", {})
        location = [part for part in detail["loc"] if part not in _UNION_MEMBERS]
        if len(location) < len(detail["loc"]) and detail["type"] == "int_type":
            continue  # a quantity that is no integer: what is wrong with it as a string says more
        path = _path(location, str(context.get("field", "")))
        found.setdefault(path, _message(detail["type"], detail["msg"], detail["input"]))
    return [FieldError(path, message) for path, message in found.items()]


_UNION_MEMBERS = frozenset({"constrained-int", "constrained-str"})
"""What pydantic adds to the path inside a quantity."""


def _path(location: list[int | str], field: str) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return (path + (field if field.startswith("[") else f".{field}" if field else "")).removeprefix(".")


def _message(error_type: str, message: str, value: object) -> str:
    if error_type == "missing":
        return "is required"
    if error_type == "string_type" and isinstance(value, int | float):
        word = str(value).lower() if isinstance(value, bool) else str(value)
        return f'must be a string: quote it, "{word}"'
    message = message.replace("Input should be", "must be").replace("String should", "must")
    return message[:1].lower() + message[1:] + _shown(value)


def _shown(value: object) -> str:
    return f", is {value!r}" if isinstance(value, str | int | float) and len(str(value)) <= 80 else ""


def apply_defaults(manifest: Object) -> Object:
    """A copy with the schema's defaults where their parent is written, and without nulls, as the server stores it."""
    schema = SCHEMAS.get(str(manifest.get("kind")))
    if schema is None:
        return manifest
    parts: Object = {}
    for name in ("spec", "status"):
        if name in manifest and name in schema["properties"]:
            parts[name] = _defaulted(manifest[name], schema["properties"][name])
    return {**manifest, **parts}


def _defaulted(value: Any, schema: Schema) -> Any:
    if isinstance(value, list) and "items" in schema:
        return [_defaulted(item, schema["items"]) for item in value]
    if not isinstance(value, dict) or not ("properties" in schema or "additionalProperties" in schema):
        return value
    properties = schema.get("properties", {})
    result = {}
    for name, item in value.items():
        if item is not None or name not in properties:
            result[name] = _defaulted(item, properties.get(name, schema.get("additionalProperties", {})))
    for name, field in properties.items():
        if name not in result and "default" in field:
            result[name] = field["default"]
    return result


def unknown_fields(manifest: Object) -> list[str]:
    """Paths of the fields that the schema does not have; an API server would prune or refuse them."""
    schema = SCHEMAS.get(str(manifest.get("kind")))
    if schema is None:
        return []
    root = {**schema, "properties": {**schema["properties"], "metadata": {"type": "object"}}}
    metadata = manifest.get("metadata")
    strangers = (
        [f"metadata.{name}" for name in metadata if name not in _METADATA]
        if isinstance(metadata, dict)
        else []
    )
    return [*strangers, *_unknown(manifest, root, "")]


def _unknown(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _unknown(item, schema["items"], f"{path}[{index}]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, item in value.items():
            below = f"{path}.{name}".removeprefix(".")
            if name in schema["properties"]:
                yield from _unknown(item, schema["properties"][name], below)
            else:
                yield below
