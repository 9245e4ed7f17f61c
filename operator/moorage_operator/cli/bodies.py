"""Request bodies of the three dialects from rows, and rows of predictions from their replies. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Rows = list[Any]
"""Each a list of values in the model's order, or an object by feature name; all of one sort."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a protocol asks and answers; `path` has the model's name to fill in."""

    path: str
    body: Callable[[Rows], Any]
    predictions: Callable[[Any], Sequence[Any]]


def rows_of(data: Any) -> Rows:
    """Rows of what a person may write: one row, several, or a body's `inputs` or `instances`. ValueError if none."""
    if isinstance(data, dict) and len(data) <= 3 and ("instances" in data or "inputs" in data):
        data = data.get("instances", data.get("inputs"))
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list) or not data:
        raise ValueError("a row is a list of values or an object by feature name, rows are a list of these")
    if not isinstance(data[0], list | dict):
        data = [data]
    if any(type(row) is not type(data[0]) for row in data):
        raise ValueError("all rows must be lists, or all objects")
    if isinstance(data[0], dict) and any(row.keys() != data[0].keys() for row in data):
        raise ValueError("all rows must have the same features")
    return list(data)


def tensors(rows: Rows) -> list[dict[str, Any]]:
    """Open Inference Protocol inputs: a tensor for each named column, or one of all rows."""
    if isinstance(rows[0], dict):
        return [_tensor(name, [row[name] for row in rows]) for name in rows[0]]
    return [_tensor("input", rows)]


def _tensor(name: str, values: list[Any]) -> dict[str, Any]:
    flat, shape = _flat(values)
    return {"name": name, "shape": shape, "datatype": _datatype(flat, name), "data": flat}


def _flat(values: list[Any]) -> tuple[list[Any], list[int]]:
    shape: list[int] = []
    while True:
        shape.append(len(values))
        lengths = {len(value) if isinstance(value, list) else None for value in values}
        if lengths == {None} or not values:
            return values, _nested(shape)
        if len(lengths) > 1:
            raise ValueError("rows differ in length")
        values = [item for value in values for item in value]


def _nested(counts: list[int]) -> list[int]:
    return [counts[0], *(after // max(before, 1) for before, after in pairwise(counts))]


def _datatype(values: list[Any], name: str) -> str:
    kinds = {type(value) for value in values}
    if kinds <= {bool}:
        return "BOOL"
    if kinds <= {int}:
        return "INT64"
    if kinds <= {int, float}:
        return "FP64"
    if kinds <= {str}:
        return "BYTES"
    raise ValueError(
        f"{name} mixes {' and '.join(sorted(kind.__name__ for kind in kinds))}; name the columns"
    )


def _columns(reply: Any) -> Sequence[Any]:
    """The rows of all outputs side by side; a single output without a list around each value."""
    columns = [_shaped(output) for output in reply["outputs"]]
    return columns[0] if len(columns) == 1 else [list(row) for row in zip(*columns, strict=True)]


def _shaped(output: Any) -> list[Any]:
    rows, data = output["shape"][0], output["data"]
    if len(data) == rows:
        return list(data)
    width = len(data) // rows
    return [data[at * width : (at + 1) * width] for at in range(rows)]


DIALECTS: dict[str, Dialect] = {
    "v1": Dialect(
        "/v1/models/{model}:predict", lambda rows: {"instances": rows}, lambda r: list(r["predictions"])
    ),
    "v2": Dialect("/v2/models/{model}/infer", lambda rows: {"inputs": tensors(rows)}, _columns),
    "mlrun": Dialect("/v2/models/{model}/infer", lambda rows: {"inputs": rows}, lambda r: list(r["outputs"])),
}
