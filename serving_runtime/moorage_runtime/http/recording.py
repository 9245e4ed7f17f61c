"""From an answered request to a captured event."""

from moorage_runtime.capture import Capture, Event, Source
from moorage_runtime.http.batcher import Job
from moorage_runtime.http.replies import CLOCK
from moorage_runtime.models.base import Outputs


class CaptureRecorder:
    """Hands the answered requests of one model to capture."""

    __slots__ = ("_capture", "_source")

    def __init__(self, capture: Capture, source: Source) -> None:
        self._capture = capture
        self._source = source

    def record(self, job: Job, outputs: Outputs, latency: int) -> None:
        """One event; `latency` in ns."""
        received = job.exchange.received + CLOCK.epoch_offset
        event = Event(self._source, job.request_id, job.operation, job.inputs, outputs, received, latency)
        self._capture.record(event)

    def tick(self) -> None:
        """Encode and hand over what this tick brought."""
        self._capture.flush_tick()
