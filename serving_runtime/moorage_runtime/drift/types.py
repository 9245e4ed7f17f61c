"""What passes between the parts of a drift worker. Plain data; every later part is a function of it.

Everything that a worker puts out is determined by the stream, the reference and the config: no processing time and no
name of a worker enters, so that reading the same rows again gives the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moorage_runtime.config import DriftState

Column = NDArray[Any]
"""float64 with NaN for missing (numeric), or object of str with None for missing (categorical); shape (rows,)."""
Role = Literal["feature", "prediction"]


@dataclass(frozen=True, slots=True)
class Run:
    """Rows one after the other whose messages had the same columns."""

    rows: int
    features: frozenset[str]
    predictions: frozenset[str]


@dataclass(slots=True)
class Block:
    """Rows of consecutive messages of one partition, by column. Shapes are (rows,) unless said otherwise."""

    partition: str
    first_offset: int
    """Of the first message."""
    next_offset: int
    """After the last message."""
    offsets: NDArray[np.int64]
    """Offset of each row's message."""
    times: NDArray[np.int64]
    """Event time, µs since the epoch."""
    request_ids: list[str]
    """Shape (requests,)."""
    counts: NDArray[np.int64]
    """Rows of each request here, shape (requests,)."""
    first_rows: NDArray[np.int64]
    """Index of the first of these rows within its request, shape (requests,)."""
    latencies: NDArray[np.int64]
    """µs, shape (requests,)."""
    features: dict[str, Column]
    predictions: dict[str, Column]
    versions: list[str | None] = field(default_factory=list)
    """Version of the model, shape (requests,)."""
    runs: tuple["Run", ...] = ()
    """The rows by the columns that their messages had, in order; empty where all had all."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows were judged together."""

    partition: str | None
    """None for a window of time, which is over all partitions."""
    index: int
    """Counts a partition's windows (of rows), or is start / length (of time)."""
    start: int
    """Event time of the first row, or the window's begin; µs since the epoch."""
    end: int
    """Event time of the last row, or the window's end; µs."""
    rows: int
    timestamp: int
    """ms since the epoch: the end's, made greater than that of the partition's window before it. The time of its
    points in a series."""
    first_offset: int = -1
    last_offset: int = -1
    """Of windows of rows: of the first and the last row's message."""


@dataclass(frozen=True, slots=True)
class Score:
    """One feature or prediction in one window against the reference."""

    name: str
    role: Role
    rows: int
    """Of the window."""
    p_value: float
    """Two-sample Pearson test; 1 where there are too few rows."""
    significant: bool
    """After Benjamini-Hochberg over the window."""
    effect: float
    """Total variation distance."""
    state: DriftState
    statistics: Mapping[str, float]
    """psi, tvd, hellinger, js, kl, ks as far as configured, and `missing_ratio`, `unseen_ratio`."""


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What is said of one window."""

    window: Window
    scores: tuple[Score, ...]
    data: DriftState
    """Worst of the features."""
    prediction: DriftState
    """Worst of the predictions; UNKNOWN where they are not watched."""
    general_drift: float | None = None
    """MLRun's, where it is configured; likewise its status 0, 1 or 2 and its means."""
    general_status: int | None = None
    mlrun: Mapping[str, float] = field(default_factory=dict)
    """hellinger_mean, kld_mean, tvd_mean."""


@dataclass(frozen=True, slots=True)
class ConceptResult:
    """What the detectors say after a block of labelled predictions (not after each)."""

    partition: str
    """Of the labels."""
    offset: int
    """Of the last label in it."""
    time: int
    """Event time of its last prediction, µs since the epoch."""
    timestamp: int
    """ms since the epoch; greater than that of the partition's result before it."""
    labelled: int
    """Predictions with a label, so far."""
    error_rate: float
    """Mean error of those in this result: share of wrong answers, or mean absolute error of numbers."""
    states: Mapping[str, DriftState]
    """Detector to None, Possible (its warning zone) or Detected; a detection stays so until errors are back at the old level."""
    values: Mapping[str, float]
    """Detector to what it watches (p+s, its ratio, its sum, its width)."""
    changes: tuple[str, ...] = ()
    """Detectors that found a change within it."""


Result = WindowResult | ConceptResult


@dataclass(frozen=True, slots=True)
class Change:
    """Data, prediction or concept drift went from one state to another: what an alert tells."""

    aspect: Literal["data", "prediction", "concept"]
    before: DriftState
    after: DriftState
    partition: str | None
    index: int
    """Of the window, or how many labels there were: with aspect and partition it names the change for ever."""
    time: int
    """End of the window, µs since the epoch."""
    names: tuple[str, ...]
    """Features, predictions or detectors at fault, the worst first."""
