"""Which cells are tested together in a window of a given size, and which are too rare for Pearson's test.

Only the reference's counts and the window's number of rows decide this. Pooling by what the window happens to hold
makes the test reject far too often.

* Bins with too few expected rows are pooled with their neighbours; rare levels with each other, in the order
  of their names, and the rarest with all levels that the reference did not have.
* What lies outside the reference's bins belongs to the nearest bin in Pearson's test: the bins between a sample's
  quantiles are equally frequent only with their outer ends open.
* Cells that the reference hardly knows (outside, rare levels, missing) are *rare cells*: each has an exact test.
"""

from dataclasses import dataclass

import numpy as np

from moorage_runtime.drift.reference.binning import (
    CategoricalColumn,
    Counts,
    Floats,
    NumericColumn,
    ReferenceColumn,
)

MIN_EXPECTED = 5.0
"""Rows expected in a window for a cell of its own. A level's count in the reference is taken two standard deviations
lower, since levels that are frequent there by chance are not so elsewhere."""
MIN_REFERENCE = 5
"""Rows of the reference in a cell of Pearson's test."""
MAX_REFERENCE = 50
"""So many are asked of a bin where windows are larger than the reference: the bins were made from the rows counted in
them, and with few rows a bin's true share strays further from theirs than the test allows for."""


@dataclass(frozen=True)
class Grouping:
    """Of one column: cells to groups, groups to Pearson's cells."""

    group: list[int]
    """Group of each cell; shape (cells,)."""
    reference: Floats
    """Rows of the reference in each group; shape (groups,)."""
    pearson: list[int]
    """Pearson's cell of each group, -1: none; shape (groups,)."""
    rare: list[int]
    """Groups with an exact test."""
    missing: int
    """The group of missing values."""


def grouping(column: ReferenceColumn, rows: int) -> Grouping:
    """For windows of `rows` rows."""
    if isinstance(column, NumericColumn):
        return _of_numbers(column, rows)
    return _of_levels(column, rows)


def _of_numbers(column: NumericColumn, rows: int) -> Grouping:
    counts = column.counts
    scale = rows / max(1, counts.sum())
    least = max(
        min(MAX_REFERENCE, 2 * MIN_REFERENCE * scale),
        MIN_REFERENCE,
        MIN_EXPECTED / scale if scale else np.inf,
    )
    enough = counts >= least
    group = [0]
    gathered = 0
    for count in counts[1:-2].tolist():
        starts = gathered == 0
        group.append(group[-1] + starts)
        gathered += count
        if gathered >= least:
            gathered = 0
    last = group[-1]
    if gathered and last > 1:  # what is left over joins the bins before it
        group = [min(number, last - 1) for number in group]
        last -= 1
    over, missing = last + 1, last + 2
    group += [over, missing]
    outside = {0: bool(enough[0]), over: bool(enough[-2])}
    pearson = list(range(missing + 1))
    if last:
        pearson[0] = 0 if outside[0] else 1
        pearson[over] = over if outside[over] else last
    else:
        pearson[0] = 0 if outside[0] else -1
        pearson[over] = over if outside[over] else -1
    if not enough[-1]:
        pearson[missing] = -1
    rare = [number for number, own in outside.items() if not own] + ([] if enough[-1] else [missing])
    return Grouping(group, _sums(counts, group), pearson, rare, missing)


def _of_levels(column: CategoricalColumn, rows: int) -> Grouping:
    chosen_on, counted_on = column.halves
    scale = rows / max(1, chosen_on.sum())
    surely = np.maximum(chosen_on - 2 * np.sqrt(chosen_on), 0)
    least = max(MIN_REFERENCE, MIN_EXPECTED / scale) if scale else np.inf
    levels = column.cells - 2
    own = np.flatnonzero(surely[:levels] >= least)
    group = np.full(column.cells, -1)
    group[own] = np.arange(len(own))
    other = len(own)
    gathered, members = 0.0, list[int]()
    scarce = np.flatnonzero((group[:levels] < 0) & (surely[:levels] > 0)).tolist()
    for cell in sorted(scarce, key=column.levels.__getitem__):
        members.append(cell)
        gathered += surely[cell]
        if gathered >= least:
            group[members] = other
            other, gathered, members = other + 1, 0.0, []
    missing = other + 1
    group[group < 0] = other
    group[-1] = missing
    everything = column.complete and len(own) == levels
    in_other = chosen_on[group == other].sum()
    pearson = list(range(missing + 1))
    rare = []
    if in_other - 2 * np.sqrt(in_other) < least:
        rare.append(other)
        pearson[other] = -1
    if surely[-1] < least:
        rare.append(missing)
        pearson[missing] = -1
    cells = group.tolist()
    return Grouping(cells, _sums(column.counts if everything else counted_on, cells), pearson, rare, missing)


def _sums(counts: Counts, group: list[int]) -> Floats:
    return np.bincount(group, weights=counts, minlength=max(group) + 1).astype(np.float64)
