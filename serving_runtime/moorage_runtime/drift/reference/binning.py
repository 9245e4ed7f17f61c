"""A column of the reference as cells: the few counts that everything later is computed from.

Cells are fixed by the reference alone, so that counts of any rows can be added: [under, b1..bk, over, missing] of
numbers, [level 1..L, other, missing] of categories.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, repeat
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from moorage_runtime.drift.types import Column, Role

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

BINS = 20
ROWS_PER_BIN = 5
MAX_LEVELS = 200
MAX_LEVEL_BYTES = 12_000
FEW_VALUES = 20


@dataclass(frozen=True, eq=False)
class MlrunHistogram:
    """What MLRun keeps of a numeric column: 20 bins of equal width and the number of values."""

    edges: Floats
    """Shape (21,)."""
    counts: Counts
    """Shape (20,)."""
    count: int

    @cached_property
    def cell_edges(self) -> Floats:
        """Greatest value of each cell: minus infinity, MLRun's 22 bins [low, high), infinity; shape (24,).

        The 22 are the 20 and one to either side of them. The reference's greatest value belongs to the 20th bin in
        the reference, which numpy closes, but to the 22nd in a window: so it is in MLRun.
        """
        greatest = np.finfo(np.float64).max
        return np.concatenate(([-np.inf], _below(self.edges), [greatest, np.inf]))

    @classmethod
    def of(cls, values: Floats) -> Self | None:
        """Of a column without NaN; None where numpy cannot divide its range."""
        finite = values[np.isfinite(values)]
        if not len(finite):
            return None
        try:
            with np.errstate(over="raise"):
                counts, edges = np.histogram(finite, bins=BINS)
        except (FloatingPointError, ValueError):
            return None
        return cls(edges, counts.astype(np.int64), len(values))


@dataclass(frozen=True, eq=False)
class NumericColumn:
    """Equal-frequency bins (low, high], the first with its lower end."""

    name: str
    role: Role
    bounds: Floats
    """Least value, then the upper end of each bin; shape (bins + 1,), or (0,) where the reference has no number."""
    counts: Counts
    """Of [under, bins…, over, missing]; shape (bins + 3,)."""
    mlrun: MlrunHistogram | None = None

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.counts)

    @cached_property
    def edges(self) -> Floats:
        """Greatest value of each cell but `missing`; shape (cells - 1,). A value's cell is the first edge >= it."""
        if not len(self.bounds):
            return np.array([-np.inf, np.inf])
        return np.concatenate((_below(self.bounds[:1]), self.bounds[1:], [np.inf]))

    @classmethod
    def of(cls, name: str, role: Role, values: Floats, *, mlrun: bool) -> Self:
        """From float64 of shape (rows,); NaN is missing, infinities are outside of every bin."""
        present = np.sort(values[~np.isnan(values)])
        finite = present[np.isfinite(present)]
        bounds = np.empty(0)
        if len(finite):
            bins = max(1, min(BINS, len(finite) // ROWS_PER_BIN))
            last = -(-np.arange(1, bins + 1) * len(finite) // bins) - 1
            bounds = np.concatenate((finite[:1], np.unique(finite[last])))
        column = cls(name, role, bounds, np.empty(0, np.int64), MlrunHistogram.of(present) if mlrun else None)
        upto = present.searchsorted(column.edges, "right")
        return cls(name, role, bounds, np.diff(upto, prepend=0, append=len(values)), column.mlrun)

    def labels(self) -> list[str]:
        """A name per cell, for people."""
        if not len(self.bounds):
            return ["(under)", "(over)", "(missing)"]
        text = [f"{bound:.4g}" for bound in self.bounds.tolist()]
        bins = [f"{low} to {high}" if low != high else low for low, high in pairwise(text)]
        return [f"< {text[0]}", *bins, f"> {text[-1]}", "(missing)"]


@dataclass(frozen=True, eq=False)
class CategoricalColumn:
    """Levels as text. Which of them are frequent is decided on one half of the reference's rows, counted on the other.

    Levels chosen because they are frequent in the very rows that they are then counted in are less frequent in every
    other rows: with thousands of levels, a test on them would reject always.
    """

    name: str
    role: Role
    levels: tuple[str, ...]
    complete: bool
    """Whether these are all levels of the reference. If not, known ones beyond them are counted as other, too."""
    halves: Counts
    """Of [levels…, other, missing] in a random half of the rows and in the other; shape (2, levels + 2). Every second
    row would not do: references come in all kinds of order."""
    mlrun: MlrunHistogram | None = None

    @property
    def cells(self) -> int:
        """Number of cells."""
        return int(self.halves.shape[1])

    @property
    def counts(self) -> Counts:
        """Of all rows; shape (cells,)."""
        return np.asarray(self.halves.sum(axis=0))

    @cached_property
    def lookup(self) -> dict[str | None, int]:
        """Cell of a level; of None, the cell of missing."""
        return {**{level: cell for cell, level in enumerate(self.levels)}, None: self.cells - 1}

    @cached_property
    def _numbers(self) -> tuple[Floats, Counts]:
        """Levels that are numbers, ascending, and their cells; a last one that nothing equals."""
        found = sorted((float(level), cell) for cell, level in enumerate(self.levels) if _is_number(level))
        keys = np.array([value for value, _ in found] + [np.nan])
        return keys, np.array([cell for _, cell in found] + [self.cells - 2])

    def codes(self, column: Column) -> Counts:
        """Cells of a column of text (None: missing) or of float64 (NaN: missing); shape (rows,)."""
        other = self.cells - 2
        if column.dtype == object:
            return np.fromiter(
                map(self.lookup.get, column.tolist(), repeat(other)), np.int64, count=len(column)
            )
        keys, cells = self._numbers
        at = keys.searchsorted(column).clip(max=len(keys) - 1)
        codes = np.where(keys[at] == column, cells[at], other)
        codes[np.isnan(column)] = self.cells - 1
        return codes

    @classmethod
    def of(cls, name: str, role: Role, column: Column, *, mlrun: bool) -> Self:
        """From a column of text or of float64; keeps the most frequent levels, as far as they are few and short."""
        chosen_on = np.random.default_rng(0).random(len(column)) < 0.5
        halves = [_level_counts(column[chosen_on]), _level_counts(column[~chosen_on])]
        missing = [half.pop(None, 0) for half in halves]
        known = sorted(set(halves[0]) | set(halves[1]), key=lambda level: (-halves[0].get(level, 0), level))
        sizes = np.cumsum([len(orjson.dumps(level)) + 1 for level in known[:MAX_LEVELS]], dtype=np.int64)
        levels = tuple(known[: int(sizes.searchsorted(MAX_LEVEL_BYTES, "right"))])
        counts = [
            [*(kept := [half.get(level, 0) for level in levels]), sum(half.values()) - sum(kept), absent]
            for half, absent in zip(halves, missing, strict=True)
        ]
        histogram = None
        if mlrun and column.dtype != object:
            histogram = MlrunHistogram.of(column[~np.isnan(column)])
        return cls(name, role, levels, len(levels) == len(known), np.array(counts, np.int64), histogram)

    def labels(self) -> list[str]:
        """A name per cell, for people."""
        return [*self.levels, "(other)", "(missing)"]


ReferenceColumn = NumericColumn | CategoricalColumn


def is_categorical(column: Column) -> bool:
    """Text, or whole numbers of at most 20 values: those are codes or counts rather than measures."""
    if column.dtype == object:
        return True
    present = column[~np.isnan(column)]
    if not len(present) or not np.isfinite(present).all() or (present != np.floor(present)).any():
        return False
    return len(np.unique(present)) <= FEW_VALUES


def as_text(number: float) -> str:
    """The level that a number is: whole ones without a fraction, so that 3, 3.0 and "3" are the same."""
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _below(values: Floats) -> Floats:
    """The greatest numbers less than these."""
    with np.errstate(over="ignore"):
        return np.nextafter(values, -np.inf)


def _level_counts(column: Column) -> dict[Any, int]:
    if column.dtype != object:
        values, counts = np.unique(column, return_counts=True)
        return {
            None if value != value else as_text(value): count  # noqa: PLR0124 - NaN
            for value, count in zip(values.tolist(), counts.tolist(), strict=True)
        }
    found: dict[Any, int] = {}
    for value in column.tolist():
        found[value] = found.get(value, 0) + 1
    return found


def _is_number(level: str) -> bool:
    try:
        return as_text(float(level)) == level
    except ValueError:
        return False
