"""The status document: shown anew at once when a state changes, otherwise every 30 s.

So whoever copies it into a resource's status (the operator) writes no more often than people can read.
"""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from moorage_runtime.config import DriftAspect, DriftState, DriftStatus, FeatureStatus, WindowStatus
from moorage_runtime.drift.judging.decision import worst_first
from moorage_runtime.drift.types import Score, Window

REFRESH_SECONDS = 30.0
WORST = 10


def worst_scores(scores: Iterable[Score], most: int = WORST) -> list[FeatureStatus]:
    """The worst by state, then by effect."""
    return [
        FeatureStatus(name=one.name, role=one.role, value=one.effect, p_value=one.p_value, state=one.state)
        for one in worst_first(scores)[:most]
    ]


def window_status(window: Window) -> WindowStatus:
    """A window for people."""
    return WindowStatus(start=rfc3339(window.start), end=rfc3339(window.end), rows=window.rows)


def rfc3339(micros: int) -> str:
    """µs since the epoch as 2026-11-22T16:45:30Z, with a fraction where there is one."""
    try:
        text = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    except (OverflowError, ValueError, OSError):
        return "9999-12-31T23:59:59Z" if micros > 0 else "0001-01-01T00:00:00Z"
    return text.isoformat().replace("+00:00", "Z")


def message(state: DriftState, what: str, names: Iterable[str]) -> str:
    """What an aspect's message says: names and no measured value, so that it changes only when they do."""
    listed = list(names)
    shown = ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")
    match state:
        case DriftState.UNKNOWN:
            return f"no window of {what} has been judged yet"
        case DriftState.NONE:
            return f"no drift of {what}"
        case DriftState.POSSIBLE:
            return f"possible drift of {what}: {shown}"
        case DriftState.DETECTED:
            return f"drift of {what}: {shown}"


class Board:
    """Holds the status that is shown; `show` from the worker, `read` from any thread."""

    def __init__(self, first: DriftStatus, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._shown = first
        self._since = clock()

    def show(self, status: DriftStatus) -> None:
        """Show it if a state has changed, or 30 s have passed since the last change."""
        now = self._clock()
        if _states(status) == _states(self._shown) and now - self._since < REFRESH_SECONDS:
            return
        with self._lock:
            self._shown, self._since = status, now

    def read(self) -> DriftStatus:
        """What is shown now."""
        with self._lock:
            return self._shown


def _states(status: DriftStatus) -> tuple[object, ...]:
    aspects: tuple[DriftAspect | None, ...] = (status.data, status.prediction, status.concept)
    return (
        status.ready,
        status.error,
        status.reason,
        status.drift,
        tuple((one.state, one.message) if one else None for one in aspects),
        frozenset((one.name, one.state) for one in status.features if one.state != DriftState.NONE),
        tuple((sink.name, sink.error) for sink in status.sinks),
    )
