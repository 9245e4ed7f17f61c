"""What current rows are compared with: the reference data, summarised once into cells and their counts."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np
import orjson

from moorage_runtime.drift.reference.binning import (
    BINS,
    ROWS_PER_BIN,
    CategoricalColumn,
    Floats,
    MlrunHistogram,
    NumericColumn,
    ReferenceColumn,
    is_categorical,
)
from moorage_runtime.drift.reference.pane import Codes, Pane
from moorage_runtime.drift.types import Block, Column, Role, Run

MIN_ROWS = BINS * ROWS_PER_BIN
MLRUN_CELLS = BINS + 4
"""22 padded bins between minus and plus infinity, which they leave out."""
_FORMAT = 1


class ReferenceError(Exception):  # noqa: A001 - the builtin is of weak references
    """The reference cannot be used; the message says why and what is needed."""


class Reference:
    """Columns and where their cells are in a pane; counts blocks of rows.

    `skipped` counts missing_feature and bad_value (a text where a number belongs; both are counted as missing) and
    unknown_feature (not looked at), each per row and column.
    """

    def __init__(self, columns: Iterable[ReferenceColumn], rows: int) -> None:
        self.columns = tuple(columns)
        self.rows = rows
        self.skipped: Counter[str] = Counter()
        ends = np.cumsum([column.cells for column in self.columns], dtype=np.int64)
        self.starts: list[int] = [0, *ends.tolist()]
        """Index of each column's first cell, then of MLRun's first."""
        self._positions: dict[Role, dict[str, int]] = {"feature": {}, "prediction": {}}
        for index, column in enumerate(self.columns):
            self._positions[column.role][column.name] = index
        self._categorical = [i for i, c in enumerate(self.columns) if isinstance(c, CategoricalColumn)]
        self.mlrun_columns = [i for i, c in enumerate(self.columns) if c.mlrun and c.role == "feature"]
        """Indices of the columns that have MLRun's histogram, in its cells' order."""
        self.cells = self.starts[-1] + MLRUN_CELLS * len(self.mlrun_columns)
        """Length of a pane's counts."""
        self._numeric = [
            i for i, c in enumerate(self.columns) if isinstance(c, NumericColumn) or i in self.mlrun_columns
        ]
        self._edges: list[Floats] = []
        """Of each numeric column: its cells' greatest values, then those of MLRun's cells."""
        self._lay_out_edges()

    def _lay_out_edges(self) -> None:
        """A cell's count is the number of values up to its edge less that up to the edge below it."""
        targets: list[int] = []
        uppers: list[int] = []
        lowers: list[int] = []
        place = 0
        for index in self._numeric:
            column, edges = self.columns[index], list[Floats]()
            if isinstance(column, NumericColumn):
                edges.append(column.edges)
                targets += range(self.starts[index], self.starts[index + 1])
                uppers += [*range(place, place + len(column.edges)), -1]
                lowers += [-2, *range(place, place + len(column.edges))]
                place += len(column.edges)
            if column.mlrun and index in self.mlrun_columns:
                first = self.starts[-1] + MLRUN_CELLS * self.mlrun_columns.index(index)
                edges.append(column.mlrun.cell_edges)
                targets += range(first, first + MLRUN_CELLS)
                uppers += range(place, place + MLRUN_CELLS)
                lowers += [-2, *range(place, place + MLRUN_CELLS - 1)]
                place += MLRUN_CELLS
            self._edges.append(np.concatenate(edges))
        self._points = place + 2
        """Counts of values up to each edge, of none and of all."""
        self._targets, self._uppers, self._lowers = (np.array(i, np.int64) for i in (targets, uppers, lowers))

    @classmethod
    def summarise(
        cls,
        features: Mapping[str, Column],
        predictions: Mapping[str, Column],
        *,
        categorical: Callable[[str], bool],
        mlrun: bool,
    ) -> Self:
        """Of columns of shape (rows,); `categorical` says which names are categories although they are numbers.

        Raises ReferenceError where there are fewer than 100 rows (20 bins of 5), no columns, or unequal lengths.
        """
        named: list[tuple[Role, str, Column]] = [
            ("feature", name, column) for name, column in features.items()
        ]
        named += [("prediction", name, column) for name, column in predictions.items()]
        if not named:
            raise ReferenceError("The reference has none of the watched features.")
        rows = max(len(column) for _, _, column in named)
        for _, name, column in named:
            if len(column) != rows:
                raise ReferenceError(
                    f"The reference's column {name!r} has {len(column)} rows, others have {rows}."
                )
        if rows < MIN_ROWS:
            raise ReferenceError(
                f"The reference has {rows} rows; {BINS} bins of {ROWS_PER_BIN} need at least {MIN_ROWS}."
            )
        kinds = [
            CategoricalColumn if categorical(name) or is_categorical(column) else NumericColumn
            for _, name, column in named
        ]
        return cls(
            (
                kind.of(name, role, column, mlrun=mlrun and role == "feature")
                for kind, (role, name, column) in zip(kinds, named, strict=True)
            ),
            rows,
        )

    def position(self, name: str, role: Role = "feature") -> int | None:
        """Index of a column; None where it is not in the reference."""
        return self._positions[role].get(name)

    def empty(self) -> Pane:
        """The pane of no rows."""
        return Pane(np.zeros(self.cells, np.int64), 0)

    def encode(self, block: Block, *, watched: Callable[[str], bool] = lambda _: True) -> Codes:
        """A block's columns by position. Names that are not `watched` are no unknown features."""
        rows = block.rows
        columns = [
            (block.features if column.role == "feature" else block.predictions).get(column.name)
            for column in self.columns
        ]
        for run in block.runs or (Run(rows, frozenset(block.features), frozenset(block.predictions)),):
            self._compare(run, watched)
        numbers = []
        for index in self._numeric:
            values = columns[index]
            if values is not None and values.dtype == object:
                values, bad = _numbers(values)
                if isinstance(self.columns[index], NumericColumn):
                    self.skipped["bad_value"] += bad
            numbers.append(np.full(rows, np.nan) if values is None else values)
        categories = np.empty((len(self._categorical), rows), np.int64)
        for row, index in enumerate(self._categorical):
            column, values = self.columns[index], columns[index]
            assert isinstance(column, CategoricalColumn)
            categories[row] = column.cells - 1 if values is None else column.codes(values)
            categories[row] += self.starts[index]
        return Codes(block.times, numbers, categories)

    def _compare(self, run: Run, watched: Callable[[str], bool]) -> None:
        """Count the columns that rows lack, and those that are new."""
        lacking = sum(
            one.name not in (run.features if one.role == "feature" else run.predictions)
            for one in self.columns
        )
        unknown = sum(name not in self._positions["feature"] and watched(name) for name in run.features)
        self.skipped["missing_feature"] += run.rows * lacking
        self.skipped["unknown_feature"] += run.rows * unknown

    def pane(self, codes: Codes, begin: int, end: int) -> Pane:
        """Counts of the rows begin..end.

        Numbers are sorted and the edges looked up in them, which is several times faster than looking up each number.
        """
        times = codes.times[begin:end]
        if not len(times):
            return self.empty()
        counts = np.bincount(codes.categories[:, begin:end].ravel(), minlength=self.cells)
        upto, place = np.zeros(self._points, np.int64), 0
        for column, edges in zip(codes.numbers, self._edges, strict=True):
            values = column[begin:end].copy()
            values.sort()
            upto[place : place + len(edges)] = values.searchsorted(edges, "right")
            place += len(edges)
        upto[-1] = len(times)
        counts[self._targets] = upto[self._uppers] - upto[self._lowers]
        return Pane(counts, len(times), int(times.min()), int(times.max()))

    def to_json(self) -> bytes:
        """At most 20 KB a column; the same reference gives the same bytes."""
        columns = [_column_to_dict(column) for column in self.columns]
        return orjson.dumps({"format": _FORMAT, "rows": self.rows, "columns": columns})

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """From `to_json`; raises ReferenceError where it is not that."""
        try:
            document = orjson.loads(data)
            if document["format"] != _FORMAT:
                raise ReferenceError(
                    f"The reference kept beside the checkpoint has format {document['format']}; "
                    f"this version reads {_FORMAT}."
                )
            return cls([_column_from_dict(column) for column in document["columns"]], document["rows"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ReferenceError(
                f"The reference kept beside the checkpoint is damaged: {error!r}."
            ) from error


def _numbers(column: Column) -> tuple[Floats, int]:
    """Text as numbers, what is none as NaN; and how many were none."""
    numbers, bad = np.full(len(column), np.nan), 0
    for row, value in enumerate(column.tolist()):
        if value is not None:
            try:
                numbers[row] = float(value)
            except ValueError:
                bad += 1
    return numbers, bad


def _column_to_dict(column: ReferenceColumn) -> dict[str, Any]:
    common: dict[str, Any] = {"name": column.name, "role": column.role}
    if column.mlrun:
        histogram = column.mlrun
        common["mlrun"] = [histogram.edges.tolist(), histogram.counts.tolist(), histogram.count]
    if isinstance(column, NumericColumn):
        return {**common, "bounds": column.bounds.tolist(), "counts": column.counts.tolist()}
    levels = {"levels": list(column.levels), "complete": column.complete}
    return {**common, **levels, "halves": column.halves.tolist()}


def _column_from_dict(fields: dict[str, Any]) -> ReferenceColumn:
    mlrun = None
    if "mlrun" in fields:
        edges, counts, count = fields["mlrun"]
        mlrun = MlrunHistogram(np.array(edges, np.float64), np.array(counts, np.int64), count)
    name, role = fields["name"], fields["role"]
    if "bounds" in fields:
        bounds = np.array(fields["bounds"], np.float64)
        return NumericColumn(name, role, bounds, np.array(fields["counts"], np.int64), mlrun)
    halves = np.array(fields["halves"], np.int64)
    return CategoricalColumn(name, role, tuple(fields["levels"]), fields["complete"], halves, mlrun)
