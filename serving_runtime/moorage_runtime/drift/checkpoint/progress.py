"""Where in the stream the worker is: what was judged, what has to be read again only for the archive, who is quiet.

Pure. Raw rows reach Parquet some time after they were judged. So after a restart reading begins where the archive
ends, and rows before the judged position are archived again, into the same files, and not judged again.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moorage_runtime.streams import Chunk


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a chunk that is treated alike."""

    chunk: Chunk | None
    """None: only the end of a file."""
    judged: bool
    """Whether it was judged before, and is only to be archived."""
    ends_file: bool = False
    """Whether the archive's open file of the partition ended after it, because the stream was quiet then."""


@dataclass(slots=True)
class Progress:
    """Offsets by partition."""

    positions: dict[str, int] = field(default_factory=dict)
    """Of the first message that was not judged yet."""
    archived: dict[str, int] = field(default_factory=dict)
    """Of the first message that is not archived yet; empty without an archive."""
    ends: dict[str, list[int]] = field(default_factory=dict)
    """Offsets at which the archive's files were ended because the stream was quiet, as long as they may have to be
    ended there again."""
    archiving: bool = False
    _replay: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def restore(cls, state: Mapping[str, Any], *, archiving: bool) -> "Progress":
        """From a manifest."""
        progress = cls(dict(state["positions"]), archiving=archiving)
        if archiving:
            progress.archived = {**progress.positions, **state["archived"]}
            progress.ends = {name: list(offsets) for name, offsets in state["ends"].items()}
            progress._replay = {name: list(offsets) for name, offsets in state["ends"].items()}
        return progress

    def state(self) -> dict[str, Any]:
        """For a manifest."""
        return {"positions": self.positions, "archived": self.archived, "ends": self.ends}

    def begin(self) -> dict[str, int]:
        """Where reading begins after a restart."""
        return {name: min(at, self.archived.get(name, at)) for name, at in self.positions.items()}

    def ended_at_once(self) -> list[str]:
        """Partitions whose file has to be ended before anything is read again."""
        found = []
        for name, at in self.begin().items():
            replay = self._replay.get(name, [])
            while replay and replay[0] <= at:
                replay.pop(0)
                found.append(name)
        return found

    def pieces(self, chunk: Chunk) -> Iterator[Piece]:
        """The chunk, cut at the judged position and at the ends of the archive's files; moves the position."""
        position = self.positions.get(chunk.partition, -1)
        if self.archiving and chunk.offsets:
            self.archived.setdefault(chunk.partition, max(position, chunk.offsets[0]))
        begin = 0
        replay = self._replay.get(chunk.partition, [])
        while replay:
            stop = bisect_left(chunk.offsets, replay[0])
            if stop > begin:
                yield Piece(_part(chunk, begin, stop), judged=True)
                begin = stop
            if stop == len(chunk.offsets) and chunk.next_offset < replay[0]:
                return
            replay.pop(0)
            yield Piece(None, judged=True, ends_file=True)
        stop = bisect_left(chunk.offsets, position)
        if stop > begin:
            yield Piece(_part(chunk, begin, stop), judged=True)
            begin = stop
        if begin < len(chunk.offsets):
            yield Piece(_part(chunk, begin, len(chunk.offsets)), judged=False)
        self.positions[chunk.partition] = max(position, chunk.next_offset)

    def judge_from(self, cuts: Mapping[str, int]) -> None:
        """Rows before these offsets are archived and not judged."""
        if self.archiving:
            self.archived = {**self.positions, **self.archived}
        self.positions.update(cuts)

    def behind(self, name: str, reading: Mapping[str, int]) -> bool:
        """Whether a partition is still being read again for the archive."""
        return reading.get(name, 0) < self.positions.get(name, 0)

    def archive(self, archived: Mapping[str, int | None]) -> None:
        """What the sinks have made durable; None where they have nothing of a partition yet."""
        if not self.archiving:
            return
        for name, at in archived.items():
            if at is not None:
                self.archived[name] = at
        for name, offsets in list(self.ends.items()):
            position = self.positions[name]
            kept = [at for at in offsets if at > self.archived.get(name, position) or at == position]
            if kept:
                self.ends[name] = kept
            else:
                del self.ends[name]

    def end_files(self, names: Iterable[str]) -> None:
        """Note that these partitions' open files end at their positions."""
        for name in names:
            self.ends.setdefault(name, []).append(self.positions[name])

    def has_end(self, name: str) -> bool:
        """Whether a partition's file was ended at its position already."""
        return self.positions.get(name) in self.ends.get(name, [])

    def forget(self, name: str) -> None:
        """A partition is gone."""
        for held in (self.positions, self.archived, self.ends, self._replay):
            held.pop(name, None)

    def undo_end(self, name: str) -> None:
        """Forget the last of a partition's ends: it did not become durable."""
        if name in self.ends:
            self.ends[name].pop()


def _part(chunk: Chunk, begin: int, end: int) -> Chunk:
    if begin == 0 and end == len(chunk.offsets):
        return chunk
    return Chunk(
        chunk.partition,
        chunk.values[begin:end],
        chunk.offsets[begin:end],
        chunk.offsets[end] if end < len(chunk.offsets) else chunk.next_offset,
        None if chunk.keys is None else chunk.keys[begin:end],
        None if chunk.headers is None else chunk.headers[begin:end],
        None if chunk.timestamps is None else chunk.timestamps[begin:end],
    )


class Quiet:
    """Since when each partition has brought nothing (a monotonic clock's seconds)."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def brought(self, name: str, now: float) -> None:
        """A partition brought something."""
        self._since[name] = now

    def longer_than(self, seconds: float, caught_up: Iterable[str], now: float) -> frozenset[str]:
        """Partitions at their end that have brought nothing for so long."""
        return frozenset(name for name in caught_up if now - self._since.setdefault(name, now) >= seconds)
