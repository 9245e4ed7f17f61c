"""Takes events from the server without ever holding it up, and hands them to a stream once per event-loop tick."""

import logging
import random
from collections import deque
from collections.abc import Callable

from moorage_runtime.capture.event import Event
from moorage_runtime.capture.formats import Encode, encoder
from moorage_runtime.config import CaptureConfig, CaptureStatus
from moorage_runtime.streams import Message, Writer, open_writer

log = logging.getLogger(__name__)

MOST_WAITING = 100_000
"""Events between two ticks; a bound for a caller that does not tick."""


class Capture:
    """Samples, encodes and writes events; counts what it could not write. For one thread, but `status`."""

    def __init__(
        self,
        writer: Writer,
        encode: Encode,
        sample_ratio: float = 1.0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._writer = writer
        self._encode = encode
        self._ratio = sample_ratio
        self._draw = draw
        self._waiting: deque[Event] = deque()
        self._handed_over = self._overflowed = self._unencodable = 0
        self._error: str | None = None

    def record(self, event: Event) -> None:
        """Take an event, or not, by the sample ratio. Never blocks, never raises.

        Every request is drawn for by itself: taking each n-th would see one of two alternating clients only.
        """
        if self._ratio < 1.0 and self._draw() >= self._ratio:
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(event)
        else:
            self._overflowed += 1

    def flush_tick(self) -> None:
        """Encode what was recorded since the last tick, and queue it for the stream. Never blocks, never raises."""
        waiting = self._waiting
        if not waiting:
            return
        events = [waiting.popleft() for _ in range(len(waiting))]
        self._handed_over += len(events)
        try:
            messages = self._encode(events)
        except Exception:  # noqa: BLE001 - a user's model may answer anything; the others' events stay
            messages = [message for event in events for message in self._encode_one(event)]
        self._writer.write(messages)

    def _encode_one(self, event: Event) -> list[Message]:
        try:
            return self._encode([event])
        except Exception as error:
            self._unencodable += 1
            if self._error is None:
                log.warning("events of model %s cannot be encoded", event.source.model, exc_info=error)
            self._error = f"an event of model {event.source.model} could not be encoded: {error}"
            return []

    def close(self, timeout: float) -> None:
        """Write what is still here within `timeout` seconds; the rest counts as dropped."""
        self.flush_tick()
        self._writer.close(timeout)

    def status(self) -> CaptureStatus:
        """The counts: captured = delivered + dropped + pending."""
        stats = self._writer.stats
        captured = self._handed_over + len(self._waiting) + self._overflowed
        dropped = stats.dropped + self._overflowed + self._unencodable
        return CaptureStatus(
            captured=captured,
            dropped=dropped,
            delivered=stats.delivered,
            pending=captured - dropped - stats.delivered,
            error=stats.error or self._error,
        )


def open_capture(config: CaptureConfig) -> Capture:
    """The capture of a server. Raises StreamError where the stream cannot be opened, naming it."""
    writer = open_writer(config.stream, config.buffer_bytes)
    return Capture(writer, encoder(config.format, structured=writer.structured), config.sample_ratio)
