"""The loop of a drift worker: read, judge, hand on to the sinks, and every few seconds write down where it is.

Everything that is put out goes out before the checkpoint that includes it. After a kill the rows since the last
checkpoint are read again and put out the same again, which the sinks' keys make a no-op.
"""

import threading
import time
from collections import Counter

from moorage_runtime.config import DriftConfig, DriftStatus
from moorage_runtime.drift.checkpoint.manifest import CheckpointError
from moorage_runtime.drift.checkpoint.progress import Piece
from moorage_runtime.drift.traffic import AHEAD
from moorage_runtime.drift.windows import NEVER
from moorage_runtime.drift.worker.keeping import Keeper
from moorage_runtime.drift.worker.metrics import View
from moorage_runtime.drift.worker.parts import Parts, Timing
from moorage_runtime.drift.worker.preparing import Pace
from moorage_runtime.drift.worker.reporting import Reporter, Stopped
from moorage_runtime.drift.worker.starting import start
from moorage_runtime.streams import kafka_address

LABELS_A_POLL = 10_000
NO_ROOM_SECONDS = 0.02
KAFKA_SETTLED = 0.5
"""Seconds for which a partition has to be at its end before labels believe it: what a client says of the end is
some milliseconds old."""


class Worker:
    """One worker over all partitions. `run` blocks; `view` and `status` may be read from any thread."""

    def __init__(self, config: DriftConfig, stop: threading.Event, timing: Timing | None = None) -> None:
        """Raises ValueError where a detector's parameter is wrong, StreamError where an alert's stream is."""
        self._stop = stop
        self._parts = Parts.of(config, timing or Timing())
        self._reporter = Reporter(self._parts, stop)
        self._keeper = Keeper(self._parts, self._reporter)
        self._pace = Pace()
        self._known = -1
        self._newest_label: dict[str, int] = {}
        self._settled = 0.0 if kafka_address(config.stream.uri) is None else KAFKA_SETTLED

    def status(self) -> DriftStatus:
        """The status that is shown."""
        return self._reporter.status()

    def view(self) -> View:
        """The newest numbers."""
        return self._reporter.view()

    def run(self) -> int:
        """Work until stopped: 0. Or 1, with the reason in the status and on stderr."""
        code = 0
        try:
            start(self._parts, self._reporter, self._keeper)
            while not self._stop.is_set():
                self._turn()
        except Stopped:
            pass
        except CheckpointError as error:
            code = self._fail(error)
        return self._finish(code)

    def _fail(self, error: CheckpointError) -> int:
        self._reporter.say(str(error))
        self._reporter.error = ("CheckpointFailed", str(error))
        return 1

    def _turn(self) -> None:
        if self._parts.sinks.full or self._keeper.deciding:
            self._stop.wait(NO_ROOM_SECONDS)
        else:
            self._read()
        self._keeper.keep()
        self._reporter.publish()

    def _read(self) -> None:
        parts = self._parts
        assert parts.reader is not None
        assert parts.monitor is not None
        if parts.concept is not None and not parts.concept.full:
            self._read_labels()  # before events: then an event that was written before its label is read before it
        chunks = parts.reader.poll(self._pace.messages, 0.1)
        now = time.monotonic()
        positions = parts.reader.positions
        if len(positions) != self._known:
            parts.monitor.known(positions)
            self._known = len(positions)
        for chunk in chunks:
            parts.quiet.brought(chunk.partition, now)
            parts.brought.add(chunk.partition)
            for piece in parts.progress.pieces(chunk):
                self._take(chunk.partition, piece)
        if parts.concept is not None:
            self._join_labels(now)

    def _take(self, partition: str, piece: Piece) -> None:
        parts = self._parts
        assert parts.monitor is not None
        if piece.chunk is None:
            parts.sinks.idle(partition)
            return
        counted = Counter(parts.decoder.skipped) if piece.judged else None
        block = parts.decoder.decode(piece.chunk)
        if counted is not None:  # these were counted before the restart
            parts.decoder.skipped.clear()
            parts.decoder.skipped.update(counted)
        self._pace.took(len(piece.chunk.values), block.rows if block is not None else 0)
        if block is None:
            return
        parts.sinks.block(block)
        if not piece.judged:
            block = parts.monitor.traffic(block, int(time.time() * 1e6) + AHEAD)
            if parts.concept is not None:
                parts.concept.predictions(block)
            parts.put_out(parts.monitor.block(block))

    def _read_labels(self) -> None:
        parts = self._parts
        assert parts.concept is not None
        assert parts.labels is not None
        for chunk in parts.labels.poll(LABELS_A_POLL, 0):
            parts.concept.labels(chunk)
            if chunk.timestamps:
                self._newest_label[chunk.partition] = max(chunk.timestamps) * 1000

    def _labels_reach(self) -> int:
        """The event time up to which labels have been read, µs: no prediction behind it may be given up."""
        labels = self._parts.labels
        assert labels is not None
        behind = labels.positions.keys() - labels.caught_up
        return min((self._newest_label.get(name, NEVER) for name in behind), default=-NEVER)

    def _join_labels(self, now: float) -> None:
        parts = self._parts
        assert parts.concept is not None
        assert parts.reader is not None
        assert parts.monitor is not None
        ended = parts.quiet.longer_than(self._settled, parts.reader.caught_up, now)
        all_ended = ended >= parts.reader.positions.keys()
        greatest = parts.monitor.greatest
        reach = self._labels_reach()
        marks = {name: min(at, reach) for name, at in greatest.items() if all_ended or name not in ended}
        parts.put_out(parts.monitor.concept(parts.concept.advance(marks, all_ended)))

    def _finish(self, code: int) -> int:
        """Close what is open, and write the last checkpoint, unless another worker has taken over."""
        parts = self._parts
        parts.sinks.close(parts.timing.close if code == 0 else 0.5)
        if code == 0 and self._reporter.error is None:
            try:
                self._keeper.save_at_the_end()
            except CheckpointError as error:
                code = self._fail(error)
        for reader in (parts.reader, parts.labels):
            if reader is not None:
                reader.close()
        self._reporter.publish(now=True)
        return code
