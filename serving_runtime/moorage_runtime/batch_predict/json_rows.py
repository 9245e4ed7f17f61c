"""Newline-delimited JSON: a block by pyarrow where all is well, line by line where something is not."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import json as arrow_json

from moorage_runtime.batch_predict.rows import Rows


def block(data: bytes, schema: pa.Schema) -> Iterator[Rows]:
    """The rows of some whole lines; a key that a line does not have is null."""
    try:
        table = arrow_json.read_json(
            pa.BufferReader(data),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        yield _lines(data, schema)
        return
    for batch in table.combine_chunks().to_batches():
        yield Rows(dict(zip(schema.names, batch.columns, strict=True)), batch.num_rows, {})


def _lines(data: bytes, schema: pa.Schema) -> Rows:
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    errors: dict[int, str] = {}
    checks = [(field, columns[field.name], _check(field.type)) for field in schema]
    count = 0
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            found = orjson.loads(line)
        except ValueError as error:
            errors[count] = f"the line is no JSON: {error}"
            found = {}
        if not isinstance(found, dict):
            errors[count] = "the line is no JSON object"
            found = {}
        for field, values, check in checks:
            value = found.get(field.name)
            try:
                values.append(value if value is None else check(value))
            except (pa.ArrowException, ValueError, OverflowError, TypeError):
                values.append(None)
                errors.setdefault(count, f"column {field.name!r}: {str(value)[:40]!r} is no {field.type}")
        count += 1
    arrays = {field.name: pa.array(columns[field.name], field.type) for field in schema}
    return Rows(arrays, count, errors)


def _check(kind: pa.DataType) -> Callable[[Any], Any]:
    """Gives the value back, or raises one of the errors that `_lines` expects."""
    if pa.types.is_floating(kind):
        return _number
    if pa.types.is_integer(kind):
        return lambda value: pa.scalar(_whole(value), kind).as_py()
    return lambda value: pa.scalar(value, kind).as_py()


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError("no number")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int):
        raise TypeError("no whole number")
    return value
