"""What goes through the worker: records by column, and what came of them.

By column, because an object per record would cost more than the prediction of one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Headers = Sequence[tuple[str, bytes | None]]
Partition = int | str
"""Number of a topic's partition, or name of a directory stream's segment."""


@dataclass(slots=True)
class Batch:
    """Consecutive records of each partition; lists have one entry per record."""

    stream: str
    """Name of the topic, or of the folder."""
    values: list[bytes | None]
    keys: list[bytes | None]
    headers: list[Headers | None]
    timestamps: list[int | None]
    """ms since the epoch."""
    partitions: list[Partition]
    offsets: list[int]

    def __len__(self) -> int:
        return len(self.values)

    def select(self, indices: Iterable[int]) -> "Batch":
        """Those records only."""
        chosen = list(indices)
        return Batch(
            self.stream,
            [self.values[i] for i in chosen],
            [self.keys[i] for i in chosen],
            [self.headers[i] for i in chosen],
            [self.timestamps[i] for i in chosen],
            [self.partitions[i] for i in chosen],
            [self.offsets[i] for i in chosen],
        )

    def ends(self) -> dict[Partition, int]:
        """Of every partition: the offset of its last record."""
        return dict(zip(self.partitions, self.offsets, strict=True))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record is not predicted; `reason` is one of a few words, for counting."""

    reason: str
    message: str


@dataclass(slots=True)
class Outgoing:
    """A record on its way out; `target` is the stream that it goes to."""

    target: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp: int | None = None


@dataclass(slots=True)
class Predicted:
    """A batch and its output records; what failed has no output but a failure, by index."""

    batch: Batch
    values: list[bytes]
    headers: list[Headers]
    failures: dict[int, Failure] = field(default_factory=dict)

    def without(self, partitions: Iterable[Partition]) -> "Predicted":
        """The rest, where partitions went to another member of the group."""
        gone = set(partitions)
        kept = [i for i, partition in enumerate(self.batch.partitions) if partition not in gone]
        return Predicted(
            self.batch.select(kept),
            [self.values[i] for i in kept],
            [self.headers[i] for i in kept],
            {place: self.failures[i] for place, i in enumerate(kept) if i in self.failures},
        )


Positions = Mapping[Partition, int]
"""Partition to the offset of the next record to read."""
