"""Rows as Parquet files: which folder, which name, which bytes. Pure; equal rows give equal bytes.

Nothing depends on how rows were cut into blocks, on when they were written or by whom.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from moorage_runtime.config import TensorConfig
from moorage_runtime.drift.reference.binning import as_text
from moorage_runtime.drift.types import Block, Column, ConceptResult, WindowResult

HOUR = 3_600_000_000
DAY = 24 * HOUR
NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name of the folder of a missing value; readers of partitioned data sets give null for it."""
_TIME = pa.timestamp("us", tz="UTC")
_ROWS_PER_GROUP = 1 << 20
_TEXTS = frozenset({"string", "str", "object", "bytes", "bool", "boolean", "category"})


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written. `first` and `last` say what it covers of `series`, whose files in a folder do not overlap."""

    folder: tuple[str, ...]
    """Below the history's URI; each part is escaped as Hive does it."""
    series: str
    first: int
    last: int
    table: pa.Table

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.series}-{self.first}-{self.last}.parquet"

    def content(self) -> bytes:
        """The file's bytes; settings are fixed and no time is among them."""
        sink = pa.BufferOutputStream()
        pq.write_table(
            self.table,
            sink,
            row_group_size=_ROWS_PER_GROUP,
            version="2.6",
            compression="zstd",
            compression_level=3,
            write_statistics=True,
            use_dictionary=[field.name for field in self.table.schema if field.type == pa.string()],
        )
        return bytes(sink.getvalue())


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows `begin` to `end` of a block."""

    block: Block
    begin: int
    end: int


Declared = Mapping[str, Sequence[TensorConfig]]
"""Columns that every file has, by role (feature, prediction), in their order."""


def event_files(
    slices: Sequence[Slice], series: str, model: str, declared: Declared | None = None
) -> list[File]:
    """The rows of one partition, consecutive and in order, as one file per version, date and hour of event time.

    Declared columns come first. Others follow by name, where they have a value in the file: which columns a block has
    besides depends on what it was decoded with.
    """
    parts: dict[tuple[str, int], list[tuple[Slice, NDArray[np.int64]]]] = {}
    for piece in slices:
        for key, rows in _split(piece):
            parts.setdefault(key, []).append((piece, rows))
    files = []
    for (version, hour), chosen in sorted(parts.items(), key=lambda part: part[0]):
        offsets = np.concatenate([piece.block.offsets[rows] for piece, rows in chosen])
        folder = ("events", _hive("model", model), version, *_date(hour * HOUR), f"hour={hour % 24:02d}")
        files.append(
            File(folder, series, int(offsets[0]), int(offsets[-1]), _event_table(chosen, declared or {}))
        )
    return files


def window_files(results: Sequence[WindowResult], model: str) -> list[File]:
    """Windows of one partition (or of time), in order: a row per feature or prediction, a file per date of their end."""
    days: dict[int, list[WindowResult]] = {}
    for result in results:
        days.setdefault(result.window.end // DAY, []).append(result)
    series = _safe(results[0].window.partition or "all")
    return [
        File(
            ("windows", _hive("model", model), *_date(day * DAY)),
            series,
            min(result.window.index for result in chosen),
            max(result.window.index for result in chosen),
            _window_table(chosen),
        )
        for day, chosen in sorted(days.items())
    ]


def concept_files(results: Sequence[ConceptResult], model: str) -> list[File]:
    """Results of one partition of labels, in order: a row per detector, a file per date of the prediction."""
    days: dict[int, list[ConceptResult]] = {}
    for result in results:
        days.setdefault(result.time // DAY, []).append(result)
    series = _safe(results[0].partition)
    return [
        File(
            ("concept", _hive("model", model), *_date(day * DAY)),
            series,
            min(result.offset for result in chosen),
            max(result.offset for result in chosen),
            _concept_table(chosen),
        )
        for day, chosen in sorted(days.items())
    ]


def series_name(stream_uri: str, partition: str) -> str:
    """TOPIC-PARTITION, or FOLDER-WRITER of a directory stream."""
    topic = stream_uri.rstrip("/").rpartition("/")[2] or "stream"
    return f"{_safe(topic)}-{_safe(partition)}"


def _safe(text: str) -> str:
    return quote(text, safe="")


def _hive(name: str, value: str | None) -> str:
    return f"{name}={NULL_FOLDER if value is None else quote(value, safe='')}"


def _date(time: int) -> tuple[str]:
    return (f"date={np.datetime64(time, 'us').astype('datetime64[D]')}",)


def _requests(piece: Slice) -> NDArray[np.int64]:
    """Index of the request of each row of a whole block."""
    return np.repeat(np.arange(len(piece.block.counts)), piece.block.counts)


def _split(piece: Slice) -> Iterable[tuple[tuple[str, int], NDArray[np.int64]]]:
    """(version's folder, hours since the epoch) and the rows of the block that belong there, in order."""
    block, rows = piece.block, np.arange(piece.begin, piece.end)
    hours = block.times[rows] // HOUR
    folders = {version: _hive("version", version) for version in set(block.versions) or {None}}
    versions = sorted(folders.values())
    if len(versions) == 1 and (hours == hours[0]).all():
        return [((versions[0], int(hours[0])), rows)]
    code = {version: versions.index(folder) for version, folder in folders.items()}
    of_request = np.array([code[version] for version in block.versions or [None] * len(block.counts)])
    codes = of_request[_requests(piece)[rows]]
    keys = sorted(set(zip(codes.tolist(), hours.tolist(), strict=True)))
    return [((versions[v], h), rows[(codes == v) & (hours == h)]) for v, h in keys]


def _event_table(chosen: Sequence[tuple[Slice, NDArray[np.int64]]], declared: Declared) -> pa.Table:
    ids, numbers, latencies = [], [], []
    for piece, rows in chosen:
        block = piece.block
        requests = _requests(piece)[rows]
        starts = np.cumsum(block.counts) - block.counts
        numbers.append(rows - starts[requests] + block.first_rows[requests])
        latencies.append(block.latencies[requests])
        ids.append(pa.array(block.request_ids, pa.string()).take(pa.array(requests)))
    columns: dict[str, pa.Array] = {
        "timestamp": pa.array(np.concatenate([piece.block.times[rows] for piece, rows in chosen]), _TIME),
        "request_id": pa.concat_arrays(ids),
        "row": pa.array(np.concatenate(numbers), pa.int64()),
        "latency_us": pa.array(np.concatenate(latencies), pa.int64()),
    }
    sides: tuple[tuple[str, Callable[[Block], Mapping[str, Column]]], ...] = (
        ("feature", lambda block: block.features),
        ("prediction", lambda block: block.predictions),
    )
    for role, side in sides:
        kinds = {
            one.name: pa.string() if one.type in _TEXTS else pa.float64() for one in declared.get(role, ())
        }
        found = sorted({name for piece, _ in chosen for name in side(piece.block)} - kinds.keys())
        for name in [*kinds, *found]:
            values = _joined([_cells(side(piece.block).get(name), rows) for piece, rows in chosen])
            if values.null_count == len(values):
                if name not in kinds:
                    continue
                values = pa.nulls(len(values), kinds[name])
            column = name
            while column in columns:
                column = f"{column}_{role}"
            columns[column] = values
    return pa.table(columns)


def _cells(column: Column | None, rows: NDArray[np.int64]) -> Column | int:
    """The rows of a column, or how many are missing where the block does not have it."""
    if column is None:
        return len(rows)
    begin, end = int(rows[0]), int(rows[-1]) + 1
    return column[begin:end] if end - begin == len(rows) else column[rows]


def _joined(parts: Sequence[Column | int]) -> pa.Array:
    """One array of doubles, or of text where a part is text; missing values are null."""
    text = any(not isinstance(part, int) and part.dtype == object for part in parts)
    if not text:
        numbers = [np.full(part, np.nan) if isinstance(part, int) else part for part in parts]
        return pa.array(np.concatenate(numbers), pa.float64(), from_pandas=True)
    cells: list[str | None] = []
    for part in parts:
        if isinstance(part, int):
            cells += [None] * part
        elif part.dtype == object:
            cells += part.tolist()
        else:
            cells += [None if value != value else as_text(value) for value in part.tolist()]  # noqa: PLR0124 - NaN
    return pa.array(cells, pa.string())


def _window_table(results: Sequence[WindowResult]) -> pa.Table:
    scored = [(result, score) for result in results for score in result.scores]
    window = {
        "timestamp": pa.array([r.window.timestamp for r, _ in scored], pa.timestamp("ms", tz="UTC")),
        "partition": pa.array([r.window.partition for r, _ in scored], pa.string()),
        "index": pa.array([r.window.index for r, _ in scored], pa.int64()),
        "start": pa.array([r.window.start for r, _ in scored], _TIME),
        "end": pa.array([r.window.end for r, _ in scored], _TIME),
        "rows": pa.array([r.window.rows for r, _ in scored], pa.int64()),
        "first_offset": pa.array([r.window.first_offset for r, _ in scored], pa.int64()),
        "last_offset": pa.array([r.window.last_offset for r, _ in scored], pa.int64()),
        "data_state": pa.array([r.data.value for r, _ in scored], pa.string()),
        "prediction_state": pa.array([r.prediction.value for r, _ in scored], pa.string()),
        "general_drift": _doubles(r.general_drift for r, _ in scored),
        "general_status": pa.array([r.general_status for r, _ in scored], pa.int64()),
        "name": pa.array([score.name for _, score in scored], pa.string()),
        "role": pa.array([score.role for _, score in scored], pa.string()),
        "p_value": _doubles(score.p_value for _, score in scored),
        "effect": _doubles(score.effect for _, score in scored),
        "significant": pa.array([score.significant for _, score in scored], pa.bool_()),
        "state": pa.array([score.state.value for _, score in scored], pa.string()),
    }
    means = dict.fromkeys(name for result in results for name in result.mlrun)
    statistics = dict.fromkeys(name for _, score in scored for name in score.statistics)
    return pa.table(
        window
        | {name: _doubles(r.mlrun.get(name) for r, _ in scored) for name in means}
        | {name: _doubles(score.statistics.get(name) for _, score in scored) for name in statistics}
    )


def _concept_table(results: Sequence[ConceptResult]) -> pa.Table:
    said = [(result, detector) for result in results for detector in result.states]
    return pa.table(
        {
            "timestamp": pa.array([r.timestamp for r, _ in said], pa.timestamp("ms", tz="UTC")),
            "partition": pa.array([r.partition for r, _ in said], pa.string()),
            "offset": pa.array([r.offset for r, _ in said], pa.int64()),
            "time": pa.array([r.time for r, _ in said], _TIME),
            "labelled": pa.array([r.labelled for r, _ in said], pa.int64()),
            "error_rate": _doubles(r.error_rate for r, _ in said),
            "detector": pa.array([name for _, name in said], pa.string()),
            "state": pa.array([r.states[name].value for r, name in said], pa.string()),
            "value": _doubles(r.values.get(name) for r, name in said),
            "changed": pa.array([name in r.changes for r, name in said], pa.bool_()),
        }
    )


def _doubles(values: Iterable[float | None]) -> pa.Array:
    return pa.array(list(values), pa.float64())
