"""`/metrics` of a drift worker: what it last published, read when somebody scrapes.

What is also a series of the sinks (`sinks.points`) has the same name and labels here.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from moorage_runtime.config import DriftState, DriftStatus
from moorage_runtime.drift.types import ConceptResult, WindowResult

STATES = {DriftState.NONE: 0.0, DriftState.POSSIBLE: 1.0, DriftState.DETECTED: 2.0}


@dataclass(frozen=True, slots=True)
class View:
    """A moment of the worker. Never changed once published, so that any thread may read it."""

    status: DriftStatus
    last: WindowResult | None = None
    concept: ConceptResult | None = None
    checkpoint_age: Callable[[], float | None] = field(default=lambda: None)
    """Seconds since what is known was durable; None before the first checkpoint."""
    checkpoint_bytes: int = 0


class DriftMetrics(Collector):
    """Makes the metrics of the view that `view` gives."""

    def __init__(self, view: Callable[[], View]) -> None:
        self._view = view

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is depends on the view."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics of the moment."""
        view = self._view()
        yield from _work(view.status)
        yield from _drift(view)
        yield from _sinks(view.status)
        age = view.checkpoint_age()
        if age is not None:
            text = "Seconds since all that was read was in the checkpoint"
            yield GaugeMetricFamily("moorage_drift_checkpoint_age_seconds", text, age)
            yield GaugeMetricFamily(
                "moorage_drift_checkpoint_bytes", "Size of the manifest", view.checkpoint_bytes
            )


def _work(status: DriftStatus) -> Iterator[Metric]:
    yield GaugeMetricFamily("moorage_drift_ready", "Whether events are consumed", float(status.ready))
    yield CounterMetricFamily(
        "moorage_drift_rows", "Rows judged, since the checkpoint was begun", status.rows
    )
    yield CounterMetricFamily(
        "moorage_drift_windows", "Windows judged, since the checkpoint was begun", status.windows
    )
    skipped = CounterMetricFamily("moorage_drift_skipped", "What was not used, by reason", labels=["reason"])
    for reason, count in status.skipped.items():
        skipped.add_metric([reason], count)
    yield skipped
    if status.lag is not None:
        yield GaugeMetricFamily("moorage_drift_lag", "Messages (of a folder: bytes) left to read", status.lag)


def _drift(view: View) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "moorage_drift_state",
        "0 none, 1 possible, 2 detected; absent before the first window",
        labels=["aspect"],
    )
    aspects = (
        ("data", view.status.data),
        ("prediction", view.status.prediction),
        ("concept", view.status.concept),
    )
    for name, aspect in aspects:
        if aspect is not None and aspect.state in STATES:
            state.add_metric([name], STATES[aspect.state])
    yield state
    if view.last is not None:
        yield from _window(view.last)
    if view.concept is not None:
        labels = ["partition", "detector"]
        value = GaugeMetricFamily("moorage_concept_detector_value", "What a detector watches", labels=labels)
        zone = GaugeMetricFamily(
            "moorage_concept_detector_state", "0 none, 1 possible, 2 detected", labels=labels
        )
        for name, one in view.concept.states.items():
            value.add_metric([view.concept.partition, name], view.concept.values.get(name, math.nan))
            zone.add_metric([view.concept.partition, name], STATES.get(one, math.nan))
        rate = GaugeMetricFamily(
            "moorage_concept_error_rate", "Mean error of the last labels", labels=["partition"]
        )
        rate.add_metric([view.concept.partition], view.concept.error_rate)
        labelled = GaugeMetricFamily(
            "moorage_concept_labelled", "Predictions with a label so far", labels=["partition"]
        )
        labelled.add_metric([view.concept.partition], view.concept.labelled)
        yield from (value, zone, rate, labelled)


def _window(result: WindowResult) -> Iterator[Metric]:
    names = ["feature", "role"]
    value = GaugeMetricFamily(
        "moorage_drift_statistic",
        "Distance from the reference in the last window",
        labels=[*names, "statistic"],
    )
    p_value = GaugeMetricFamily(
        "moorage_drift_p_value", "Of the last window, two-sample Pearson", labels=names
    )
    effect = GaugeMetricFamily(
        "moorage_drift_effect", "Total variation distance in the last window", labels=names
    )
    state = GaugeMetricFamily("moorage_drift_feature_state", "0 none, 1 possible, 2 detected", labels=names)
    for score in result.scores:
        for statistic, number in score.statistics.items():
            value.add_metric([score.name, score.role, statistic], number)
        p_value.add_metric([score.name, score.role], score.p_value)
        effect.add_metric([score.name, score.role], score.effect)
        state.add_metric([score.name, score.role], STATES.get(score.state, math.nan))
    yield from (value, p_value, effect, state)
    window = result.window
    yield GaugeMetricFamily("moorage_drift_window_rows", "Rows of the last window", window.rows)
    yield GaugeMetricFamily(
        "moorage_drift_window_end_seconds", "End of the last window, event time", window.end / 1e6
    )
    if result.general_drift is not None:
        yield GaugeMetricFamily("moorage_drift_general", "MLRun's general_drift", result.general_drift)
    if result.general_status is not None:
        yield GaugeMetricFamily(
            "moorage_drift_general_status", "MLRun's: 0 none, 1 possible, 2 detected", result.general_status
        )
    means = GaugeMetricFamily(
        "moorage_drift_general_mean", "MLRun's means over the features", labels=["mean"]
    )
    for name, number in result.mlrun.items():
        means.add_metric([name], number)
    if result.mlrun:
        yield means


def _sinks(status: DriftStatus) -> Iterator[Metric]:
    delivered = CounterMetricFamily(
        "moorage_drift_sink_delivered", "Delivered since the start", labels=["sink"]
    )
    dropped = CounterMetricFamily("moorage_drift_sink_dropped", "Dropped since the start", labels=["sink"])
    pending = GaugeMetricFamily("moorage_drift_sink_pending", "Waiting for delivery", labels=["sink"])
    for sink in status.sinks:
        delivered.add_metric([sink.name], sink.delivered)
        dropped.add_metric([sink.name], sink.dropped)
        pending.add_metric([sink.name], sink.pending)
    yield from (delivered, dropped, pending)


def registry(view: Callable[[], View]) -> CollectorRegistry:
    """A registry that shows what `view` gives at the time of a scrape."""
    found = CollectorRegistry(auto_describe=False)
    found.register(DriftMetrics(view))
    return found
