"""Looking at the data set: its files, their columns, and where to cut them. The plan itself is pure (plan.py)."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import json as arrow_json
from pyarrow import parquet

from moorage_runtime.batch_predict import csv_rows
from moorage_runtime.batch_predict.cuts import newlines, records
from moorage_runtime.batch_predict.fault import BatchFault
from moorage_runtime.batch_predict.features import check_type
from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.batch_predict.plan import Fragment, Plan, cut_row_groups
from moorage_runtime.batch_predict.predict import Predicted, Predictor
from moorage_runtime.batch_predict.read import first_line, read
from moorage_runtime.batch_predict.rows import Rows
from moorage_runtime.batch_predict.write import file_schema, output_schema
from moorage_runtime.config import BatchPredictConfig, StorageConfig
from moorage_runtime.models.base import Model, Signature, Tensor
from moorage_runtime.storage import FileInfo, StorageError, codec_of, format_of, list_files, open_input

_SAMPLE_ROWS = 256
_SAMPLE_BYTES = 4 << 20
_COMPRESSION = 4
"""Assumed for the estimate of a compressed file's rows."""
_NAMES = {"parquet": "parquet", "csv": "csv", "json": "ndjson"}


def find(config: BatchPredictConfig) -> tuple[str, list[FileInfo]]:
    """Format and files of the data set, in their order. Raises BatchFault, StorageError."""
    given = config.input
    base = given.uri.rpartition("/")[0] if "*" in given.uri.rpartition("/")[2] else given.uri.rstrip("/")
    own = config.output_uri.rstrip("/") + "/"
    listed = [
        file
        for file in list_files(given.uri, config.storage)
        if not file.uri.startswith(own)
        and not any(part.startswith("_") for part in PurePosixPath(file.uri.removeprefix(base)).parts)
    ]
    if not listed:
        raise BatchFault(f"input.uri: {given.uri}: there is no such file, or no file in it")
    if given.format:
        return given.format, listed
    formats = {file.uri: _NAMES.get(format_of(file.uri) or "") for file in listed}
    known = [file for file in listed if formats[file.uri]]
    if not known:
        raise BatchFault(
            f"input.uri: {listed[0].uri}: its suffix names no format (.parquet, .csv, .ndjson, .jsonl); give input.format"
        )
    kinds = sorted({str(formats[file.uri]) for file in known})
    if len(kinds) > 1:
        raise BatchFault(
            f"input.uri: {given.uri} holds {' and '.join(kinds)} files; give input.format or a pattern"
        )
    return kinds[0], known


def make(
    config: BatchPredictConfig, model: Model, run: str, kind: str, files: list[FileInfo], limits: Limits
) -> Plan:
    """Check every file and cut it; predict a few rows, so that a model that cannot is found out here."""
    columns = wanted(config, model.signature, _names(kind, files[0], config.storage))
    reading, kept = _schemas(config, model.signature, columns, kind, files[0])
    file_schema(kept, pa.schema([pa.field(name, pa.null()) for name in model.default_outputs]))
    cuts = [
        (number, *cut)
        for number, file in enumerate(files)
        for cut in _cut(kind, file, reading, model.signature, columns, config.storage, limits)
    ]
    plan = Plan(
        run,
        kind,
        tuple(files),
        tuple(Fragment(number, *cut) for number, cut in enumerate(cuts)),
        reading,
        kept,
        pa.schema([]),
    )
    sample = _sample(plan, Predictor(model, columns), config.storage, limits)
    return replace(plan, outputs=output_schema(model.signature, model.default_outputs, sample))


def wanted(config: BatchPredictConfig, signature: Signature, present: list[str]) -> dict[str, str]:
    """Feature to column; for a model that names no features every column that is not kept."""
    if not signature.features:
        return {name: name for name in present if name not in config.keep}
    names = [feature.name for feature in signature.features]
    for name in config.input.columns:
        if name not in names:
            raise BatchFault(f"input.columns: the model has no feature {name!r}; it has: {_some(names)}")
    return {name: config.input.columns.get(name, name) for name in names}


def _names(kind: str, file: FileInfo, storage: StorageConfig) -> list[str]:
    return list(_schema_of(kind, file, storage).names)


def _schema_of(kind: str, file: FileInfo, storage: StorageConfig) -> pa.Schema:
    """Columns and types of a file; of text, as its first megabytes look."""
    try:
        with open_input(file.uri, storage) as source:
            if kind == "parquet":
                return parquet.read_schema(source).remove_metadata()
            codec = codec_of(file.uri)
            stream = pa.CompressedInputStream(source, codec) if codec else source
            if kind == "csv":
                names = csv_rows.header(first_line(stream), file.uri)
                data = stream.read(_SAMPLE_BYTES)
                return _csv_schema(data[: data.rfind(b"\n") + 1] or data, names)
            data = stream.read(_SAMPLE_BYTES)
            data = data[: data.rfind(b"\n") + 1] or data
            found = arrow_json.read_json(
                pa.BufferReader(data), read_options=arrow_json.ReadOptions(block_size=len(data) + 1)
            ).schema
            return pa.schema([pa.field(f.name, _plain(f.type)) for f in found])
    except (pa.ArrowException, OSError) as error:
        raise StorageError(
            f"{file.uri}: cannot be read as {kind}: {str(error).splitlines()[0][:300]}"
        ) from None


def _csv_schema(data: bytes, names: list[str]) -> pa.Schema:
    try:
        found = arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=len(data) + 1),
            parse_options=arrow_csv.ParseOptions(
                newlines_in_values=True, invalid_row_handler=lambda _: "skip"
            ),
        ).schema
    except pa.ArrowInvalid:  # cut within a quoted value, or no rows
        return pa.schema([pa.field(name, pa.string()) for name in names])
    return pa.schema([pa.field(f.name, pa.string() if pa.types.is_null(f.type) else f.type) for f in found])


def _plain(kind: Any) -> Any:
    """JSON knows no times, so they stay text."""
    return pa.string() if pa.types.is_null(kind) or pa.types.is_temporal(kind) else kind


def _schemas(
    config: BatchPredictConfig, signature: Signature, columns: Mapping[str, str], kind: str, file: FileInfo
) -> tuple[pa.Schema, pa.Schema]:
    """What is read, and what of it is kept."""
    found = _schema_of(kind, file, config.storage)
    _check(found, signature, columns, config.keep, file.uri, text=kind != "parquet")
    types = {name: found.field(name).type for name in (*columns.values(), *config.keep)}
    if kind != "parquet":
        types |= {columns[f.name]: _text_type(f, signature) for f in signature.features if not f.shape}
    reading = pa.schema([pa.field(name, type_) for name, type_ in types.items()])
    return reading, pa.schema([pa.field(name, types[name]) for name in config.keep])


def _text_type(feature: Tensor, signature: Signature) -> Any:
    """What text is parsed to for a feature, whatever the first rows look like."""
    dtype = feature.dtype if signature.matrix is None else signature.matrix
    if dtype.kind == "O":
        return pa.string()
    if dtype.kind == "f" or feature.dtype.kind == "f":
        return pa.float64()
    return pa.bool_() if dtype.kind == "b" else pa.uint64() if dtype.kind == "u" else pa.int64()


def _check(
    found: pa.Schema,
    signature: Signature,
    columns: Mapping[str, str],
    keep: list[str],
    where: str,
    *,
    text: bool,
) -> None:
    names = set(found.names)
    for feature in signature.features:
        column = columns[feature.name]
        if column not in names:
            raise BatchFault(
                f"{where}: there is no column {column!r}, which feature {feature.name!r} needs; "
                f"it has: {_some(found.names)}"
            )
        if not text:
            wanted_type = (
                feature if signature.matrix is None else Tensor(feature.name, signature.matrix, feature.shape)
            )
            check_type(found.field(column).type, wanted_type, column, where)
    for column in keep:
        if column not in names:
            raise BatchFault(
                f"{where}: there is no column {column!r}, which output.keep names; it has: {_some(found.names)}"
            )


def _cut(
    kind: str,
    file: FileInfo,
    reading: pa.Schema,
    signature: Signature,
    columns: Mapping[str, str],
    storage: StorageConfig,
    limits: Limits,
) -> list[tuple[int, int, int, int]]:
    """(begin, end, skip, rows) of the file's fragments."""
    if not file.size:
        return []
    keep = [name for name in reading.names if name not in columns.values()]
    if kind == "parquet":
        try:
            with open_input(file.uri, storage) as source:
                metadata = parquet.read_metadata(source)
        except (pa.ArrowException, OSError) as error:
            raise StorageError(
                f"{file.uri}: cannot be read as parquet: {str(error).splitlines()[0][:300]}"
            ) from None
        schema = metadata.schema.to_arrow_schema()
        _check(schema, signature, columns, keep, file.uri, text=False)
        return cut_row_groups(
            [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)], limits
        )
    with open_input(file.uri, storage) as source:
        if codec := codec_of(file.uri):
            stream = pa.CompressedInputStream(source, codec)
            if kind == "csv":
                _check_header(csv_rows.header(first_line(stream), file.uri), reading, file.uri)
            lines = stream.read(_SAMPLE_BYTES)
            average = max(1.0, len(lines) / max(1, lines.count(b"\n")))
            whole = len(lines) < _SAMPLE_BYTES
            return [(0, 0, 0, lines.count(b"\n") if whole else int(file.size * _COMPRESSION / average))]
        if kind == "csv":
            line = first_line(source)
            _check_header(csv_rows.header(line, file.uri), reading, file.uri)
            found = records(source, len(line), file.size, limits.fragment_bytes)
            if found is None:
                return [(0, 0, 0, _lines(source, file.size))]
            return [(cut.begin, cut.end, len(line), cut.lines) for cut in found]
        average = max(1.0, file.size / max(1, _lines(source, file.size)))
        return [
            (begin, end, 0, max(1, round((end - begin) / average)))
            for begin, end in newlines(source, 0, file.size, limits.fragment_bytes)
        ]


def _check_header(names: list[str], reading: pa.Schema, where: str) -> None:
    for name in reading.names:
        if name not in names:
            raise BatchFault(
                f"{where}: there is no column {name!r}, which other files have; it has: {_some(names)}"
            )


def _lines(source: Any, size: int) -> int:
    """Lines, counted in the first megabytes and extrapolated."""
    source.seek(0)
    data = source.read(_SAMPLE_BYTES)
    counted: int = data.count(b"\n") + (len(data) == size and not data.endswith(b"\n"))
    return round(counted * size / max(1, len(data)))


def _sample(plan: Plan, predictor: Predictor, storage: StorageConfig, limits: Limits) -> Predicted | None:
    """Predictions of the first rows; None where there are no rows."""
    for fragment in plan.fragments:
        for rows in read(plan, fragment, storage, limits):
            count = min(rows.count, _SAMPLE_ROWS)
            errors = {row: text for row, text in rows.errors.items() if row < count}
            few = Rows({name: values.slice(0, count) for name, values in rows.columns.items()}, count, errors)
            return predictor.predict(few)
    return None


def _some(names: list[str]) -> str:
    return ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
