"""Counts of some rows in the reference's cells.

Panes add up: counts of two sets of rows are the counts of their union, whoever counted them and in whichever order.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moorage_runtime.drift.reference.binning import Counts, Floats


@dataclass(frozen=True, slots=True)
class Codes:
    """A block's rows, ready for counting: any stretch of them is a pane."""

    times: NDArray[np.int64]
    """µs since the epoch, shape (rows,)."""
    numbers: list[Floats]
    """Values of the numeric columns, each of shape (rows,)."""
    categories: Counts
    """Index of the cell among the reference's, shape (categorical columns, rows)."""


@dataclass(frozen=True, slots=True)
class Pane:
    """Counts in all cells of all columns."""

    counts: Counts
    """Shape (cells of the reference,)."""
    rows: int
    first_time: int | None = None
    """Least and greatest event time, µs since the epoch; None without rows."""
    last_time: int | None = None

    def __add__(self, other: Self) -> Self:
        """The pane of both's rows."""
        firsts = [time for time in (self.first_time, other.first_time) if time is not None]
        lasts = [time for time in (self.last_time, other.last_time) if time is not None]
        return type(self)(
            self.counts + other.counts,
            self.rows + other.rows,
            min(firsts, default=None),
            max(lasts, default=None),
        )

    def snapshot(self) -> dict[str, Any]:
        """For a checkpoint; JSON."""
        return {
            "counts": self.counts.tolist(),
            "rows": self.rows,
            "first_time": self.first_time,
            "last_time": self.last_time,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Self:
        """From `snapshot`."""
        return cls(
            np.array(state["counts"], np.int64), state["rows"], state["first_time"], state["last_time"]
        )
