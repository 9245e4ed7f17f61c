"""Geometry of the report's figures, in the coordinates of their SVG; the template only draws it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moorage_runtime.live_test.metrics import Confusion

WIDTH, HEIGHT = 640.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 28.0, 40.0
BINS = 36
CLASSES_DRAWN = 16
POINTS_DRAWN = 2000


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick or a marker line: position and text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the histogram."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """Latencies on a logarithmic axis, for they spread over decades."""

    bars: list[Bar]
    x_ticks: list[Mark]
    y_ticks: list[Mark]
    lines: list[Mark]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the confusion matrix; `share` of the row's records, 0 to 1."""

    column: int
    count: int
    share: float
    right: bool
    title: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """The confusion matrix; `left_out` classes are too many to draw."""

    names: list[str]
    rows: list[list[Cell]]
    left_out: int


@dataclass(frozen=True, slots=True)
class Residuals:
    """Residual (prediction minus label) over label."""

    points: list[tuple[float, float]]
    x_ticks: list[Mark]
    y_ticks: list[Mark]
    zero: float
    left_out: int


def histogram(milliseconds: Sequence[float]) -> Histogram | None:
    """Bars of equal width in log10(ms), with the 50th, 95th and 99th percentile marked."""
    values = np.maximum(np.array(milliseconds, np.float64), 1e-3)
    if not len(values):
        return None
    low, high = float(values.min()) / 1.1, float(values.max()) * 1.1
    edges = np.geomspace(low, high, BINS + 1)
    counts, _ = np.histogram(values, edges)
    x = _axis(math.log10(low), math.log10(high), LEFT, WIDTH - RIGHT)
    top = int(counts.max())
    y = _axis(0, top, HEIGHT - BOTTOM, TOP)
    step = (WIDTH - LEFT - RIGHT) / BINS
    bars = [
        Bar(
            LEFT + index * step + 1,
            y(count),
            step - 2,
            y(0) - y(count),
            f"{edges[index]:.3g} to {edges[index + 1]:.3g} ms: {count} requests",
        )
        for index, count in enumerate(counts.tolist())
        if count
    ]
    lines = [
        Mark(x(math.log10(figure)), f"p{level} {figure:.3g} ms")
        for level, figure in zip((50, 95, 99), np.percentile(values, (50, 95, 99)).tolist(), strict=True)
    ]
    y_ticks = [Mark(y(value), f"{value:g}") for value in nice(0, top) if value == int(value)]
    return Histogram(bars, [Mark(x(math.log10(v)), f"{v:g}") for v in decades(low, high)], y_ticks, lines)


def matrix(confusion: Confusion) -> Matrix:
    """The classes with most records, at most CLASSES_DRAWN of them, in their order."""
    weight = confusion.counts.sum(0) + confusion.counts.sum(1)
    kept = np.sort(np.argsort(-weight, kind="stable")[:CLASSES_DRAWN])
    names = [confusion.names[index] for index in kept]
    counts: NDArray[np.int64] = confusion.counts[np.ix_(kept, kept)]
    totals = np.maximum(confusion.counts.sum(1)[kept], 1)
    rows = [
        [
            Cell(j, count, count / total, i == j, f"label {names[i]}, predicted {names[j]}: {count}")
            for j, count in enumerate(row)
        ]
        for i, (row, total) in enumerate(zip(counts.tolist(), totals.tolist(), strict=True))
    ]
    return Matrix(names, rows, len(confusion.names) - len(names))


def residuals(truth: NDArray[np.float64], found: NDArray[np.float64]) -> Residuals:
    """At most POINTS_DRAWN points, spread evenly over the run."""
    kept = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), POINTS_DRAWN)).astype(int))
    error = found - truth
    reach = float(np.abs(error).max()) or 1.0
    low, high = float(truth.min()), float(truth.max())
    if low == high:
        low, high = low - 1, high + 1
    x, y = _axis(low, high, LEFT + 8, WIDTH - RIGHT - 8), _axis(-reach, reach, HEIGHT - BOTTOM - 6, TOP + 6)
    return Residuals(
        points=[(x(float(truth[index])), y(float(error[index]))) for index in kept],
        x_ticks=[Mark(x(value), f"{value:g}") for value in nice(low, high)],
        y_ticks=[Mark(y(value), f"{value:g}") for value in nice(-reach, reach)],
        zero=y(0),
        left_out=len(truth) - len(kept),
    )


def nice(low: float, high: float, about: int = 5) -> list[float]:
    """Round values in [low, high], roughly `about` of them, 1, 2 or 5 times a power of ten apart."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= about)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) + 0.0 for index in range(first, math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten in [low, high]; only the powers where those are many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    inside = [value for value in found if low <= value <= high]
    if len(inside) > 9:
        return [value for value in inside if math.log10(value).is_integer()]
    return inside or [low, high]


class _axis:  # noqa: N801 - used as a function
    """Maps [low, high] onto [start, end]."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = low, start
        self._scale = (end - start) / ((high - low) or 1.0)

    def __call__(self, value: float) -> float:
        return round(self._start + (value - self._low) * self._scale, 2)
