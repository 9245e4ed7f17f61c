"""A window against the reference: per column a p-value, an effect and the configured statistics."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moorage_runtime.config import DriftConfig
from moorage_runtime.drift.judging import statistics
from moorage_runtime.drift.judging.layout import Layout
from moorage_runtime.drift.reference.pane import Pane
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.types import Role

MIN_ROWS = 30
"""A window with fewer says nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One column of one window."""

    name: str
    role: Role
    rows: int
    """Of the window."""
    enough: bool
    """False: too few rows to say anything; p is 1 and the state stays what it was."""
    p_value: float
    effect: float
    """Total variation distance."""
    significant: bool
    """After Benjamini-Hochberg over the window's columns."""
    statistics: Mapping[str, float]
    """The configured ones, `missing_ratio`, and `unseen_ratio`: values outside of the reference's range, or levels that
    it had not. A column with more levels than are kept has no `unseen_ratio`."""


def judge(reference: Reference, pane: Pane, config: DriftConfig) -> tuple[Judged, ...]:
    """All columns of the reference that the config watches, in the reference's order.

    Statistics and effect are of the same groups of cells as the test; they depend on the reference and on the
    window's number of rows alone.
    """
    watched = tuple(
        index
        for index, column in enumerate(reference.columns)
        if (config.data_drift if column.role == "feature" else config.prediction_drift)
    )
    if not watched:
        return ()
    layout, rows = _layout(reference, watched, pane.rows), pane.rows
    current = layout.grouped(pane.counts)
    shares = statistics.shares(current)
    enough = rows >= MIN_ROWS
    p_values = layout.p_values(current, rows) if enough else np.ones(len(watched))
    significant = statistics.benjamini_hochberg(p_values, config.decision.false_discovery_rate)
    values = layout.statistics(shares, rows, config.statistics) | layout.ratios(pane.counts, rows)
    names = list(values)
    return tuple(
        Judged(
            reference.columns[index].name,
            reference.columns[index].role,
            rows,
            enough,
            p_value,
            effect,
            enough and found,
            {name: value for name, value in zip(names, told, strict=True) if value == value},  # noqa: PLR0124 - NaN
        )
        for index, p_value, effect, found, told in zip(
            watched,
            p_values.tolist(),
            statistics.tvd(shares, layout.shares).tolist(),
            significant.tolist(),
            np.stack(list(values.values()), axis=1).tolist(),
            strict=True,
        )
    )


@lru_cache(maxsize=32)
def _layout(reference: Reference, watched: tuple[int, ...], rows: int) -> Layout:
    return Layout.of(
        [reference.columns[index] for index in watched], [reference.starts[index] for index in watched], rows
    )
