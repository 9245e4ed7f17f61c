"""A fragment's file of predictions: always the same bytes for the same rows."""

import hashlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import parquet

from moorage_runtime.batch_predict.fault import BatchFault
from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.batch_predict.predict import Predicted
from moorage_runtime.batch_predict.rows import Rows, spread
from moorage_runtime.models.base import Array, Signature

META = b"moorage"
_NAME = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a finished file."""

    rows: int
    rejected: int
    bytes: int
    sha256: str


def output_schema(signature: Signature, names: tuple[str, ...], sample: Predicted | None) -> pa.Schema:
    """Names and types of the predictions, as a sample shows them, otherwise as the signature says."""
    tensors = {tensor.name: tensor for tensor in signature.outputs}
    fields = []
    for name in names:
        if sample is not None and sample.outputs:
            values = sample.outputs[name]
            dtype, shape = values.dtype, values.shape[1:]
        else:
            dtype, shape = tensors[name].dtype, tensors[name].shape
        kind = pa.string() if dtype.kind in "OUS" else pa.from_numpy_dtype(dtype)
        for size in reversed(shape):
            kind = pa.list_(kind, size) if size >= 0 else pa.list_(kind)
        fields.append(pa.field(name, kind))
    return pa.schema(fields)


def file_schema(kept: pa.Schema, outputs: pa.Schema) -> pa.Schema:
    """Columns of a file of predictions; BatchFault where two have the same name."""
    own = [pa.field("model", _NAME), pa.field("model_version", _NAME), pa.field("error", pa.string())]
    schema = pa.schema([*(field.remove_metadata() for field in kept), *outputs, *own])
    for name in schema.names:
        if len(schema.get_all_field_indices(name)) > 1:
            raise BatchFault(
                f"output.keep: column {name!r} has the name of a column that the prediction writes"
            )
    return schema


def table_of(
    rows: Rows, predicted: Predicted, schema: pa.Schema, outputs: pa.Schema, model: str, version: str
) -> pa.Table:
    """One batch as it is written."""
    columns = {field.name: _output(field, predicted, rows.count) for field in outputs}
    columns |= {"model": _constant(model, rows.count), "model_version": _constant(version, rows.count)}
    columns["error"] = _texts(predicted.errors, rows.count)
    arrays = []
    for field in schema:
        values = columns[field.name] if field.name in columns else rows.columns[field.name]
        arrays.append(values if values.type == field.type else _cast(values, field))
    return pa.Table.from_arrays(arrays, schema=schema)


class Writer:
    """Row groups of a fixed size into a sink, and the sum of what went there."""

    def __init__(self, sink: Any, schema: pa.Schema, limits: Limits) -> None:
        self._sink = _Summed(sink)
        self._limits = limits
        self._schema = schema
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._rejected = 0
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"),
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[path for field in schema for path in _few(field)],
            write_statistics=True,
            data_page_version="1.0",
        )

    def write(self, table: pa.Table, rejected: int) -> None:
        """Add a batch."""
        self._waiting.append(table)
        self._rows += table.num_rows
        self._rejected += rejected
        if (
            sum(t.num_rows for t in self._waiting) >= self._limits.group_rows
            or sum(t.nbytes for t in self._waiting) >= self._limits.group_bytes
        ):
            self._flush()

    def close(self) -> Part:
        """Write what waits and the footer."""
        self._flush()
        said = orjson.dumps({"rows": self._rows, "rejected": self._rejected})
        self._writer.add_key_value_metadata({META: said})
        self._writer.close()
        return Part(self._rows, self._rejected, self._sink.bytes, self._sink.sha256.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:  # the file will not appear; nothing more may go into its sink
            self._sink.discard = True
            self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            table = pa.concat_tables(self._waiting)
            self._waiting = []
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))


def inspect(source: Any, chunk: int = 1 << 20) -> Part:
    """The same of a file that is there already; ValueError where it is none of ours."""
    said = (parquet.read_metadata(source).metadata or {}).get(META)
    if said is None:
        raise ValueError("no file of predictions")
    counts = orjson.loads(said)
    sha = hashlib.sha256()
    source.seek(0)
    while data := source.read(chunk):
        sha.update(data)
    return Part(counts["rows"], counts["rejected"], source.tell(), sha.hexdigest())


class _Summed:
    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self.discard = False
        self.bytes = 0
        self.sha256 = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        if self.discard:
            return len(data)
        self._sink.write(data)
        self.sha256.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """The sink is flushed when it ends."""

    def close(self) -> None:
        self.closed = True


def _few(field: pa.Field) -> list[str]:
    """The field's column of the file, where it is likely to hold few different values."""
    kind = field.type
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [field.name]
    return []


def _output(field: pa.Field, predicted: Predicted, count: int) -> pa.Array:
    if field.name not in predicted.outputs:
        return pa.nulls(count, field.type)
    values = predicted.outputs[field.name]
    if pa.types.is_string(field.type):
        array = pa.array([_text(value) for value in values], pa.string())
    elif values.ndim == 1:
        array = pa.array(values)
    else:
        array = _nested(values, field.type)
    array = array if array.type == field.type else _cast(array, field)
    return array if predicted.places is None else spread(array, list(predicted.places), count)


def _nested(values: Array, kind: Any) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    flat = _nested(values.reshape(-1, *values.shape[2:]), None)
    if kind is None or pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.ListArray.from_arrays(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1], flat)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _texts(errors: dict[int, str], count: int) -> pa.Array:
    if not errors:
        return pa.nulls(count, pa.string())
    texts: list[str | None] = [None] * count
    for row, text in errors.items():
        texts[row] = text
    return pa.array(texts, pa.string())


def _constant(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int32), pa.array([text]))


def _cast(values: Any, field: pa.Field) -> Any:
    try:
        return values.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise BatchFault(f"column {field.name!r}: {values.type} where {field.type} came first") from None
