"""What is written down: positions, state and what is not delivered yet, all as of one moment.

What depends on the clock (a quiet partition lets windows close, or ends a file) is written into a checkpoint before it
has any effect. So it is decided once, also by a worker that is killed in between.
"""

import hashlib
import time
from collections.abc import Set as AbstractSet

import orjson

from moorage_runtime.drift.checkpoint.identity import identity
from moorage_runtime.drift.sinks.archive import Group
from moorage_runtime.drift.worker.parts import REFERENCE, Parts
from moorage_runtime.drift.worker.reporting import Reporter


class Keeper:
    """Writes the checkpoint of a worker's parts; for the worker's thread."""

    def __init__(self, parts: Parts, reporter: Reporter) -> None:
        self._parts = parts
        self._reporter = reporter
        self._identity = identity(parts.config)
        self._marks: dict[str, int] = {}
        """Event times up to which quiet partitions are to hold nothing back."""
        self._ends: list[str] = []
        """Partitions whose open file of events is to end."""
        self._groups: list[Group] = []
        """Results whose open file is to end."""
        self._written = b""
        self._next = 0.0
        self._reference_kept = False

    @property
    def deciding(self) -> bool:
        """Whether nothing may be read, because a decision of the clock is being written down."""
        return self._parts.saver.busy and bool(self._marks or self._ends or self._groups)

    def keep(self) -> None:
        """Collect the save under way, or begin the next if it is time. Raises LostError."""
        now = time.monotonic()
        if self._parts.saver.busy:
            self._collect(0)
        elif now >= self._next:
            self._next = now + self._parts.timing.checkpoint
            self._decide_by_clock(now)
            self._save()

    def save_now(self) -> None:
        """Save, and try again until it came through. Raises LostError, Stopped."""
        while True:
            self._save()
            while self._parts.saver.busy:
                if self._collect(0.1) is None:
                    self._reporter.wait("", "waiting for the checkpoint to be written", 0)
            error = self._parts.saver.error
            if error is None:
                self._next = time.monotonic() + self._parts.timing.checkpoint
                return
            self._reporter.wait("CheckpointFailed", error, self._parts.timing.retry)

    def save_at_the_end(self) -> None:
        """The last save, within a bound. Raises LostError."""
        parts = self._parts
        self._collect(parts.timing.close)
        if not parts.saver.busy:
            self._save()
            self._collect(parts.timing.close)
        if parts.saver.busy or parts.saver.error is not None:
            why = parts.saver.error or "no answer in time"
            self._reporter.say(f"the last checkpoint was not written: {why}")

    def _decide_by_clock(self, now: float) -> None:
        """Which partitions are quiet or gone."""
        parts = self._parts
        assert parts.reader is not None
        assert parts.monitor is not None
        reading, ended = parts.reader.positions, parts.reader.caught_up
        if parts.reader.error is None:
            for name in parts.progress.positions.keys() - reading.keys():  # retention took all of a writer
                parts.progress.forget(name)
                parts.monitor.forget(name)
        config, idle = parts.config, parts.timing.idle
        mark = int((time.time() - idle - config.window.allowed_lateness_seconds) * 1e6)
        marks = dict.fromkeys(parts.quiet.longer_than(idle, ended, now), mark)
        self._marks = marks if parts.monitor.would_close(marks) else {}
        if config.object_store is not None:
            quiet = parts.quiet.longer_than(config.object_store.seconds, ended, now)
            self._ends = [
                name
                for name in sorted(quiet & parts.brought)
                if not parts.progress.behind(name, reading) and not parts.progress.has_end(name)
            ]
            everything = quiet >= reading.keys()
            self._groups = [
                group for group in parts.sinks.open_results if everything or _within(group, quiet)
            ]

    def _save(self) -> None:
        parts = self._parts
        parts.progress.archive({name: parts.sinks.archived(name) for name in parts.progress.positions})
        parts.progress.end_files(self._ends)
        state, blobs, needed = self._state()
        content = hashlib.sha256(state).digest()
        if content == self._written and not blobs and parts.saver.error is None:
            parts.saver.still_saved()
            return
        self._written = content
        parts.saver.start(state, blobs, needed)

    def _state(self) -> tuple[bytes, dict[str, bytes], frozenset[str]]:
        """The state as JSON, new blobs, and the names of all blobs that it needs."""
        parts = self._parts
        concept, blobs = parts.concept.snapshot() if parts.concept is not None else (None, {})
        needed = set(concept["blobs"]) if concept is not None else set()
        if parts.reference is not None:
            needed.add(REFERENCE)
            if not self._reference_kept:
                blobs = {**blobs, REFERENCE: parts.reference}
        state = {
            "identity": self._identity,
            "progress": parts.progress.state(),
            "labels": parts.labels.positions if parts.labels is not None else {},
            "marks": self._marks,
            "ended": self._groups,
            "reference": parts.reference is not None,
            "files": parts.files,
            "missing": parts.missing,
            "note": parts.note,
            "skipped": dict(parts.decoder.skipped),
            "lost": parts.lost,
            "monitor": parts.monitor.state() if parts.monitor is not None else None,
            "concept": concept,
            "sinks": parts.sinks.state(),
        }
        return orjson.dumps(state), blobs, frozenset(needed)

    def _collect(self, timeout: float) -> bool | None:
        """How the save under way ended. What waited for it takes effect, or is decided anew the next time."""
        parts = self._parts
        done = parts.saver.collect(timeout)
        if done is None:
            return None
        marks, ends, groups = self._marks, self._ends, self._groups
        self._marks, self._ends, self._groups = {}, [], []
        if not done:
            self._written = b""
            for name in ends:
                parts.progress.undo_end(name)
            return False
        self._reference_kept = parts.reference is not None
        if parts.reader is not None:
            parts.reader.commit(parts.progress.positions)
        if marks and parts.monitor is not None:
            parts.put_out(parts.monitor.release(marks))
        for name in ends:
            parts.sinks.idle(name)
        parts.sinks.end_results(groups)
        return True


def _within(group: Group, quiet: AbstractSet[str]) -> bool:
    """Whether these are windows of a partition that is quiet; others have results of several partitions."""
    kind, partition = group
    return kind == "windows" and partition in quiet
