"""A fragment's rows, in batches of bounded size, whatever the format."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from moorage_runtime.batch_predict import csv_rows, json_rows
from moorage_runtime.batch_predict.cuts import pieces
from moorage_runtime.batch_predict.fault import BatchFault
from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.batch_predict.plan import Fragment, Plan
from moorage_runtime.batch_predict.rows import Rows
from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import StorageError, codec_of, list_files, open_input

_PAGE = 1 << 18
_VARYING = 64


def read(plan: Plan, fragment: Fragment, storage: StorageConfig, limits: Limits) -> Iterator[Rows]:
    """The fragment's rows in order. Raises BatchFault (also where the file is not the planned one), StorageError."""
    file = plan.files[fragment.file]
    if list_files(file.uri, storage) != [file]:
        raise BatchFault(f"{file.uri}: changed since the run was planned")
    try:
        with open_input(file.uri, storage) as source:
            found = _parquet(source, plan, fragment, limits)
            if plan.format != "parquet":
                found = _text(source, plan, fragment, file.uri, limits)
            most = batch_rows(plan.read, limits)
            for rows in found:
                yield from _bounded(rows, most)
    except (pa.ArrowException, OSError) as error:
        raise StorageError(f"{file.uri}: {str(error).splitlines()[0][:300]}") from None


def batch_rows(schema: pa.Schema, limits: Limits) -> int:
    """Rows of a batch: the same for all workers of a run, since the output's bytes follow it."""
    width = sum(_width(field.type) for field in schema)
    return max(1, min(limits.batch_rows, limits.batch_bytes // max(1, width)))


def _width(kind: pa.DataType) -> int:
    """Bytes of a value, guessed where they vary."""
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size) * _width(kind.value_type)
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return _VARYING


def _parquet(source: Any, plan: Plan, fragment: Fragment, limits: Limits) -> Iterator[Rows]:
    names = plan.read.names
    metadata = parquet.read_metadata(source)
    wanted = set(names)
    skip, left = fragment.skip, fragment.rows
    for number in range(fragment.begin, fragment.end):
        group = metadata.row_group(number)
        chunks = (group.column(place) for place in range(group.num_columns))
        size = sum(c.total_compressed_size for c in chunks if c.path_in_schema.split(".")[0] in wanted)
        small = size <= limits.prebuffer_bytes
        file = parquet.ParquetFile(
            source, metadata=metadata, pre_buffer=small, buffer_size=0 if small else _PAGE
        )
        for batch in file.iter_batches(
            batch_rows(plan.read, limits), row_groups=[number], columns=names, use_threads=False
        ):
            if skip >= batch.num_rows:
                skip -= batch.num_rows
                continue
            part = batch.slice(skip, left)
            skip, left = 0, left - part.num_rows
            yield Rows({name: part.column(name) for name in names}, part.num_rows, {})
            if not left:
                return


def _text(source: Any, plan: Plan, fragment: Fragment, uri: str, limits: Limits) -> Iterator[Rows]:
    schema = plan.read
    csv = plan.format == "csv"
    if not fragment.end:
        codec = codec_of(uri)
        stream = pa.CompressedInputStream(source, codec) if codec else source
        if csv:
            names = csv_rows.header(first_line(stream), uri)
            yield from csv_rows.stream(stream, names, schema, uri, limits.block_bytes)
            return
        for data in pieces(stream, None, limits.block_bytes, quotes=False):
            yield from json_rows.block(data, schema)
        return
    names = csv_rows.header(source.read(fragment.skip), uri) if csv else []
    source.seek(fragment.begin)
    for data in pieces(source, fragment.end - fragment.begin, limits.block_bytes, quotes=csv):
        yield from csv_rows.block(data, names, schema, uri) if csv else json_rows.block(data, schema)


def first_line(stream: Any) -> bytes:
    """The first line, byte by byte: a compressed stream does not go back."""
    line = bytearray()
    while piece := stream.read(1):
        line += piece
        if piece == b"\n":
            break
    return bytes(line)


def _bounded(rows: Rows, most: int) -> Iterator[Rows]:
    if rows.count <= most:
        if rows.count:
            yield rows
        return
    for begin in range(0, rows.count, most):
        end = min(begin + most, rows.count)
        yield Rows(
            {name: values.slice(begin, end - begin) for name, values in rows.columns.items()},
            end - begin,
            {row - begin: text for row, text in rows.errors.items() if begin <= row < end},
        )
