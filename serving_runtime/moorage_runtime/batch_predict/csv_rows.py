"""CSV by pyarrow: a block at a time and typed where all is well, value by value where something is not."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from moorage_runtime.batch_predict.fault import BatchFault
from moorage_runtime.batch_predict.rows import Rows, spread

_NULLS = pa.array(arrow_csv.ConvertOptions().null_values)


def header(line: bytes, where: str) -> list[str]:
    """The columns' names; BatchFault where one is there twice or they are no UTF-8."""
    try:
        names = next(csv.reader([line.decode("utf-8-sig").rstrip("\r\n")]), [])
    except UnicodeDecodeError:
        raise BatchFault(f"{where}: the header is no UTF-8") from None
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BatchFault(f"{where}: column {twice[0]!r} is there twice")
    return names


def block(data: bytes, names: list[str], schema: pa.Schema, where: str) -> Iterator[Rows]:
    """The rows of some whole records."""
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(data) + 1
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(include_columns=schema.names, column_types=schema),
        )
    except pa.ArrowInvalid:
        yield from stream(io.BytesIO(data), names, schema, where, len(data) + 1)
        return
    for batch in table.to_batches():
        yield Rows(dict(zip(schema.names, batch.columns, strict=True)), batch.num_rows, {})


def stream(source: Any, names: list[str], schema: pa.Schema, where: str, step: int) -> Iterator[Rows]:
    """The rows of records wherever they end: all as text first, so that a bad value costs its row alone."""
    bad: list[tuple[int, str]] = []

    def skip(row: Any) -> str:
        bad.append(
            (row.number - 1, f"the line has {row.actual_columns} values, the header {row.expected_columns}")
        )
        return "skip"

    seen = 0
    try:
        reader = arrow_csv.open_csv(
            source,
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=step),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=schema.names, column_types={name: pa.string() for name in names}
            ),
        )
        for batch in reader:
            errors, end = {}, seen + batch.num_rows
            while bad and bad[0][0] <= end:
                line, text = bad.pop(0)
                errors[line - seen] = text
                end += 1
            yield _typed(batch, schema, errors, end - seen)
            seen = end
    except pa.ArrowInvalid as error:
        raise BatchFault(f"{where}: cannot be read as CSV: {str(error).splitlines()[0][:300]}") from None
    if bad:
        nothing = pa.RecordBatch.from_arrays([pa.array([], pa.string()) for _ in schema], schema.names)
        yield _typed(nothing, schema, {line - seen: text for line, text in bad}, len(bad))


def _typed(batch: Any, schema: pa.Schema, errors: dict[int, str], count: int) -> Rows:
    """Texts as the schema's types; where a value is none, its row has an error and the value is null."""
    places = [row for row in range(count) if row not in errors]
    columns: dict[str, pa.Array] = {}
    for field in schema:
        values = batch.column(field.name)
        if not pa.types.is_string(field.type):
            values, faults = _parse(values, field)
            for place, text in faults.items():
                errors.setdefault(places[place], text)
        columns[field.name] = values if len(places) == count else spread(values, places, count)
    return Rows(columns, count, errors)


def _parse(texts: Any, field: pa.Field) -> tuple[Any, dict[int, str]]:
    texts = pc.if_else(pc.is_in(texts, _NULLS), None, pc.utf8_trim_whitespace(texts))
    try:
        return texts.cast(field.type), {}
    except pa.ArrowInvalid:
        values, faults = [], {}
        for row, text in enumerate(texts):
            try:
                values.append(text.cast(field.type))
            except pa.ArrowInvalid:
                values.append(pa.scalar(None, field.type))
                faults[row] = f"column {field.name!r}: {text.as_py()[:40]!r} is no {field.type}"
        return pa.array(values, field.type), faults
