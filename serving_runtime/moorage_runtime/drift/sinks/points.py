"""What a result says as points of time series: pure, so that a result told again gives the same points.

Neither the time of processing nor a worker's name is in a label; the timestamp is the result's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from moorage_runtime.config import DriftConfig, DriftState
from moorage_runtime.drift.types import ConceptResult, Result, WindowResult

STATES = {DriftState.NONE: 0.0, DriftState.POSSIBLE: 1.0, DriftState.DETECTED: 2.0}
"""A state as a number; one that is unknown has no point."""


class Series(NamedTuple):
    """A metric and its labels, sorted by name; no label is empty."""

    metric: str
    labels: tuple[tuple[str, str], ...]


class Point(NamedTuple):
    """A value at `timestamp`, ms since the epoch; never NaN, possibly infinite."""

    series: Series
    value: float
    timestamp: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose results they are; on every series and in every alert."""

    namespace: str
    monitor: str
    model: str

    @classmethod
    def of(cls, config: DriftConfig) -> "Identity":
        """That of a monitor's config."""
        return cls(config.namespace, config.name, config.model)

    def series(self, metric: str, partition: str | None, *labels: tuple[str, str]) -> Series:
        """A series of this monitor."""
        return _series(self, metric, partition, labels)


@lru_cache(maxsize=100_000)
def _series(
    identity: Identity, metric: str, partition: str | None, labels: tuple[tuple[str, str], ...]
) -> Series:
    """Series come again with every window, so they are made once."""
    known = (
        ("namespace", identity.namespace),
        ("monitor", identity.monitor),
        ("model", identity.model),
        ("partition", partition or ""),
        *labels,
    )
    return Series(metric, tuple(sorted((name, value) for name, value in known if value)))


def points(identity: Identity, result: Result) -> list[Point]:
    """All points of a result, in a fixed order."""
    said = _window(identity, result) if isinstance(result, WindowResult) else _concept(identity, result)
    timestamp = result.window.timestamp if isinstance(result, WindowResult) else result.timestamp
    return [Point(series, value, timestamp) for series, value in said if _is_number(value)]


def count(result: Result) -> int:
    """How many points a result has, without making them."""
    if isinstance(result, ConceptResult):
        known = sum(state in STATES for state in result.states.values())
        return 1 + known + sum(map(_is_number, (result.error_rate, *result.values.values())))
    total = 1 + (result.data in STATES) + (result.prediction in STATES) + (result.general_status is not None)
    if result.general_drift is not None:
        total += _is_number(result.general_drift)
    total += sum(map(_is_number, result.mlrun.values()))
    for score in result.scores:
        values = (score.p_value, score.effect, *score.statistics.values())
        total += (score.state in STATES) + sum(map(_is_number, values))
    return total


def _is_number(value: float) -> bool:
    return value == value  # noqa: PLR0124 - only NaN differs from itself


def _window(identity: Identity, result: WindowResult) -> Iterator[tuple[Series, float]]:
    partition = result.window.partition
    yield identity.series("moorage_drift_window_rows", partition), float(result.window.rows)
    for aspect, state in (("data", result.data), ("prediction", result.prediction)):
        if state in STATES:
            yield identity.series("moorage_drift_state", partition, ("aspect", aspect)), STATES[state]
    if result.general_drift is not None:
        yield identity.series("moorage_drift_general", partition), result.general_drift
    if result.general_status is not None:
        yield identity.series("moorage_drift_general_status", partition), float(result.general_status)
    for name, value in result.mlrun.items():
        yield identity.series("moorage_drift_general_mean", partition, ("mean", name)), value
    for score in result.scores:
        whose = (("feature", score.name), ("role", score.role))
        yield identity.series("moorage_drift_p_value", partition, *whose), score.p_value
        yield identity.series("moorage_drift_effect", partition, *whose), score.effect
        if score.state in STATES:
            series = identity.series("moorage_drift_feature_state", partition, *whose)
            yield series, STATES[score.state]
        for name, value in score.statistics.items():
            yield identity.series("moorage_drift_statistic", partition, *whose, ("statistic", name)), value


def _concept(identity: Identity, result: ConceptResult) -> Iterator[tuple[Series, float]]:
    partition = result.partition
    yield identity.series("moorage_concept_error_rate", partition), result.error_rate
    yield identity.series("moorage_concept_labelled", partition), float(result.labelled)
    for detector, value in result.values.items():
        yield identity.series("moorage_concept_detector_value", partition, ("detector", detector)), value
    for detector, state in result.states.items():
        if state in STATES:
            series = identity.series("moorage_concept_detector_state", partition, ("detector", detector))
            yield series, STATES[state]
