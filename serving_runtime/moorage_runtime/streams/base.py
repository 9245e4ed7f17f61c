"""The one interface of streams; `kafka.py` and `directory.py` implement it, `open_writer`/`open_reader` choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Message:
    """What is written: `headers` are Kafka's; a directory stream keeps the value only, which must be one line.

    Not frozen because making a frozen one takes four times as long, and there may be one per request.
    """

    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    events: int = 1
    """How many captured events the value packs, for counting."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is read. `partition` and `offset` say where: a topic's, or a segment's name and byte offset."""

    value: bytes
    partition: str
    offset: int
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int | None = None
    """ms since the epoch, where the stream knows it."""


@dataclass(frozen=True, slots=True)
class WriterStats:
    """Counts of events (not messages) since the writer was opened."""

    delivered: int = 0
    dropped: int = 0
    pending: int = 0
    error: str | None = None
    """The stream's own words, while it is failing; None again once it works."""


class Writer(Protocol):
    """Writes messages without ever blocking the caller. What finds no room in the buffer is dropped and counted."""

    structured: bool
    """Whether headers are lost, so that an encoder has to put everything into the value."""

    @property
    def stats(self) -> WriterStats:
        """The counts now; all events ever written are delivered, dropped or pending."""

    def write(self, messages: Sequence[Message]) -> None:
        """Take the messages over, in order; never blocks, never raises for a stream that is down.

        Once a message finds no room, the rest of the call is dropped with it, so that no half of a pair stays.
        To be called from one thread.
        """

    def flush(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until nothing is pending; whether that was reached."""

    def close(self, timeout: float) -> None:
        """Flush, then release; what is still pending counts as dropped."""


class Reader(Protocol):
    """Reads records in order (per partition), from a position that `commit` keeps for the group."""

    def poll(self, most: int, timeout: float) -> list[Record]:
        """At most `most` records, waiting up to `timeout` seconds for the first."""

    def commit(self) -> None:
        """Keep the position after all records returned so far."""

    def close(self) -> None:
        """Release the reader; nothing is committed."""


@dataclass(slots=True)
class Chunk:
    """Consecutive messages of one partition, in the order of their offsets; lists have one entry per message."""

    partition: str
    values: list[bytes]
    offsets: list[int]
    next_offset: int
    """Where to go on after them."""
    keys: list[bytes | None] | None = None
    """None where no message has one; likewise the others."""
    headers: list[tuple[tuple[str, bytes], ...]] | None = None
    timestamps: list[int] | None = None
    """ms since the epoch."""


class PartitionReader(Protocol):
    """Reads all partitions of a stream from positions that the caller keeps.

    A partition is a topic's, or one writer of a directory stream (all of its segments in their order); an offset is
    an integer that grows along a partition. New partitions are found and read from their beginning. Within a
    partition the order of messages is always the same, between partitions it is not.
    """

    error: str | None
    """The stream's own words, while it is failing."""
    lost: int
    """Messages (Kafka) or bytes (directory) that retention took before they were read, and torn lines."""

    def poll(self, most: int, timeout: float) -> list[Chunk]:
        """At most about `most` messages, waiting up to `timeout` seconds for the first.

        Never raises for a broker that is away.
        """

    @property
    def positions(self) -> dict[str, int]:
        """Of every partition that is known: the offset of its next message."""

    @property
    def caught_up(self) -> frozenset[str]:
        """Partitions of which, by the last poll, nothing was left to read."""

    def lag(self) -> int | None:
        """Messages (Kafka) or bytes (directory) that are left to read; None where that is not known."""

    def commit(self, positions: Mapping[str, int]) -> None:
        """Tell the group's positions to whoever watches the group; nothing is read from them."""

    def close(self) -> None:
        """Release the reader."""


class StreamError(Exception):
    """A stream cannot be opened; the message names the URI and the cause."""
