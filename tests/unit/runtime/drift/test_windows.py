"""Windows depend on the rows of each partition and on nothing else: not on blocks, restarts or who was read first."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.drift.types import Window
from moorage_runtime.drift.windows import SECOND, RowWindows, TimeWindows


@dataclass(frozen=True)
class Bag:
    """A pane that remembers its rows, in no order."""

    rows: tuple[str, ...]

    def __add__(self, other):
        return Bag(tuple(sorted(self.rows + other.rows)))


def dump(bag):
    return list(bag.rows)


def load(rows):
    return Bag(tuple(rows))


def bag_of(names):
    return lambda begin, end: Bag(tuple(sorted(names[begin:end])))


class Rows:
    """Some rows of one partition: offsets with several rows a message, and times."""

    def __init__(self, partition, times, per_message=2):
        self.partition = partition
        self.times = np.array(times, np.int64)
        self.offsets = np.arange(len(times), dtype=np.int64) // per_message
        self.names = [f"{partition}{number}" for number in range(len(times))]

    def add(self, windows, begin, end):
        times = self.times[begin:end]
        if isinstance(windows, RowWindows):
            return windows.add(self.partition, self.offsets[begin:end], times, bag_of(self.names[begin:end]))
        order = windows.order(times)
        names = self.names[begin:end]
        if order is not None:
            names = [names[i] for i in order]
        return windows.add(self.partition, times, bag_of(names), order)


def schedule(draw, partitions):
    """An interleaving of the partitions in blocks of any size, with restarts in between."""
    at = {rows.partition: 0 for rows in partitions}
    steps = []
    while open_ones := [rows for rows in partitions if at[rows.partition] < len(rows.times)]:
        rows = draw(st.sampled_from(open_ones))
        begin = at[rows.partition]
        end = draw(st.integers(begin + 1, len(rows.times)))
        at[rows.partition] = end
        steps.append((rows, begin, end, draw(st.booleans())))
    return steps


def run(make, steps):
    """The closed windows of a schedule; a restart passes the state through JSON."""
    windows = make()
    closed = []
    for rows, begin, end, restart in steps:
        closed += rows.add(windows, begin, end)
        if restart:
            state = json.loads(json.dumps(windows.state(dump)))
            windows = make()
            windows.restore(state, load)
    return closed, windows


@st.composite
def row_schedules(draw):
    partitions = [
        Rows(name, draw(st.lists(st.integers(0, 100), min_size=1, max_size=30)), draw(st.integers(1, 7)))
        for name in "ab"
    ]
    return partitions, schedule(draw, partitions), draw(st.integers(1, 9))


@given(row_schedules())
@settings(max_examples=150, deadline=None)
def test_windows_of_rows_do_not_depend_on_how_the_stream_was_read(drawn):
    partitions, steps, size = drawn
    closed, _ = run(lambda: RowWindows(size), steps)
    whole = []
    for rows in partitions:
        whole += rows.add(RowWindows(size), 0, len(rows.times))
    assert sorted(closed, key=lambda one: (one.window.partition, one.window.index)) == whole
    for one in closed:
        first = one.window.index * size
        assert sorted(one.pane.rows) == sorted(
            f"{one.window.partition}{number}" for number in range(first, first + size)
        )


def test_a_boundary_may_lie_within_a_message_and_series_times_grow():
    rows = Rows("a", [5_000_000, 5_000_000, 5_000_000, 4_000_000, 4_000_000, 9_000_000], per_message=3)
    first, second, third = (one.window for one in rows.add(RowWindows(2), 0, 6))
    assert (first.first_offset, first.last_offset) == (0, 0)
    assert (second.first_offset, second.last_offset) == (0, 1)
    assert [one.timestamp for one in (first, second, third)] == [5000, 5001, 9000]
    assert (second.start, second.end) == (4_000_000, 5_000_000)
    assert [one.index for one in (first, second, third)] == [0, 1, 2]


def test_a_changed_window_begins_empty_and_goes_on_counting():
    windows = RowWindows(3)
    rows = Rows("a", [1_000_000] * 5)
    rows.add(windows, 0, 5)
    anew = RowWindows(2)
    anew.restart(windows.state(dump))
    (one,) = Rows("a", [1_000_000] * 2).add(anew, 0, 2)
    assert one.window.index == 1
    assert one.window.timestamp == 1001
    assert one.pane.rows == ("a0", "a1")


@st.composite
def time_schedules(draw):
    step = st.integers(-3, 4)
    partitions = []
    for name in "abc":
        steps = draw(st.lists(step, min_size=1, max_size=25))
        times = (100 + np.cumsum(steps)) * SECOND // 2
        partitions.append(Rows(name, times, 1))
    return partitions, schedule(draw, partitions), draw(st.integers(1, 4)), draw(st.integers(0, 3))


@given(time_schedules())
@settings(max_examples=200, deadline=None)
def test_windows_of_time_do_not_depend_on_how_the_stream_was_read(drawn):
    partitions, steps, seconds, lateness = drawn

    def make():
        windows = TimeWindows(seconds, lateness)
        windows.known("abc")
        return windows

    def ended(closed, windows):
        closed = closed + windows.release(dict.fromkeys("abc", 1 << 60))
        return [(one.window, sorted(one.pane.rows)) for one in closed], windows.late

    result = ended(*run(make, steps))
    assert result == ended(*run(make, [(rows, 0, len(rows.times), False) for rows in partitions]))
    assert result == expected(partitions, seconds * SECOND, lateness * SECOND)


def expected(partitions, length, lateness):
    """By the definition, row by row."""
    windows, late = {}, 0
    for rows in partitions:
        greatest = None
        for name, time in zip(rows.names, rows.times.tolist(), strict=True):
            end = (time // length + 1) * length
            if greatest is not None and end <= greatest - lateness:
                late += 1
            else:
                windows.setdefault(time // length, []).append(name)
            greatest = time if greatest is None else max(greatest, time)
    closed = [
        (_window(number, length, len(names)), sorted(names)) for number, names in sorted(windows.items())
    ]
    return closed, late


def _window(number, length, rows):
    return Window(None, number, number * length, (number + 1) * length, rows, (number + 1) * length // 1000)


def test_a_window_waits_for_every_partition_and_for_late_rows():
    windows = TimeWindows(10, 5)
    windows.known(["a", "b"])
    assert Rows("a", [0, 14 * SECOND]).add(windows, 0, 2) == []
    assert Rows("b", [1, 16 * SECOND]).add(windows, 0, 2) == []
    (one,) = Rows("a", [15 * SECOND]).add(windows, 0, 1)
    assert (one.window.start, one.window.end, one.window.rows) == (0, 10 * SECOND, 2)


def test_a_quiet_partition_holds_windows_back_only_until_it_is_released():
    windows = TimeWindows(10, 0)
    windows.known(["a", "b"])
    Rows("a", [0, 25 * SECOND]).add(windows, 0, 2)
    assert not windows.would_close({"b": 9 * SECOND})
    assert windows.would_close({"b": 10 * SECOND})
    assert [one.window.index for one in windows.release({"b": 20 * SECOND})] == [0]
    assert Rows("b", [19 * SECOND, 20 * SECOND]).add(windows, 0, 2) == []
    assert windows.late == 1


def test_a_partition_that_comes_later_cannot_enter_closed_windows():
    windows = TimeWindows(10, 0)
    Rows("a", [0, 30 * SECOND]).add(windows, 0, 2)
    Rows("new", [5 * SECOND, 31 * SECOND]).add(windows, 0, 2)
    assert windows.late == 1


def test_a_partition_that_is_gone_is_not_waited_for():
    windows = TimeWindows(10, 0)
    windows.known(["a", "gone"])
    Rows("a", [0, 30 * SECOND]).add(windows, 0, 2)
    windows.forget("gone")
    assert [one.window.index for one in windows.close()] == [0]


def test_rows_in_any_order_cost_one_pane_a_window():
    windows = TimeWindows(1, 1000)
    times = np.random.default_rng(0).integers(0, 10 * SECOND, 5000)
    made = []
    order = windows.order(times)
    windows.add("a", times, lambda begin, end: made.append(end - begin) or Bag(()), order)
    assert len(made) == 10
    assert sum(made) == 5000


@pytest.mark.parametrize("times", [[], [3]])
def test_blocks_without_rows_say_nothing(times):
    windows = TimeWindows(10, 0)
    assert Rows("a", times).add(windows, 0, len(times)) == []
