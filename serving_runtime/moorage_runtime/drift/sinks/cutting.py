"""Where a partition's rows are cut into files: a function of the rows, not of the blocks they come in.

A file ends at the first end of a message at or after `rows` rows, or before the first message (other than its first)
with a row `seconds` of event time after its first row; and where the partition falls silent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from moorage_runtime.drift.sinks.tables import Slice
from moorage_runtime.drift.types import Block


@dataclass(frozen=True, slots=True)
class Cut:
    """The rows of one file-to-be (one per version, date and hour), and where reading goes on after them."""

    partition: str
    slices: tuple[Slice, ...]
    next_offset: int

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(piece.end - piece.begin for piece in self.slices)


@dataclass(slots=True)
class Cutter:
    """The open rows of one partition."""

    partition: str
    rows: int
    microseconds: int
    next_offset: int | None = None
    _open: list[Slice] = field(default_factory=list)
    _count: int = 0
    _first_time: int = 0
    _first_offset: int = 0

    def add(self, block: Block, begin: int = 0) -> Iterator[Cut]:
        """Take the rows of a block from `begin` on; the files that end within it."""
        while begin < block.rows:
            if not self._open:
                self._first_time, self._first_offset = int(block.times[begin]), int(block.offsets[begin])
            end = min(self._by_rows(block, begin), self._by_time(block, begin))
            if end == begin:  # the rows before this block end here
                yield self._cut(int(block.offsets[begin]))
                continue
            self._open.append(Slice(block, begin, end))
            self._count += end - begin
            ended = end < block.rows or self._count >= self.rows
            begin = end
            if ended:
                yield self._cut(int(block.offsets[end]) if end < block.rows else block.next_offset)
        self.next_offset = block.next_offset

    def end(self) -> Cut | None:
        """End the open file, where there is one."""
        if not self._open or self.next_offset is None:
            return None
        return self._cut(self.next_offset)

    @property
    def empty(self) -> bool:
        """Whether no row waits for its file to end."""
        return not self._open

    def _by_rows(self, block: Block, begin: int) -> int:
        """End of the message with which the file has enough rows."""
        reached = begin + self.rows - self._count - 1
        if reached >= block.rows:
            return block.rows
        return int(np.searchsorted(block.offsets, block.offsets[reached], side="right"))

    def _by_time(self, block: Block, begin: int) -> int:
        """Begin of the first message that is too late for the file."""
        rest = begin + int(np.searchsorted(block.offsets[begin:], self._first_offset, side="right"))
        late = block.times[rest:] >= self._first_time + self.microseconds
        if not late.any():
            return block.rows
        return int(np.searchsorted(block.offsets, block.offsets[rest + int(late.argmax())], side="left"))

    def _cut(self, next_offset: int) -> Cut:
        cut = Cut(self.partition, tuple(self._open), next_offset)
        self._open, self._count = [], 0
        return cut
