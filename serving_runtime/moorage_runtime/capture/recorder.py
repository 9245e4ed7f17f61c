"""Takes events from the server without ever holding it up, and hands them to a stream once per event-loop tick."""

import logging
import queue
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

import numpy as np

from moorage_runtime.capture.event import Event
from moorage_runtime.capture.formats import Encode, encoder
from moorage_runtime.config import CaptureConfig, CaptureStatus
from moorage_runtime.streams import Message, Writer, open_writer

log = logging.getLogger(__name__)

MOST_WAITING = 100_000
"""Events between two ticks; a bound for a caller that does not tick."""
LARGE = 100_000
"""Values of an event beyond which a thread encodes it: on the event loop it would hold up the others for longer
than a few milliseconds."""
VALUE_BYTES = 8


class Capture:
    """Samples, encodes and writes events; counts what it could not write. For one thread, but `status`.

    Large events are encoded in a thread of their own, so they may come behind later ones in the stream.
    """

    def __init__(
        self,
        writer: Writer,
        encode: Encode,
        sample_ratio: float = 1.0,
        draw: Callable[[], float] = random.random,
        buffer_bytes: int = 64 << 20,
    ) -> None:
        self._writer = writer
        self._encode = encode
        self._ratio = sample_ratio
        self._draw = draw
        self._waiting: deque[Event] = deque()
        self._handed_over = self._overflowed = self._unencodable = 0
        self._error: str | None = None
        self._writing = threading.Lock()  # a writer is for one thread at a time
        self._large: queue.SimpleQueue[tuple[Event, int] | None] = queue.SimpleQueue()
        self._large_room = buffer_bytes
        self._thread: threading.Thread | None = None
        self._in_thread = 0
        self._closed = False

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
        large = [event for event in events if _values(event) > LARGE]
        if large:
            self._hand_to_thread(large)
            events = [event for event in events if _values(event) <= LARGE]
        if events:
            self._write(events)

    def _write(self, events: Sequence[Event], from_thread: int = 0) -> None:
        try:
            messages = self._encode(events)
        except Exception:  # noqa: BLE001 - a user's model may answer anything; the others' events stay
            messages = [message for event in events for message in self._encode_one(event)]
        with self._writing:
            if not self._closed:
                self._writer.write(messages)
                self._in_thread -= from_thread

    def _encode_one(self, event: Event) -> list[Message]:
        try:
            return self._encode([event])
        except Exception as error:
            with self._writing:
                self._unencodable += 1
            if self._error is None:
                log.warning("events of model %s cannot be encoded", event.source.model, exc_info=error)
            self._error = f"an event of model {event.source.model} could not be encoded: {error}"
            return []

    def _hand_to_thread(self, events: Sequence[Event]) -> None:
        for event in events:
            size = _values(event) * VALUE_BYTES
            with self._writing:
                fits = size <= self._large_room
                if fits:
                    self._in_thread += 1
                    self._large_room -= size
                else:
                    self._overflowed += 1
                    self._handed_over -= 1
            if fits:
                self._large.put((event, size))
        if self._thread is None:
            self._thread = threading.Thread(target=self._encode_large, name="moorage-capture", daemon=True)
            self._thread.start()

    def _encode_large(self) -> None:
        while (item := self._large.get()) is not None:
            event, size = item
            self._write([event], from_thread=1)
            del event, item
            with self._writing:
                self._large_room += size

    def close(self, timeout: float) -> None:
        """Write what is still here within `timeout` seconds; the rest counts as dropped."""
        deadline = monotonic() + timeout
        self.flush_tick()
        if self._thread is not None:
            self._large.put(None)
            self._thread.join(timeout)
            with self._writing:
                self._closed = True
        self._writer.close(max(0.0, deadline - monotonic()))

    def status(self) -> CaptureStatus:
        """The counts: captured = delivered + dropped + pending."""
        stats = self._writer.stats
        captured = self._handed_over + len(self._waiting) + self._overflowed
        late = self._in_thread if self._closed else 0
        dropped = stats.dropped + self._overflowed + self._unencodable + late
        return CaptureStatus(
            captured=captured,
            dropped=dropped,
            delivered=stats.delivered,
            pending=captured - dropped - stats.delivered,
            error=stats.error or self._error,
        )


def _values(event: Event) -> int:
    """How many values its inputs and outputs have."""
    inputs, outputs = event.inputs, event.outputs
    count = inputs.size if isinstance(inputs, np.ndarray) else sum(column.size for column in inputs.values())
    for array in outputs.values():
        count += array.size
    return count


def open_capture(config: CaptureConfig) -> Capture:
    """The capture of a server. Raises StreamError where the stream cannot be opened, naming it."""
    writer = open_writer(config.stream, config.buffer_bytes)
    encode = encoder(config.format, structured=writer.structured)
    return Capture(writer, encode, config.sample_ratio, buffer_bytes=config.buffer_bytes)
