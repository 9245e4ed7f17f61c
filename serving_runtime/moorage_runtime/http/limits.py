"""Bounds of what one client may cost, and the one sweep that enforces all of those measured in time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from moorage_runtime.config import HttpConfig
from moorage_runtime.http.replies import CLOCK

SECOND = 1_000_000_000
HEAD_MAX_BYTES = 32 * 1024
"""Request line and headers; beyond it 431."""
HEAD_SECONDS = 10
"""A head that is not complete by then is answered 408."""
IDLE_SECONDS = 75
"""A connection without a request is closed."""
STALLED_SECONDS = 30
"""A client that does not read its reply is cut off."""
LINGER_SECONDS = 2
"""After an early reply the rest of the request is read and thrown away, so that the reply is not lost to a reset."""
PIPELINE = 64
"""Unanswered requests of one connection beyond which nothing more is read from it."""
SWEEP_SECONDS = 0.25
BODIES_BYTES, BODIES = 64 * 1024 * 1024, 4
"""Request bodies that the server holds at once: so many bytes, or so many of the largest, whichever is more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in ns, sizes in bytes."""

    timeout: int = 30 * SECOND
    body: int = 16 * 1024 * 1024
    bodies: int = BODIES_BYTES
    in_flight: int = 1024
    head: int = HEAD_MAX_BYTES
    head_time: int = HEAD_SECONDS * SECOND
    idle: int = IDLE_SECONDS * SECOND
    stalled: int = STALLED_SECONDS * SECOND
    linger: int = LINGER_SECONDS * SECOND

    @classmethod
    def of(cls, http: HttpConfig) -> "Limits":
        """The limits that a config names; the others are constants of this module."""
        return cls(
            timeout=http.timeout_seconds * SECOND,
            body=http.max_body_bytes,
            bodies=max(BODIES_BYTES, BODIES * http.max_body_bytes),
            in_flight=http.max_in_flight,
        )


class Swept(Protocol):
    """A connection that checks its own deadlines."""

    def sweep(self, now: int) -> None:
        """Answer or close what is overdue at `now` (perf_counter_ns)."""


C = TypeVar("C", bound=Swept)


class Sweeper(Generic[C]):
    """One timer for all connections instead of one per request; a deadline is kept to within a sweep."""

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], int]) -> None:
        self._loop = loop
        self._now = now
        self._handle: asyncio.TimerHandle | None = None
        self.connections: set[C] = set()

    def start(self) -> None:
        """Sweep until `stop`."""
        self._handle = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def stop(self) -> None:
        """End sweeping."""
        if self._handle is not None:
            self._handle.cancel()

    def _sweep(self) -> None:
        CLOCK.tick()
        now = self._now()
        for connection in list(self.connections):
            connection.sweep(now)
        self.start()
