"""From a record's bytes to rows: which of the forms a record has, and what it asks for.

Records of a batch are parsed in one call of orjson: joined as one list, with a number that nobody else knows
between them, so that a record with a comma or a bracket too many cannot pass for two, or eat its neighbour.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from moorage_runtime.models.base import InputError, Inputs, Model
from moorage_runtime.models.requests import (
    arrange_tensors,
    arrays_of,
    is_oip,
    one_row_or_many,
    wanted,
)
from moorage_runtime.models.signature import arrange, row_shape, rows_of
from moorage_runtime.models.tensors import kind_of
from moorage_runtime.stream_predict.records import Failure

ID_MAX = 256
_MARK = secrets.randbits(61) | 1 << 61
_BETWEEN = b",%d," % _MARK


@dataclass(slots=True)
class Request:
    """What one record asks of a model."""

    inputs: Inputs
    rows: int
    listed: bool
    """Whether the answer is a list, one element a row, rather than one value."""
    outputs: tuple[str, ...]
    ident: str | None = None
    """The request's own id."""


def parse(values: Sequence[bytes | None]) -> list[Any]:
    """Every record's JSON, or the Failure that says why there is none."""
    if None not in values:
        try:
            found = orjson.loads(b"[%b]" % _BETWEEN.join(values))  # type: ignore[arg-type]  # None is ruled out
        except orjson.JSONDecodeError:
            found = []
        marks = found[1::2]
        if len(found) == 2 * len(values) - 1 and marks.count(_MARK) == len(marks):
            return list(found[::2])
    return [_parse_one(value) for value in values]


def _parse_one(value: bytes | None) -> Any:
    if not value:
        return Failure("NotJson", "the record is empty, JSON is expected")
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return Failure("NotJson", f"the record is not valid JSON: {error}")


def model_named(value: Any, features: frozenset[str]) -> str | None:
    """The model that a request body or an event names; a row by feature name names none."""
    if not isinstance(value, dict) or not _is_body(value, features):
        return None
    for key in ("model", "model_name"):
        name = value.get(key)
        if isinstance(name, str):
            return name
    return None


def _is_body(value: Mapping[str, Any], features: frozenset[str]) -> bool:
    """Whether an object is a request or an event rather than a row."""
    if features and value.keys() == features:
        return False
    return any(key in value for key in ("inputs", "instances", "request")) or _is_batched_event(value)


def _is_batched_event(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("headers"), list) and isinstance(value.get("values"), list)


def read(value: Any, model: Model, name: str, features: frozenset[str]) -> Request:
    """The request that a record's JSON is. Raises InputError, naming the row and the feature at fault."""
    if isinstance(value, dict) and _is_body(value, features):
        if _is_batched_event(value):
            return _of_body({"inputs": _batched_rows(value)}, model, name)
        if isinstance(value.get("request"), dict):
            value = {"id": _answer_id(value)} | value["request"]
        return _of_body(value, model, name)
    signature = model.signature
    rows, listed = _as_rows(value, len(row_shape(signature) or (0,)), len(signature.features))
    inputs = arrange(rows, signature)
    count = rows_of(inputs)
    return Request(inputs, count, listed or count != 1, model.default_outputs)


def _as_rows(value: Any, rank: int, features: int) -> tuple[Any, bool]:
    """The rows of a record, and whether it is a list of them; `rank` is that of one row."""
    if not isinstance(value, list):
        return [value], False
    if not value:
        raise InputError("no rows")
    depth, first = 1, value[0]
    while isinstance(first, list) and first:
        depth, first = depth + 1, first[0]
    many = depth > rank or isinstance(first, dict) or (features == 1 and rank == 1 and len(value) != 1)
    return (value, True) if many else ([value], False)


def _of_body(body: Mapping[str, Any], model: Model, name: str) -> Request:
    """A request body of the Open Inference Protocol, or of MLRun's and KServe's V1."""
    signature = model.signature
    if "data_url" in body:
        raise InputError("data_url is refused: the worker fetches nothing that a record names")
    if "instances" not in body and is_oip(dict(body)):
        inputs = arrange_tensors(arrays_of(body.get("inputs")), signature)
    else:
        rows = body["instances"] if "instances" in body else body.get("inputs")
        if not isinstance(rows, list) or not rows:
            raise InputError(
                f"a list of rows is needed, not {kind_of(rows) if rows != [] else 'an empty one'}"
            )
        inputs = arrange(one_row_or_many(rows, len(signature.features)), signature)
    ident = body.get("id")
    if ident is not None and (not isinstance(ident, str) or len(ident) > ID_MAX):
        raise InputError(f"id must be a string of at most {ID_MAX} characters")
    return Request(inputs, rows_of(inputs), True, _outputs(body, model, name), ident)


def _outputs(body: Mapping[str, Any], model: Model, name: str) -> tuple[str, ...]:
    asked = body.get("outputs")
    if not asked:
        return model.default_outputs
    if not isinstance(asked, list):
        raise InputError("outputs must be a list")
    names = [each.get("name") if isinstance(each, dict) else each for each in asked]
    texts = [each for each in names if isinstance(each, str)]
    if len(texts) != len(names):
        raise InputError("outputs must be a list of names, or of objects with a name")
    return wanted(texts, model.signature, name)


def _batched_rows(event: Mapping[str, Any]) -> list[Any]:
    """The rows of all requests in an event of MLRun's batched form."""
    if "request" not in event["headers"]:
        raise InputError("headers of the batched event name no request")
    place = event["headers"].index("request")
    rows: list[Any] = []
    for number, each in enumerate(event["values"]):
        request = each[place] if isinstance(each, list) and place < len(each) else None
        found = (request.get("instances") or request.get("inputs")) if isinstance(request, dict) else None
        if not isinstance(found, list):
            raise InputError(f"values[{number}] of the batched event has no request with rows")
        rows.extend(found)
    return rows


def _answer_id(event: Mapping[str, Any]) -> str | None:
    answer = event.get("resp")
    found = answer.get("id") if isinstance(answer, dict) else None
    return found if isinstance(found, str) else None
