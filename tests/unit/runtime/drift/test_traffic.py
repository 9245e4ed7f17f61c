"""What a live test sends, and what claims to be of another century, is judged nowhere."""

import numpy as np
import pytest

from moorage_runtime.capture import TEST_ID
from moorage_runtime.drift.traffic import traffic
from moorage_runtime.drift.types import Block, Run
from moorage_runtime.live_test.load import Ids

NOW = 1_795_365_930_000_000


def block(names, counts, times, runs=()):
    """A block of requests; column `at` counts the rows."""
    rows = sum(counts)
    return Block(
        partition="0",
        first_offset=5,
        next_offset=9,
        offsets=np.repeat(np.arange(len(names)) // 2 + 5, counts),
        times=np.repeat(times, counts),
        request_ids=names,
        counts=np.array(counts),
        first_rows=np.arange(len(names)),
        latencies=np.arange(len(names)) * 10,
        features={"at": np.arange(rows, dtype=float), "text": np.array(list("abcdefgh"[:rows]), object)},
        predictions={"predict": np.arange(rows, dtype=float)},
        versions=[f"v{number}" for number in range(len(names))],
        runs=runs,
    )


def test_a_block_of_nothing_but_traffic_is_passed_on_as_it_is():
    one = block(["a", "b"], [2, 1], [NOW, NOW])
    kept, skipped = traffic(one, NOW)
    assert kept is one
    assert not skipped
    named = block([f"x{TEST_ID}1"], [2], [NOW])  # not at the beginning
    assert traffic(named, NOW)[0] is named


def test_a_tests_requests_within_a_packed_message_go_and_the_others_keep_what_is_theirs():
    ids = Ids("run7")
    one = block(["a", ids.load(1), "b", ids.other("warm-0-0")], [1, 2, 3, 1], [NOW] * 4)
    kept, skipped = traffic(one, NOW)
    assert skipped == {"live_test": 3}
    assert kept.request_ids == ["a", "b"]
    assert kept.counts.tolist() == [1, 3]
    assert kept.first_rows.tolist() == [0, 2]
    assert kept.latencies.tolist() == [0, 20]
    assert kept.versions == ["v0", "v2"]
    assert kept.features["at"].tolist() == kept.predictions["predict"].tolist() == [0, 3, 4, 5]
    assert kept.features["text"].tolist() == ["a", "d", "e", "f"]
    assert kept.offsets.tolist() == [5, 6, 6, 6]
    assert (kept.first_offset, kept.next_offset, kept.rows) == (5, 9, 4)


def test_rows_of_the_far_future_go_and_count_once_also_where_they_are_a_tests():
    ids = Ids("run7")
    one = block(["a", "b", ids.load(1)], [1, 2, 1], [NOW, NOW + 1, NOW + 1])
    kept, skipped = traffic(one, NOW)
    assert skipped == {"future": 2, "live_test": 1}
    assert kept.request_ids == ["a"]


def test_nothing_may_be_left():
    kept, skipped = traffic(block([Ids("r").load(0)], [3], [NOW]), NOW)
    assert skipped == {"live_test": 3}
    assert kept.rows == 0


@pytest.mark.parametrize(
    "runs", [(), (Run(3, frozenset({"at"}), frozenset()), Run(3, frozenset(), frozenset()))]
)
def test_runs_of_columns_count_the_rows_that_are_kept(runs):
    one = block(["a", Ids("r").load(0), "b"], [2, 2, 2], [NOW] * 3, runs)
    kept, _ = traffic(one, NOW)
    assert [run.rows for run in kept.runs] == ([2, 2] if runs else [])
