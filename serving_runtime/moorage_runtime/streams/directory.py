"""A stream in a folder, for one machine: durable, readable with `tail -f`, no server.

Written by one background thread per writer, in one system call per batch, so that a caller pays for an append to a
queue and nothing else. What a `write()` call has returned survives the end of the process, however it ends; it is
not forced to the disk, so a crash of the machine may cost the last seconds.
"""

import fcntl
import json
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from moorage_runtime.streams.base import Message, Record, StreamError, WriterStats
from moorage_runtime.streams.segments import (
    CHUNK,
    Position,
    Retention,
    end_of_lines,
    is_written,
    new_writer,
    removed_sizes,
    retain,
    segment_name,
    segments,
    tail,
)

__all__ = ["DirectoryReader", "DirectoryWriter", "Position", "Retention", "tail"]

LINGER = 0.02
"""Seconds for which a batch gathers once its first message is there."""
BATCH_BYTES = 4 << 20
RETRY = 1.0
"""Seconds between tries while the disk refuses."""
OVERHEAD = 128
"""Bytes that a queued message takes beside its value."""


class DirectoryWriter:
    """Appends lines to segments of its own; rotated by size or age. A full disk is waited for, and told."""

    structured = True

    def __init__(
        self,
        folder: str | Path,
        buffer_bytes: int,
        segment_bytes: int = 64 << 20,
        segment_seconds: float = 3600,
        retention: Retention | None = None,
    ) -> None:
        self._folder = Path(folder)
        self._buffer_bytes = buffer_bytes
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._retention = retention or Retention()
        self._id = new_writer()
        self._number = 0
        self._queue: deque[Message] = deque()
        # each counter is written by one thread only; those of bytes are compared to know what is buffered
        self._accepted = self._refused = self._bytes_in = 0
        self._delivered = self._abandoned = self._bytes_out = 0
        self._error: str | None = None
        self._asleep = True
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._deadline = 0.0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._open()
            retain(self._folder, self._retention)
        except OSError as error:
            raise StreamError(f"{folder}: cannot be written: {error.strerror}") from error
        self._thread = threading.Thread(target=self._run, name="moorage-stream", daemon=True)
        self._thread.start()

    @property
    def stats(self) -> WriterStats:
        """The counts now."""
        delivered, dropped = self._delivered, self._abandoned + self._refused
        return WriterStats(delivered, dropped, self._accepted - delivered - dropped, self._error)

    def write(self, messages: Sequence[Message]) -> None:
        """Queue the messages; wakes the thread only where it sleeps."""
        for taken, message in enumerate(messages):
            self._accepted += message.events
            size = len(message.value) + OVERHEAD
            if self._bytes_in - self._bytes_out + size > self._buffer_bytes or self._closing.is_set():
                rest = messages[taken + 1 :]
                self._accepted += sum(late.events for late in rest)
                self._refused += message.events + sum(late.events for late in rest)
                break
            self._bytes_in += size
            self._queue.append(message)
        if self._asleep:
            self._asleep = False
            self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Wait until everything is written."""
        deadline = time.monotonic() + timeout
        while self._bytes_in != self._bytes_out and time.monotonic() < deadline:
            time.sleep(0.002)
        return self._bytes_in == self._bytes_out

    def close(self, timeout: float) -> None:
        """Write what is queued, within `timeout` seconds; remove a segment that stayed empty."""
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        batch: list[Message] = []
        while True:
            if not batch and not self._queue:
                self._asleep = True
                if not self._queue and not self._closing.is_set():
                    self._wake.wait()
                self._wake.clear()
                self._asleep = False
            if not self._closing.is_set():
                self._closing.wait(RETRY if self._error else LINGER)
            self._gather(batch)
            if batch:
                self._write(batch)
            if self._closing.is_set() and self._finished(batch):
                return

    def _finished(self, batch: list[Message]) -> bool:
        if (batch or self._queue) and time.monotonic() < self._deadline:
            self._closing.wait(0.01)
            return False
        while self._queue:
            batch.append(self._queue.popleft())
        self._abandoned += sum(message.events for message in batch)
        self._bytes_out += sum(len(message.value) + OVERHEAD for message in batch)
        empty = os.fstat(self._file).st_size == 0
        os.close(self._file)
        if empty:
            self._path.unlink(missing_ok=True)
        return True

    def _gather(self, batch: list[Message]) -> None:
        size = sum(len(message.value) for message in batch)
        while self._queue and size < BATCH_BYTES:
            message = self._queue.popleft()
            size += len(message.value)
            batch.append(message)

    def _open(self) -> None:
        self._number += 1
        self._path = self._folder / segment_name(self._id, self._number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._opened = time.monotonic()

    def _rotate(self) -> None:
        """Go on in a new segment where this one is full, old, or was removed by somebody."""
        state = os.fstat(self._file)
        aged = state.st_size > 0 and time.monotonic() - self._opened > self._segment_seconds
        if state.st_nlink > 0 and state.st_size < self._segment_bytes and not aged:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        full = self._file
        self._open()
        os.close(full)
        retain(self._folder, self._retention)

    def _write(self, batch: list[Message]) -> None:
        """Write a batch; whole messages leave it, and a part of one is taken back, whatever the disk says."""
        data = b"".join([part for message in batch for part in (message.value, b"\n")])
        try:
            self._rotate()
            written = os.write(self._file, data)
            if written < len(data):
                written = self._untear(batch, written)
        except OSError as error:
            self._error = f"{self._folder}: {error.strerror}"
            return
        done, size = 0, 0
        while done < len(batch) and size + len(batch[done].value) < written:
            size += len(batch[done].value) + 1
            done += 1
        self._delivered += sum(message.events for message in batch[:done])
        self._bytes_out += sum(len(message.value) + OVERHEAD for message in batch[:done])
        del batch[:done]
        self._error = None if not batch else f"{self._folder}: {os.strerror(28)}"

    def _untear(self, batch: list[Message], written: int) -> int:
        """Cut the part of a line off the segment's end; the bytes of whole lines that stay."""
        whole = 0
        for message in batch:
            if whole + len(message.value) + 1 > written:
                break
            whole += len(message.value) + 1
        os.ftruncate(self._file, os.fstat(self._file).st_size - (written - whole))
        return whole


class DirectoryReader:
    """Reads all segments; within one, in order.

    The members of a `group` share a position, and one of them is active: the others' `poll` waits until it is gone.
    Without a group the reader is on its own, keeps nothing, and `start` may be a position.
    `skipped` counts torn lines (a writer was killed while it wrote), `lost` bytes that retention took unread.
    """

    def __init__(
        self,
        folder: str | Path,
        group: str | None = None,
        start: Literal["earliest", "latest"] | Position = "latest",
    ) -> None:
        self._folder = Path(folder)
        self.skipped = 0
        self.lost = 0
        self._position: Position = {}
        self._home: Path | None = None
        self._lock: int | None = None
        if start == "latest":
            start = {name: end_of_lines(self._folder / name) for name in segments(self._folder)}
        self._start: Position = {} if start == "earliest" else dict(start)
        if group is None:
            self._position = dict(self._start)
            return
        self._home = self._folder / "groups" / group
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StreamError(f"{folder}: group {group} cannot be kept: {error.strerror}") from error
        self._active = False

    @property
    def active(self) -> bool:
        """Whether this member reads; takes over where no other does."""
        if self._lock is None or self._active:
            return True
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._active = True
        assert self._home is not None
        try:
            self._position = json.loads((self._home / "position.json").read_bytes())
        except FileNotFoundError:
            self._position = dict(self._start)
            self.commit()
        gone = removed_sizes(self._folder)
        self.lost += sum(max(0, gone[name] - at) for name, at in self._position.items() if name in gone)
        return True

    def poll(self, most: int, timeout: float) -> list[Record]:
        """At most `most` records; an empty list after `timeout` seconds without any, or while another is active."""
        deadline = time.monotonic() + timeout
        while True:
            records = self._read(most) if self.active else []
            left = deadline - time.monotonic()
            if records or left <= 0:
                return records
            time.sleep(min(0.02, left))

    def commit(self) -> None:
        """Keep the position, atomically; segments that are gone leave it."""
        if self._home is None or not self.active:
            return
        present = set(segments(self._folder))
        kept = {name: at for name, at in self._position.items() if name in present}
        fresh = self._home / "position.json.new"
        fresh.write_text(json.dumps(kept))
        fresh.replace(self._home / "position.json")

    def close(self) -> None:
        """Let another member of the group take over."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            self._home = None

    def _read(self, most: int) -> list[Record]:
        records: list[Record] = []
        for name in segments(self._folder):
            if len(records) >= most:
                break
            try:
                self._read_segment(name, most - len(records), records)
            except FileNotFoundError:
                self.lost += max(0, removed_sizes(self._folder).get(name, 0) - self._position.pop(name, 0))
        return records

    def _read_segment(self, name: str, most: int, records: list[Record]) -> None:
        path = self._folder / name
        at = self._position.get(name, 0)
        if path.stat().st_size <= at:
            return
        ended = not is_written(path)
        with path.open("rb") as file:
            file.seek(at)
            data = file.read(CHUNK)
            while b"\n" not in data and (more := file.read(CHUNK)):
                data += more
            whole = file.tell() == os.fstat(file.fileno()).st_size
        lines = data.split(b"\n")
        rest = lines.pop()
        for line in lines[:most]:
            records.append(Record(line, name, at))
            at += len(line) + 1
        if rest and whole and ended and len(lines) <= most:
            self.skipped += 1
            at += len(rest)
        self._position[name] = at
