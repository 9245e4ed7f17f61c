"""Which rows are judged together: windows of rows per partition, or of event time over all partitions.

Pure. What is in a window depends on the rows of each partition in the order of their offsets and on nothing else, not on
how partitions were read past each other or where a restart cut the stream. Windows are gathered from panes, which
merge by addition.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from moorage_runtime.drift.types import Window

SECOND = 1_000_000
NEVER = -(1 << 62)
"""Before any event time, µs."""
Times = NDArray[np.int64]


class Mergeable(Protocol):
    """What a pane has to be able to do here."""

    def __add__(self, other: Self) -> Self: ...


P = TypeVar("P", bound=Mergeable)
MakePane = Callable[[int, int], P]
"""The pane of the rows from `begin` up to `end` of the block at hand."""


@dataclass(frozen=True, slots=True)
class Closed(Generic[P]):
    """A window that no further row can enter."""

    window: Window
    pane: P


@dataclass(slots=True)
class _Rows(Generic[P]):
    """A partition's open window of rows."""

    index: int = 0
    rows: int = 0
    start: int = 0
    end: int = 0
    first_offset: int = -1
    timestamp: int = 0
    """Of the window before it."""
    pane: P | None = None


class RowWindows(Generic[P]):
    """Tumbling windows of `rows` rows of a partition; a boundary may lie within a message."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._open: dict[str, _Rows[P]] = {}

    def add(self, partition: str, offsets: Times, times: Times, pane: MakePane[P]) -> list[Closed[P]]:
        """Add a partition's next rows (each row's offset and event time); the windows that they complete."""
        at = self._open.setdefault(partition, _Rows())
        closed = []
        begin, total = 0, len(times)
        while begin < total:
            end = min(total, begin + self._rows - at.rows)
            part, piece = times[begin:end], pane(begin, end)
            first, last = int(part.min()), int(part.max())
            if at.pane is None:
                at.start, at.end, at.first_offset, at.pane = first, last, int(offsets[begin]), piece
            else:
                at.start, at.end, at.pane = min(at.start, first), max(at.end, last), at.pane + piece
            at.rows += end - begin
            if at.rows == self._rows:
                closed.append(self._close(partition, at, int(offsets[end - 1])))
                at = self._open[partition]
            begin = end
        return closed

    def _close(self, partition: str, at: _Rows[P], last_offset: int) -> Closed[P]:
        assert at.pane is not None
        timestamp = max(at.end // 1000, at.timestamp + 1)
        window = Window(
            partition, at.index, at.start, at.end, at.rows, timestamp, at.first_offset, last_offset
        )
        self._open[partition] = _Rows(at.index + 1, timestamp=timestamp)
        return Closed(window, at.pane)

    def forget(self, partition: str) -> None:
        """A partition is gone: its open window is never judged."""
        self._open.pop(partition, None)

    def state(self, dump: Callable[[P], Any]) -> dict[str, Any]:
        """As JSON; `dump` gives a pane's."""
        return {
            name: {
                **{key: getattr(at, key) for key in _Rows.__slots__ if key != "pane"},
                "pane": None if at.pane is None else dump(at.pane),
            }
            for name, at in self._open.items()
        }

    def restore(self, state: Mapping[str, Any], load: Callable[[Any], P]) -> None:
        """Go on from a state."""
        for name, fields in state.items():
            pane = fields["pane"]
            self._open[name] = _Rows(**{**fields, "pane": None if pane is None else load(pane)})

    def restart(self, state: Mapping[str, Any]) -> None:
        """Begin with empty windows, whose numbers and times go on from those of a state."""
        for name, fields in state.items():
            self._open[name] = _Rows(fields["index"], timestamp=fields["timestamp"])


@dataclass(slots=True)
class _Span(Generic[P]):
    """An open window of time."""

    rows: int
    pane: P


@dataclass(slots=True)
class Marks:
    """How far event time has come, µs."""

    greatest: dict[str, int] = field(default_factory=dict)
    """Partition to the greatest event time seen in it; NEVER before its first row."""
    released: dict[str, int] = field(default_factory=dict)
    """Partition to the time up to which it does not hold windows back although it brought nothing."""
    closed: int = NEVER
    """All windows that end here or before are closed."""


class TimeWindows(Generic[P]):
    """Tumbling windows of `seconds` of event time over all partitions.

    A row is late, and only counted in `late`, if its window ended before the greatest event time seen before it
    in its own partition, less `lateness` seconds; so lateness does not depend on other partitions. A window closes
    once no partition can bring it a row any more. Rows of a partition that was not known at the time, or was
    released, are late where their window is closed.
    """

    def __init__(self, seconds: int, lateness: int) -> None:
        self.late = 0
        self.marks = Marks()
        self._length = seconds * SECOND
        self._lateness = lateness * SECOND
        self._open: dict[int, _Span[P]] = {}

    def known(self, partitions: Iterable[str]) -> None:
        """These partitions exist: from now on windows wait for them."""
        for name in partitions:
            self.marks.greatest.setdefault(name, NEVER)

    def forget(self, partition: str) -> None:
        """A partition is gone: windows wait for it no longer."""
        self.marks.greatest.pop(partition, None)
        self.marks.released.pop(partition, None)

    def order(self, times: Times) -> NDArray[np.intp] | None:
        """An order of the rows that lays a window's rows side by side; None where they mostly are."""
        index = times // self._length
        runs = int(np.count_nonzero(index[1:] != index[:-1])) + 1
        if runs <= 8 or runs <= 2 * len(np.unique(index)):
            return None
        return np.argsort(index, kind="stable")

    def lateness(self, partition: str, times: Times) -> NDArray[np.bool_]:
        """Which of a partition's next rows, in the order of their offsets, are late."""
        greatest = self.marks.greatest.get(partition, NEVER)
        before = np.maximum.accumulate(np.concatenate(([greatest], times[:-1])))
        reached = np.maximum(before - self._lateness, self._floor(partition))
        late: NDArray[np.bool_] = (times // self._length + 1) * self._length <= reached
        return late

    def _floor(self, partition: str) -> int:
        return max(self.marks.closed, self.marks.released.get(partition, NEVER))

    def add(
        self, partition: str, times: Times, pane: MakePane[P], order: NDArray[np.intp] | None = None
    ) -> list[Closed[P]]:
        """Add a partition's next rows; the windows that close thereby.

        `times` are in the order of their offsets; where `order` is given, `pane` counts in that order.
        """
        if not len(times):
            return []
        late = self.lateness(partition, times)
        index = np.where(late, NEVER, times // self._length)
        if order is not None:
            index = index[order]
        self.late += int(np.count_nonzero(late))
        edges = [0, *(np.flatnonzero(index[1:] != index[:-1]) + 1).tolist(), len(index)]
        for begin, end in pairwise(edges):
            number = int(index[begin])
            if number == NEVER:
                continue
            piece = pane(begin, end)
            span = self._open.get(number)
            if span is None:
                self._open[number] = _Span(end - begin, piece)
            else:
                span.rows, span.pane = span.rows + end - begin, span.pane + piece
        known = self.marks.greatest.get(partition, NEVER)
        self.marks.greatest[partition] = max(known, int(times.max()))
        return self.close()

    def release(self, marks: Mapping[str, int]) -> list[Closed[P]]:
        """Let these partitions hold nothing back up to a time (µs); the windows that close thereby."""
        for name, mark in marks.items():
            self.marks.released[name] = max(mark, self.marks.released.get(name, NEVER))
        return self.close()

    def watermark(self, released: Mapping[str, int] = MappingProxyType({})) -> int:
        """Before this event time nothing is awaited any more (where `released` held nothing back either); µs."""
        marks = self.marks
        return min(
            (
                max(greatest - self._lateness, marks.released.get(name, NEVER), released.get(name, NEVER))
                for name, greatest in marks.greatest.items()
            ),
            default=NEVER,
        )

    def would_close(self, released: Mapping[str, int]) -> bool:
        """Whether a window closes once these partitions hold nothing back up to these times."""
        last = self.watermark(released) // self._length
        return any(number < last for number in self._open)

    def close(self) -> list[Closed[P]]:
        """Close what the watermark has passed, the earliest first."""
        last = self.watermark() // self._length
        if last * self._length <= self.marks.closed:
            return []
        self.marks.closed = last * self._length
        return [self._closed(number) for number in sorted(self._open) if number < last]

    def _closed(self, number: int) -> Closed[P]:
        span = self._open.pop(number)
        begin = number * self._length
        end = begin + self._length
        return Closed(Window(None, number, begin, end, span.rows, end // 1000), span.pane)

    def state(self, dump: Callable[[P], Any]) -> dict[str, Any]:
        """As JSON; `dump` gives a pane's."""
        spans = {str(number): [span.rows, dump(span.pane)] for number, span in self._open.items()}
        return {"marks": asdict(self.marks), "late": self.late, "open": spans}

    def restore(self, state: Mapping[str, Any], load: Callable[[Any], P]) -> None:
        """Go on from a state."""
        self.restart(state)
        for number, (rows, pane) in state["open"].items():
            self._open[int(number)] = _Span(rows, load(pane))

    def restart(self, state: Mapping[str, Any]) -> None:
        """Begin with empty windows: those that a state has closed stay closed."""
        self.marks = Marks(**state["marks"])
        self.late = state["late"]
