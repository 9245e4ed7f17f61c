"""The groups of all watched columns as matrices, so that a window is judged in a few vectorised steps."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moorage_runtime.drift.judging import statistics
from moorage_runtime.drift.reference.binning import (
    CategoricalColumn,
    Counts,
    Floats,
    NumericColumn,
    ReferenceColumn,
)
from moorage_runtime.drift.reference.pooling import Grouping, grouping

Flags = NDArray[np.bool_]
_MOST_RARE = 3
"""Cells of a column with an exact test: under, over, missing."""


@dataclass(frozen=True)
class Layout:
    """For windows of one number of rows. A row of a matrix is a column of the data."""

    cells: Counts
    """Which of a pane's counts belong to the columns."""
    groups: Counts
    """Where in the flat matrix of groups each of these is added."""
    reference: Floats
    """Counts; shape (columns, groups)."""
    shares: Floats
    """The same as shares."""
    own: Flags
    """Groups that the column has; the others are padding. Shape (columns, groups)."""
    present: Flags
    """Of these, all but the missing."""
    ordered: Flags
    """Which columns are numbers; shape (columns,)."""
    pearson: Counts
    """Where in the flat matrix of Pearson's cells each group is added, or just past its end; shape (all groups,)."""
    pearson_reference: Floats
    """Counts; shape (columns, groups)."""
    rare: Counts
    """Groups with an exact test, then any others; shape (columns, 3)."""
    rare_cells: Counts
    """How many of these count; shape (columns,)."""
    missing: Counts
    """Cell of a pane; shape (columns,)."""
    unseen: Counts
    """Two cells of a pane; shape (columns, 2)."""
    unseen_weights: Floats
    """1 where the cell counts as unseen, NaN where that is not known; shape (columns, 2)."""

    @classmethod
    def of(cls, columns: Sequence[ReferenceColumn], starts: Sequence[int], rows: int) -> Self:
        """Of columns whose first cells in a pane are `starts`, for windows of `rows` rows."""
        grouped = [grouping(column, rows) for column in columns]
        shape = (len(columns), max(len(one.reference) for one in grouped))
        missing = np.array([[one.missing] for one in grouped])
        own = np.arange(shape[1]) <= missing
        reference = _padded((one.reference for one in grouped), shape)
        pearson = _pearson_cells(grouped, shape)
        unseen = [_unseen(column) for column in columns]
        return cls(
            cells=np.concatenate([np.arange(s, s + c.cells) for c, s in zip(columns, starts, strict=True)]),
            groups=np.concatenate([np.array(g.group) + row * shape[1] for row, g in enumerate(grouped)]),
            reference=reference,
            shares=statistics.shares(reference),
            own=own,
            present=own & (np.arange(shape[1]) != missing),
            ordered=np.array([isinstance(column, NumericColumn) for column in columns]),
            pearson=pearson,
            pearson_reference=_added(reference, pearson),
            rare=_padded((one.rare for one in grouped), (len(columns), _MOST_RARE)).astype(np.int64),
            rare_cells=np.array([len(one.rare) for one in grouped]),
            missing=np.array([s + c.cells - 1 for c, s in zip(columns, starts, strict=True)]),
            unseen=np.array([cells for cells, _ in unseen]) + np.array(starts)[:, None],
            unseen_weights=np.array([weights for _, weights in unseen]),
        )

    def grouped(self, counts: Counts) -> Floats:
        """A pane's counts by group; shape (columns, groups)."""
        flat = np.bincount(self.groups, weights=counts[self.cells], minlength=self.own.size)
        return flat.reshape(self.own.shape).astype(np.float64, copy=False)

    def p_values(self, current: Floats, rows: int) -> Floats:
        """Of each column, for `grouped` counts of `rows` rows; shape (columns,)."""
        statistic, freedom = statistics.pearson(_added(current, self.pearson), self.pearson_reference)
        reference_rows = self.reference.sum(axis=1)
        each = statistics.rare_p(
            np.take_along_axis(current, self.rare, axis=1),
            np.take_along_axis(self.reference, self.rare, axis=1),
            (rows / (rows + reference_rows))[:, None],
        )
        counted = np.arange(_MOST_RARE) < self.rare_cells[:, None]
        return statistics.combined_p(
            statistics.pearson_p(statistic, freedom, np.minimum(rows, reference_rows)),
            freedom > 0,
            np.where(counted, each, 1).min(axis=1),
            self.rare_cells,
        )

    def statistics(self, p: Floats, rows: int, names: Iterable[str]) -> dict[str, Floats]:
        """The named ones of shares by group; each of shape (columns,)."""
        q = self.shares
        floor = 0.5 / np.maximum(np.minimum(self.reference.sum(axis=1), rows), 1)
        smoothed: list[Floats] = []

        def smooth() -> list[Floats]:
            if not smoothed:
                smoothed.extend(statistics.smooth(shares, floor, self.own) for shares in (p, q))
            return smoothed

        known: dict[str, Callable[[], Floats]] = {
            "tvd": lambda: statistics.tvd(p, q),
            "hellinger": lambda: statistics.hellinger(p, q),
            "js": lambda: statistics.js(p, q),
            "ks": lambda: statistics.ks(p, q, self.ordered, self.present),
            "psi": lambda: statistics.psi(*smooth()),
            "kl": lambda: statistics.kl(*smooth()),
        }
        return {name: known[name]() for name in names}

    def ratios(self, counts: Counts, rows: int) -> dict[str, Floats]:
        """`missing_ratio` and `unseen_ratio` of a pane's counts; NaN where the latter is not known."""
        unseen = (counts[self.unseen] * self.unseen_weights).sum(axis=1)
        return {"missing_ratio": counts[self.missing] / max(1, rows), "unseen_ratio": unseen / max(1, rows)}


def _pearson_cells(grouped: Sequence[Grouping], shape: tuple[int, int]) -> Counts:
    """Flat; the index past the end takes the groups that Pearson's test leaves out, and padding."""
    past = shape[0] * shape[1]
    cells = np.full(shape, past)
    for row, one in enumerate(grouped):
        cells[row, : len(one.pearson)] = [past if c < 0 else row * shape[1] + c for c in one.pearson]
    return cells.ravel()


def _added(groups: Floats, cells: Counts) -> Floats:
    flat = np.bincount(cells, weights=groups.ravel(), minlength=groups.size + 1)
    return flat[: groups.size].reshape(groups.shape).astype(np.float64, copy=False)


def _padded(rows: Iterable[Any], shape: tuple[int, int]) -> Floats:
    matrix = np.zeros(shape)
    for row, values in enumerate(rows):
        matrix[row, : len(values)] = values
    return matrix


def _unseen(column: ReferenceColumn) -> tuple[tuple[int, int], tuple[float, float]]:
    """Cells of values that the reference had not, and their weights."""
    if isinstance(column, CategoricalColumn):
        weight = 1.0 if column.complete else np.nan
        return (column.cells - 2, column.cells - 2), (weight, 0.0)
    return (0, column.cells - 2), (1.0, 1.0)
