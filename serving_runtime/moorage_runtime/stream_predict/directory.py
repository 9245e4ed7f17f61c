"""Directory streams as input and output: at least once, on one machine."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from moorage_runtime.config import StreamConfig
from moorage_runtime.stream_predict.records import Batch, Outgoing, Partition, Positions
from moorage_runtime.streams import Message, open_reader, open_writer, stream_path

_BUFFER = 1 << 30
_CHUNK = 32 << 20
"""Bytes that are handed to the writer at once; far below its bound, so that nothing is dropped."""


class DirectoryInput:
    """Reads a directory stream as a member of `group`; others of the group wait until this one is gone."""

    ahead = False

    def __init__(self, stream: StreamConfig, group: str, start: Literal["earliest", "latest"]) -> None:
        self._reader = open_reader(stream, group, start)
        self._folder = Path(stream_path(stream.uri))
        self.error: str | None = None
        self.joined = True

    def take(self, most: int, wait: float) -> Batch | None:
        """At most `most` records, waiting up to `wait` seconds for the first."""
        records = self._reader.poll(most, wait)
        if not records:
            return None
        return Batch(
            self._folder.name,
            [record.value for record in records],
            [None] * len(records),
            [None] * len(records),
            [None] * len(records),
            [record.partition for record in records],
            [record.offset for record in records],
        )

    def commit(self, _: Positions) -> None:
        """Keep the position after all that was taken."""
        try:
            self._reader.commit()
        except OSError as error:
            self.error = f"{self._folder}: position not kept: {error.strerror}"
        else:
            self.error = None

    def moved(self) -> Iterable[Partition]:
        """None: a member keeps what it reads."""
        return ()

    def idle(self) -> None:
        """Nothing to stay a member for."""

    def resume(self) -> None:
        """Nothing was paused."""

    def lag(self) -> int | None:
        """Not known: a folder counts bytes, not records."""
        return None

    def close(self) -> None:
        """Let another member take over."""
        self._reader.close()


class LineSender:
    """Writes values as lines; keys, headers and timestamps have no place there."""

    def __init__(self, stream: StreamConfig) -> None:
        self._writer = open_writer(stream, _BUFFER)
        self._waiting: list[Outgoing] = []
        self.error: str | None = None

    def send(self, records: Sequence[Outgoing]) -> None:
        """Take the records over."""
        self._waiting.extend(records)
        self._feed()

    def _feed(self) -> None:
        size = taken = 0
        for record in self._waiting:
            size += len(record.value or b"")
            taken += 1
            if size > _CHUNK:
                break
        self._writer.write([_line(record) for record in self._waiting[:taken]])
        del self._waiting[:taken]

    def wait(self, timeout: float) -> bool:
        """Whether everything is in the folder, within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self._writer.flush(max(0.0, deadline - time.monotonic())):
            self.error = None
            if not self._waiting:
                return True
            self._feed()
        self.error = self._writer.stats.error
        return False

    def refused(self) -> list[tuple[Outgoing, str, bool]]:
        """None: a folder takes everything, or is waited for."""
        return []

    def close(self) -> None:
        """Write what is left, for a second at most."""
        self._writer.close(1.0)


def _line(record: Outgoing) -> Message:
    """The value on one line; a line end outside of JSON's strings is only space."""
    value = record.value or b""
    return Message(value.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in value else value)
