"""Brings items to a place that may be away: in order, in batches, in a thread of its own, within a bound.

Nothing is given up while there is room. What the other side refuses for good is dropped and counted, alone: a batch
that is refused is halved until the item at fault is found.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from moorage_runtime.config import SinkStatus

log = logging.getLogger(__name__)

FIRST_WAIT = 0.25
"""Seconds before the first try again; doubled with each failure."""
LONGEST_WAIT = 15.0

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Unavailable(Exception):  # noqa: N818 - the other side may take the same later
    """Not taken now; the message has the other side's words and no secret."""


class Refused(Exception):  # noqa: N818 - the other side will never take it
    """Never to be taken; the message has the other side's words and no secret."""


class Target(Protocol[T_contra]):
    """Where items go."""

    batch: int
    """Units that one `send` takes, about."""
    room: int
    """Units that may wait; beyond it the oldest are dropped."""

    def units(self, item: T_contra) -> int:
        """What an item counts as in the status: its points, or one alert."""

    def send(self, items: Sequence[T_contra]) -> None:
        """Return once all of them are there. Raises Unavailable or Refused, for all of them."""

    def close(self) -> None:
        """Release connections."""


class _Entry(Generic[T]):
    __slots__ = ("item", "units")

    def __init__(self, item: T, units: int) -> None:
        self.item = item
        self.units = units


class Delivery(Generic[T]):
    """One destination. Its methods are called from the worker's thread and never wait for the other side."""

    def __init__(self, name: str, target: Target[T]) -> None:
        self._name = name
        self._target = target
        self._changed = threading.Condition()
        self._waiting: deque[_Entry[T]] = deque()
        self._pending = self._delivered = self._dropped = 0
        self._error: str | None = None
        self._most: int | None = None
        self._closing = threading.Event()
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._run, name=f"moorage-sink-{name}", daemon=True)
        self._thread.start()

    def put(self, items: Sequence[T]) -> None:
        """Queue the items behind those that wait; where there is no room, the oldest go."""
        entries = [_Entry(item, self._target.units(item)) for item in items]
        with self._changed:
            for entry in entries:
                self._waiting.append(entry)
                self._pending += entry.units
            while self._pending > self._target.room and len(self._waiting) > 1:
                lost = self._waiting.popleft().units
                self._pending -= lost
                self._dropped += lost
            self._changed.notify()

    @property
    def pending(self) -> list[T]:
        """What has not been taken yet, in order; what is on its way counts too."""
        with self._changed:
            return [entry.item for entry in self._waiting]

    @property
    def status(self) -> SinkStatus:
        """The counts of units since the start."""
        with self._changed:
            return SinkStatus(
                name=self._name,
                delivered=self._delivered,
                pending=self._pending,
                dropped=self._dropped,
                error=self._error,
            )

    def stop(self, timeout: float) -> None:
        """Deliver what is there for at most `timeout` seconds, unless it fails; `join` waits for that."""
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        with self._changed:
            self._changed.notify()

    def join(self) -> None:
        """Wait until it has stopped; what is still pending stays in `pending`."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()) + 1)

    def _run(self) -> None:
        failures = 0
        while batch := self._next():
            try:
                self._target.send([entry.item for entry in batch])
            except Unavailable as error:
                self._fails(str(error))
                if self._closing.wait(min(LONGEST_WAIT, FIRST_WAIT * 2**failures)):
                    break
                failures = min(failures + 1, 16)
            except Exception as error:  # noqa: BLE001 - one item at fault must not stop those behind it
                self._fails(str(error) if isinstance(error, Refused) else f"{type(error).__name__}: {error}")
                failures = 0
                if len(batch) > 1:
                    self._most = len(batch) // 2
                else:
                    self._finish(batch, taken=False)
            else:
                failures = 0
                self._works()
                self._finish(batch, taken=True)
        self._target.close()

    def _next(self) -> list[_Entry[T]]:
        """The next batch, once there is something; empty when it is time to stop."""
        with self._changed:
            while not self._waiting and not self._closing.is_set():
                self._changed.wait()
            if self._closing.is_set() and time.monotonic() > self._deadline:
                return []
            batch: list[_Entry[T]] = []
            units = 0
            for entry in self._waiting:
                units += entry.units
                if batch and (units > self._target.batch or len(batch) == self._most):
                    break
                batch.append(entry)
            return batch

    def _finish(self, batch: Sequence[_Entry[T]], *, taken: bool) -> None:
        """Forget a batch; entries that were dropped for want of room meanwhile have been counted."""
        with self._changed:
            for entry in batch:
                if self._waiting and self._waiting[0] is entry:
                    self._waiting.popleft()
                    self._pending -= entry.units
                    if taken:
                        self._delivered += entry.units
                    else:
                        self._dropped += entry.units
            if taken and self._most is not None:
                self._most = self._most * 2 if self._most < len(self._waiting) else None

    def _fails(self, words: str) -> None:
        if self._error is None:
            log.warning("sink %s fails: %s", self._name, words)
        self._error = words

    def _works(self) -> None:
        if self._error is not None:
            log.info("sink %s works again", self._name)
            self._error = None
