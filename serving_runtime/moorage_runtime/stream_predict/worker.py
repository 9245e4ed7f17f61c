"""The worker from its start to its end: models, input, the loop over batches, the drain."""

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from moorage_runtime.capture import Capture, open_capture
from moorage_runtime.config import StreamPredictConfig, StreamPredictStatus
from moorage_runtime.stream_predict.build import Plan
from moorage_runtime.stream_predict.delivery import Delivery, Input
from moorage_runtime.stream_predict.loading import Loading
from moorage_runtime.stream_predict.metrics import Metrics
from moorage_runtime.stream_predict.predictor import Predictor
from moorage_runtime.stream_predict.records import Batch, Partition, Predicted

FIRST = 1000
"""Records of the first batch, when nothing is known of the model's speed."""
MOST = 10_000
"""Records of a batch."""
BATCH_BYTES = 8 << 20
"""About how many bytes a batch has at most; the next one is smaller where records are large."""
BATCH_SECONDS = 1.0
"""About how long a batch takes at most; the next one is smaller where the model is slow."""
WAIT = 0.2
REFRESH_SECONDS = 30.0
PATIENCE = 10.0
"""Seconds for which partitions that leave, or the end of the process, wait for the batch in hand."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The status' numbers, as they were at `at` (seconds of the monotonic clock)."""

    at: float
    consumed: int = 0
    produced: int = 0
    dead_lettered: int = 0
    lag: int | None = None
    rate: float = 0.0


class Worker:
    """Predicts from `config.input` to `config.output` until it is told to stop; `run` is the main thread's."""

    def __init__(
        self, config: StreamPredictConfig, plan: Plan, stop: threading.Event, say: Callable[..., None]
    ) -> None:
        self._config = config
        self._stop = stop
        self._say = say
        self.metrics = Metrics()
        self._capture: Capture | None = open_capture(config.capture) if config.capture else None
        self._plan = plan
        self._delivery: Delivery = plan.delivery(self._source, self.metrics)
        self._input: Input | None = None
        self._figures = Figures(time.monotonic())
        self._most = FIRST
        self._loading = Loading(config, stop, say)

    def _source(self) -> Input:
        assert self._input is not None
        return self._input

    @property
    def unready(self) -> str | None:
        """Why the worker does not consume; None where it does."""
        if self._stop.is_set():
            return "the worker is shutting down"
        if self._loading.unready is not None:
            return self._loading.unready
        if self._delivery.error is not None:
            return self._delivery.error
        if self._input is None:
            return "the input is being opened"
        if self._input.error is not None:
            return self._input.error
        return None if self._input.joined else f"group {self._plan.group} is being joined"

    def status(self) -> StreamPredictStatus:
        """The status document."""
        figures, why = self._figures, self.unready
        failed = self._delivery.error or (self._input.error if self._input else None)
        return StreamPredictStatus(
            name=self._config.name,
            namespace=self._config.namespace,
            revision=self._config.revision,
            ready=why is None,
            error=why,
            reason="StreamFailed" if why is not None and why == failed else None,
            models=self._loading.statuses(),
            consumed=figures.consumed,
            produced=figures.produced,
            dead_lettered=figures.dead_lettered,
            lag=figures.lag,
            records_per_second=figures.rate,
            capture=self._capture.status() if self._capture else None,
        )

    def run(self) -> int:
        """Consume until told to stop, then drain; the exit code."""
        while not self._loading.done.wait(0.05):
            if self._stop.is_set():
                return self._end()
        _tune_collector()
        predictor = Predictor(self._loading.served, self.metrics, self._capture)
        while not self._delivery.prepare():
            if self._stop.wait(WAIT):
                return self._end()
        self._input = self._plan.input(self._leaving)
        self._say("consuming", input=self._config.input.uri, group=self._plan.group)
        was: str | None = None
        pending = False
        while not self._stop.is_set():
            pending = self._turn(predictor, pending=pending)
            self._refresh()
            if (now := self.unready) != was:
                was = now
                self._say("ready" if now is None else "not ready", error=now)
        return self._end()

    def _turn(self, predictor: Predictor, *, pending: bool) -> bool:
        """One batch; whether it is in hand. While it is on its way out, the next is read and predicted."""
        if pending and not self._source().ahead:
            pending = not self._settle()
        batch = self._source().take(self._most, 0.0 if pending else WAIT)
        predicted = self._predict(predictor, batch) if batch is not None else None
        if pending and not self._settle():
            return True
        if predicted is None:
            return False
        gone = frozenset(self._source().moved())
        if gone:
            predicted = predicted.without(gone)
        if len(predicted.batch):
            self._delivery.send(predicted)
        return bool(len(predicted.batch))

    def _predict(self, predictor: Predictor, batch: Batch) -> Predicted:
        began = time.monotonic()
        predicted = predictor.predict(batch)
        spent = (time.monotonic() - began) / len(batch)
        size = sum(len(value) for value in batch.values if value) / len(batch) + 1
        by_time = BATCH_SECONDS / spent if spent > 0 else MOST
        self._most = int(max(1, min(MOST, 2 * self._most, BATCH_BYTES / size, by_time)))
        return predicted

    def _settle(self) -> bool:
        """Until the batch in hand is through, or the worker has to end."""
        while not self._delivery.settle(WAIT):
            self._refresh()
            if self._stop.is_set():
                return False
        return True

    def _leaving(self, partitions: frozenset[Partition], lost: bool) -> None:
        if lost or not self._delivery.settle(PATIENCE):
            self._delivery.forget(partitions)

    def _refresh(self) -> None:
        now, old, metrics = time.monotonic(), self._figures, self.metrics
        first = not old.consumed and metrics.produced_total + metrics.dead_lettered_total > 0
        if now - old.at < REFRESH_SECONDS and not first:
            return
        lag = self._source().lag()
        if lag is not None:
            metrics.lag.set(lag)
        rate = (metrics.consumed_total - old.consumed) / (now - old.at)
        self._figures = Figures(
            now,
            metrics.consumed_total,
            metrics.produced_total,
            metrics.dead_lettered_total,
            lag,
            round(rate, 1),
        )
        metrics.ready.set(self.unready is None)

    def _end(self) -> int:
        """Finish the batch in hand, leave the group, let capture's stream have what it takes."""
        settled = self._input is None or self._delivery.settle(PATIENCE)
        if self._input is not None:
            self._input.close()
        self._delivery.close()
        if self._capture is not None:
            self._capture.close(PATIENCE)
        metrics = self.metrics
        self._say(
            "stopped",
            consumed=metrics.consumed_total,
            produced=metrics.produced_total,
            deadLettered=metrics.dead_lettered_total,
            error=None if settled else "the batch in hand was not acknowledged: it is read again",
        )
        return 0


def _tune_collector() -> None:
    """Keep the cycle collector from looking at what lives for good, and at each of a batch's many lists."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
