"""What a worker says of itself: the status, the newest numbers, and what it is waiting for."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from moorage_runtime.config import DriftAspect, DriftState, DriftStatus
from moorage_runtime.drift.judging.decision import worst
from moorage_runtime.drift.reference.summary import ReferenceError as UnfitReferenceError
from moorage_runtime.drift.worker.metrics import View
from moorage_runtime.drift.worker.parts import Parts
from moorage_runtime.drift.worker.status import Board
from moorage_runtime.storage import StorageError
from moorage_runtime.streams import StreamError

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - it is no error
    """The process was asked to end."""


class Reporter:
    """`status` and `view` may be read from any thread; the rest is for the worker's."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self.error: tuple[str, str] | None = ("", "starting")
        """Reason (or nothing) and message: why nothing is consumed."""
        self.awaited = ""
        """What the stream has to bring before a window can be judged; that is no error."""
        self._parts = parts
        self._stop = stop
        self._said: dict[str, str] = {}
        """Aspect to its state, as the log has it last."""
        self._failing: str | None = None
        """Reason of the failure that the log told last, while it lasts."""
        self._lag: int | None = None
        self._next = self._next_lag = 0.0
        first = self._status()
        self._board = Board(first)
        self._view = View(first)

    def status(self) -> DriftStatus:
        """The status that is shown."""
        return self._board.read()

    def view(self) -> View:
        """The newest numbers."""
        return self._view

    def publish(self, *, now: bool = False) -> None:
        """Show the numbers of the moment, if it is time or a state has changed."""
        at = time.monotonic()
        parts = self._parts
        if not now and not parts.news and at < self._next:
            return
        parts.news, self._next = False, at + parts.timing.view
        if parts.reader is not None and at >= self._next_lag:
            self._lag, self._next_lag = parts.reader.lag(), at + parts.timing.lag
        status, monitor, saver = self._status(), parts.monitor, parts.saver
        self._board.show(status)
        self._log(status)
        self._view = View(
            status,
            monitor.last if monitor is not None else None,
            monitor.last_concept if monitor is not None else None,
            lambda: None if saver.saved_at is None else time.monotonic() - saver.saved_at,
            saver.size,
        )

    def _log(self, status: DriftStatus) -> None:
        """A line for each change of state, each failure and each recovery."""
        if status.reason != self._failing:
            self.say(f"{status.reason}: {status.error}" if status.reason else f"{self._failing}: works again")
            self._failing = status.reason
        for name, aspect in (
            ("data", status.data),
            ("prediction", status.prediction),
            ("concept", status.concept),
        ):
            if aspect is None or aspect.state is DriftState.UNKNOWN:
                continue
            before = self._said.get(name)
            if before != aspect.state:
                self.say(f"{name} drift {f'{before} → ' if before else ''}{aspect.state}: {aspect.message}")
                self._said[name] = aspect.state

    def _status(self) -> DriftStatus:
        config, monitor = self._parts.config, self._parts.monitor
        reason, error = self._trouble()
        status = DriftStatus(
            name=config.name,
            namespace=config.namespace,
            revision=config.revision,
            ready=self.error is None and reason != "StreamFailed",
            reason=reason,
            error=error,
            lag=self._lag,
            sinks=self._parts.sinks.status(),
        )
        if monitor is None:
            unknown = DriftAspect(message=self.awaited)
            status.data = unknown if config.data_drift else None
            status.prediction = unknown if config.prediction_drift else None
            status.concept = unknown if config.concept_drift else None
            return status
        status.data = monitor.aspect("data") if config.data_drift else None
        status.prediction = monitor.aspect("prediction") if config.prediction_drift else None
        status.concept = monitor.aspect("concept") if config.concept_drift else None
        aspects = [one for one in (status.data, status.prediction, status.concept) if one is not None]
        status.drift = worst(one.state for one in aspects)
        if status.data is not None and self._parts.missing:
            status.data.message += f"; not in the reference: {', '.join(self._parts.missing[:5])}"
        if aspects and self._parts.note:
            aspects[0].message += f"; {self._parts.note}"
        status.features, status.last_window = monitor.features(), monitor.last_window()
        status.windows, status.rows = monitor.windows, monitor.rows
        skipped = self._parts.decoder.skipped + monitor.skipped + Counter(lost=self._parts.lost)
        if self._parts.concept is not None:
            skipped += self._parts.concept.skipped
        status.skipped = dict(sorted(skipped.items()))
        return status

    def _trouble(self) -> tuple[str | None, str | None]:
        """Reason and message of what is wrong now."""
        parts = self._parts
        if self.error is not None:
            return self.error[0] or None, self.error[1]
        if parts.reader is not None and parts.reader.error is not None:
            return "StreamFailed", parts.reader.error
        if parts.labels is not None and parts.labels.error is not None:
            return "StreamFailed", f"labels: {parts.labels.error}"
        if parts.saver.error is not None:
            return "CheckpointFailed", parts.saver.error
        return None, None

    def say(self, text: str) -> None:
        """A line for the log."""
        sys.stderr.write(f"{self._parts.config.namespace}/{self._parts.config.name}: {text}\n")
        sys.stderr.flush()

    def wait(self, reason: str, error: str, seconds: float) -> None:
        """Tell what is awaited, for so long. Raises Stopped."""
        changed = self.error != (reason, error)
        self.error = (reason, error)
        self.publish(now=changed)
        if self._stop.wait(seconds):
            raise Stopped

    def await_events(self, what: str) -> None:
        """Tell what the stream has to bring. Raises Stopped."""
        changed = self.error is not None or self.awaited != what
        self.error, self.awaited = None, what
        self.publish(now=changed)
        if self._stop.is_set():
            raise Stopped

    def patiently(self, reason: str, action: Callable[[], T]) -> T:
        """Try until it works, telling why it does not. Raises Stopped."""
        while True:
            try:
                return action()
            except (StorageError, StreamError, UnfitReferenceError) as error:
                kind = "StreamFailed" if isinstance(error, StreamError) else reason
                kind = "ReferenceFailed" if isinstance(error, UnfitReferenceError) else kind
                self.wait(kind, str(error), self._parts.timing.retry)
