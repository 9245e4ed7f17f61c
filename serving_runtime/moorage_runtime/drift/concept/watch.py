"""Concept drift: labels are joined to the predictions that waited for them, and detectors watch the errors.

A change stays detected until the errors are back at the level before it: nobody would see one that passed by
between two looks, and a model that keeps being wrong has not recovered.

The order of the errors is that of the labels in their partition, and each partition of labels has detectors of its
own: so the result does not depend on how events and labels happened to be read past each other. A label is joined
only once the events of its time have been read.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import fmean, median, pstdev
from typing import Any

from moorage_runtime.config import ConceptDriftConfig, DriftState, TensorConfig
from moorage_runtime.drift.concept.detectors import Detector, Zone, make
from moorage_runtime.drift.concept.labels import Label, Value, Waiting, read
from moorage_runtime.drift.types import Block, ConceptResult
from moorage_runtime.streams.base import Chunk

RESULT_EVERY = 50
"""Labelled predictions of a partition between two results; a change ends one early."""
RECENT = 10
"""Results over which errors must be back at their old level before a detected change is forgotten."""
KEPT = 40
"""Results whose error rates are kept, to know the level before a change."""
MOST_HELD = 20_000
"""Labels that are held back, until the events of their time have been read."""


@dataclass(slots=True)
class _Partition:
    """Detectors of one partition of labels, and the result that is being gathered."""

    detectors: dict[str, Detector]
    labelled: int = 0
    gathered: int = 0
    error_sum: float = 0.0
    timestamp: int = 0
    rates: list[float] = field(default_factory=list)
    """Error rates of the last results, the newest last."""
    before: dict[str, float] = field(default_factory=dict)
    """Detector that has found a change to the error rate before it."""
    since: dict[str, int] = field(default_factory=dict)
    """And to the results since then."""

    def change(self, name: str) -> None:
        """A detector has found a change: remember the level before the first of its changes."""
        if name not in self.before:
            self.before[name] = median(self.rates) if self.rates else self.error_sum / self.gathered
        self.since[name] = 0

    def settle(self, rate: float) -> None:
        """Take a result's error rate; forget changes after which errors are back at their old level."""
        self.rates = [*self.rates[1 - KEPT :], rate]
        recent = self.rates[-RECENT:]
        for name in list(self.before):
            self.since[name] += 1
            tolerance = max(0.1 * self.before[name], 2 * pstdev(recent) / math.sqrt(len(recent)))
            if self.since[name] > RECENT and abs(fmean(recent) - self.before[name]) <= tolerance:
                del self.before[name], self.since[name]


class Concept:
    """The join and the detectors; counts what could not be used in `skipped`."""

    def __init__(self, config: ConceptDriftConfig, outputs: list[TensorConfig] | None = None) -> None:
        """`outputs` are declared types: numbers with a fraction mean a regression. Raises ParameterError."""
        self.skipped: Counter[str] = Counter()
        self._config = config
        self._waiting = Waiting()
        self._held: dict[str, deque[Label]] = {}
        self._partitions: dict[str, _Partition] = {}
        self._classes = None if not outputs else not outputs[0].type.startswith("float")
        self._detectors()  # a wrong parameter is an error at once

    def _detectors(self) -> dict[str, Detector]:
        return {each.name: make(each.type, each.parameters) for each in self._config.detectors}

    @property
    def full(self) -> bool:
        """Whether labels should not be read now: too many wait for events."""
        return sum(map(len, self._held.values())) >= MOST_HELD

    @property
    def waiting(self) -> int:
        """Predictions without a label."""
        return len(self._waiting)

    def predictions(self, block: Block) -> None:
        """Let the first of the predictions of each row wait for its label."""
        if not block.predictions:
            return
        column = next(iter(block.predictions.values()))
        keys = [
            f"{name}/{row}"
            for name, first, count in zip(
                block.request_ids, block.first_rows.tolist(), block.counts.tolist(), strict=True
            )
            for row in range(first, first + count)
        ]
        given_up = self._waiting.add(keys, block.times.tolist(), column.tolist())
        if given_up:
            self.skipped["prediction_evicted"] += given_up

    def labels(self, chunk: Chunk) -> None:
        """Take labels, to be joined by `advance`."""
        for label in read(chunk, self._config.labels, self.skipped):
            self._held.setdefault(label.partition, deque()).append(label)

    def advance(self, watermarks: Mapping[str, int], caught_up: bool) -> list[ConceptResult]:
        """Join the labels whose events have been read: of a time that every partition of events has reached
        (`watermarks`, µs), or all where every event there is has been read (`caught_up`).
        """
        reached = min(watermarks.values(), default=0)
        results = []
        for held in self._held.values():
            while held and (caught_up or (held[0].time is not None and held[0].time <= reached)):
                result = self._join(held.popleft())
                if result is not None:
                    results.append(result)
        expired = self._waiting.expire(reached - self._config.labels.ttl_seconds * 1_000_000)
        if expired:
            self.skipped["prediction_unlabelled"] += expired
        return results

    def _join(self, label: Label) -> ConceptResult | None:
        found = self._waiting.take(label.key)
        if found is None:
            self.skipped["label_unmatched"] += 1
            return None
        time, predicted = found
        if label.time is not None and label.time - time > self._config.labels.ttl_seconds * 1_000_000:
            self.skipped["label_late"] += 1
            return None
        error = self._error(predicted, label.value)
        if error is None:
            self.skipped["label_malformed"] += 1
            return None
        part = self._partitions.get(label.partition)
        if part is None:
            part = self._partitions[label.partition] = _Partition(self._detectors())
        return self._take(part, label, time, error)

    def _error(self, predicted: Value, true: Value) -> float | None:
        """0 or 1 for classes, the absolute difference for numbers; None where the two cannot be compared."""
        if self._classes is None:
            self._classes = isinstance(predicted, str) or float(predicted or 0).is_integer()
        if self._classes:
            return float(_class(predicted) != _class(true))
        if isinstance(predicted, float) and isinstance(true, float) and not math.isnan(predicted):
            return abs(predicted - true)
        return None

    def _take(self, part: _Partition, label: Label, time: int, error: float) -> ConceptResult | None:
        part.labelled += 1
        part.gathered += 1
        part.error_sum += error
        changes = []
        for name, detector in part.detectors.items():
            if detector.add(error) is Zone.CHANGE:
                part.change(name)
                changes.append(name)
        if part.gathered < RESULT_EVERY and not changes:
            return None
        part.timestamp = max(time // 1000, part.timestamp + 1)
        rate = part.error_sum / part.gathered
        part.gathered, part.error_sum = 0, 0.0
        part.settle(rate)
        return ConceptResult(
            partition=label.partition,
            offset=label.offset,
            time=time,
            timestamp=part.timestamp,
            labelled=part.labelled,
            error_rate=rate,
            states={name: _state(part, name) for name in part.detectors},
            values={name: detector.value for name, detector in part.detectors.items()},
            changes=tuple(changes),
        )

    def snapshot(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """(state, new blobs by name); the state lists all blobs that it needs under `blobs`."""
        waiting, blobs = self._waiting.snapshot()
        state = {
            "blobs": [segment["blob"] for segment in waiting["segments"]],
            "waiting": waiting,
            "held": [asdict(label) for held in self._held.values() for label in held],
            "classes": self._classes,
            "partitions": {
                name: {
                    "detectors": {one: detector.state() for one, detector in part.detectors.items()},
                    "labelled": part.labelled,
                    "gathered": part.gathered,
                    "error_sum": part.error_sum,
                    "timestamp": part.timestamp,
                    "rates": part.rates,
                    "before": part.before,
                    "since": part.since,
                }
                for name, part in self._partitions.items()
            },
            "skipped": dict(self.skipped),
        }
        return state, blobs

    def restore(self, state: dict[str, Any], load: Callable[[str], bytes]) -> None:
        """Go on from a snapshot. A detector whose parameters were changed since begins anew."""
        self._waiting.restore(state["waiting"], load)
        self._classes = state["classes"]
        self.skipped.update(state["skipped"])
        for fields in state["held"]:
            label = Label(**fields)
            self._held.setdefault(label.partition, deque()).append(label)
        for name, fields in state["partitions"].items():
            detectors = self._detectors()
            for one, detector in detectors.items():
                before = fields["detectors"].get(one)
                if before is not None and _same_parameters(detector, before):
                    detector.restore(before)
            self._partitions[name] = _Partition(**{**fields, "detectors": detectors})


def _same_parameters(detector: Detector, state: Mapping[str, Any]) -> bool:
    fresh = detector.state()
    return set(fresh) == set(state) and all(
        fresh[name] == state[name] for name in fresh if not name.startswith("_") and name != "zone"
    )


def _state(part: _Partition, name: str) -> DriftState:
    if name in part.before:
        return DriftState.DETECTED
    return DriftState.POSSIBLE if part.detectors[name].zone is Zone.WARNING else DriftState.NONE


def _class(value: Value) -> str:
    """A class by its name: 1, 1.0 and "1" are the same."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
