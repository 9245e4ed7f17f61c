"""The pure core: shifted rows are found, and a cut at any point of the stream changes nothing."""

import numpy as np
import orjson
import pytest

from moorage_runtime.capture import TEST_ID
from moorage_runtime.config import DriftConfig, DriftState
from moorage_runtime.drift.monitor import Monitor
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.types import Block, ConceptResult, Run

START = 1_795_365_930_000_000
ROWS = 60
"""Of a window."""


def config(**changes):
    fields = {
        "model": "iris",
        "stream": {"uri": "unused"},
        "reference": {"uri": "unused"},
        "window": {"rows": ROWS},
        "checkpointUri": "unused",
        "predictionDrift": True,
        "mlrunCompatible": True,
    }
    return DriftConfig.model_validate(fields | changes)


@pytest.fixture(scope="module")
def reference():
    random = np.random.default_rng(1)
    return Reference.summarise(
        {"length": random.normal(size=2000), "colour": random.choice(["red", "blue"], 2000).astype(object)},
        {"predict": random.integers(0, 3, 2000).astype(float)},
        categorical=lambda _: False,
        mlrun=True,
    )


def stream(partition, rows, seed, shift_from=None):
    """Messages of 7 rows; `length` is shifted from a row on."""
    random = np.random.default_rng(seed)
    length = random.normal(size=rows)
    if shift_from is not None:
        length[shift_from:] += 2
    features = {"length": length, "colour": random.choice(["red", "blue"], rows).astype(object)}
    return Block(
        partition=partition,
        first_offset=0,
        next_offset=rows // 7 + 1,
        offsets=np.arange(rows, dtype=np.int64) // 7,
        times=START + np.arange(rows, dtype=np.int64) * 1_000_000 + random.integers(-3, 3, rows) * 1_000_000,
        request_ids=[f"{partition}-{row}" for row in range(rows)],
        counts=np.ones(rows, np.int64),
        first_rows=np.zeros(rows, np.int64),
        latencies=np.zeros(rows, np.int64),
        features=features,
        predictions={"predict": random.integers(0, 3, rows).astype(float)},
    )


def part(block, begin, end):
    rows = slice(begin, end)
    return Block(
        partition=block.partition,
        first_offset=int(block.offsets[begin]),
        next_offset=int(block.offsets[end - 1]) + 1,
        offsets=block.offsets[rows],
        times=block.times[rows],
        request_ids=block.request_ids[rows],
        counts=block.counts[rows],
        first_rows=block.first_rows[rows],
        latencies=block.latencies[rows],
        features={name: column[rows] for name, column in block.features.items()},
        predictions={name: column[rows] for name, column in block.predictions.items()},
    )


def fresh(reference, **changes):
    return Monitor(config(**changes), Reference.from_json(reference.to_json()))


def restarted(monitor, reference, **changes):
    again = fresh(reference, **changes)
    again.restore(orjson.loads(orjson.dumps(monitor.state())))
    return again


def test_a_shift_becomes_possible_then_detected_and_names_the_feature(reference):
    monitor = fresh(reference)
    outcome = monitor.block(stream("0", 8 * ROWS, 2, shift_from=4 * ROWS))
    assert [one.data for one in outcome.results] == [
        *[DriftState.NONE] * 4,
        DriftState.POSSIBLE,
        *[DriftState.DETECTED] * 3,
    ]
    assert {one.prediction for one in outcome.results} == {DriftState.NONE}
    assert [(one.aspect, one.before, one.after, one.index, one.names) for one in outcome.changes] == [
        ("data", DriftState.NONE, DriftState.POSSIBLE, 4, ("length",)),
        ("data", DriftState.POSSIBLE, DriftState.DETECTED, 5, ("length",)),
    ]
    assert monitor.aspect("data").state is DriftState.DETECTED
    assert monitor.aspect("data").message == "drift of features: length"
    assert monitor.aspect("prediction").message == "no drift of predictions"
    assert monitor.features()[0].name == "length"
    assert (monitor.rows, monitor.windows) == (8 * ROWS, 8)
    assert monitor.last_window().rows == ROWS
    assert outcome.results[0].general_drift is not None


def test_before_the_first_window_nothing_is_known(reference):
    monitor = fresh(reference)
    assert monitor.aspect("data").state is DriftState.UNKNOWN
    assert monitor.features() == []
    assert monitor.last_window() is None


@pytest.mark.parametrize("window", [{"rows": ROWS}, {"seconds": 60, "allowedLatenessSeconds": 2}])
def test_a_cut_at_any_row_changes_nothing(reference, window):
    block = stream("0", 5 * ROWS, 3, shift_from=2 * ROWS)
    whole = fresh(reference, window=window).block(block)
    assert len(whole.results) >= 4
    for cut in range(1, block.rows, 7):
        monitor = fresh(reference, window=window)
        first = monitor.block(part(block, 0, cut))
        again = restarted(monitor, reference, window=window)
        second = again.block(part(block, cut, block.rows))
        assert first.results + second.results == whole.results
        assert first.changes + second.changes == whole.changes
        assert again.skipped == {"late": again.skipped["late"]} or not again.skipped


def test_reading_again_after_a_kill_says_the_same_again(reference):
    block = stream("0", 5 * ROWS, 4, shift_from=ROWS)
    monitor = fresh(reference)
    monitor.block(part(block, 0, 100))
    checkpoint = restarted(monitor, reference)
    lost = monitor.block(part(block, 100, 250))
    replayed = checkpoint.block(part(block, 100, 170))
    replayed_more = checkpoint.block(part(block, 170, 250))
    assert replayed.results + replayed_more.results == lost.results
    assert replayed.changes + replayed_more.changes == lost.changes


def test_partitions_have_decisions_of_their_own(reference):
    monitor = fresh(reference)
    drifting, calm = stream("0", 4 * ROWS, 5, shift_from=0), stream("1", 4 * ROWS, 6)
    changes = []
    for begin in range(0, 4 * ROWS, ROWS):
        for block in (drifting, calm):
            changes += monitor.block(part(block, begin, begin + ROWS)).changes
    assert {one.partition for one in changes} == {"0"}
    assert monitor.aspect("data").state is DriftState.DETECTED


def test_a_writer_that_is_gone_does_not_say_detected_for_ever(reference):
    monitor = fresh(reference)
    monitor.block(stream("gone", 3 * ROWS, 7, shift_from=0))
    assert monitor.aspect("data").state is DriftState.DETECTED
    monitor.block(stream("new", 25 * ROWS, 8))
    assert monitor.aspect("data").state is DriftState.NONE


def test_the_status_survives_a_restart(reference):
    monitor = fresh(reference)
    monitor.block(stream("0", 4 * ROWS, 9, shift_from=0))
    again = restarted(monitor, reference)
    assert again.features() == monitor.features()
    assert again.last == monitor.last
    assert again.aspect("data") == monitor.aspect("data")
    assert (again.rows, again.windows) == (monitor.rows, monitor.windows)


def test_a_changed_decision_keeps_the_windows_running(reference):
    block = stream("0", 2 * ROWS, 10, shift_from=0)
    monitor = fresh(reference, decision={"consecutiveWindows": 5})
    monitor.block(part(block, 0, ROWS))
    again = restarted(monitor, reference, decision={"consecutiveWindows": 2})
    (result,) = again.block(part(block, ROWS, 2 * ROWS)).results
    assert result.data is DriftState.DETECTED


def test_missing_features_are_counted_and_excluded_ones_are_not(reference):
    monitor = fresh(reference, watched={"exclude": ["ignored"]})
    block = stream("0", 10, 11)
    del block.features["colour"]
    block.features |= {"ignored": np.zeros(10), "unheard": np.zeros(10)}
    monitor.block(block)
    assert monitor.skipped == {"missing_feature": 10, "unknown_feature": 10}


def test_columns_are_counted_for_the_rows_that_lack_them_whatever_was_read_with_them(reference):
    monitor = fresh(reference)
    block = part(stream("0", 10, 1), 0, 10)
    both, lacking = frozenset({"length", "colour"}), frozenset({"length", "new"})
    block.features["new"] = np.zeros(10)
    block.runs = (Run(7, both, frozenset({"predict"})), Run(3, lacking, frozenset()))
    monitor.block(block)
    assert monitor.skipped == {"missing_feature": 6, "unknown_feature": 3}


def test_what_is_no_traffic_is_counted_also_by_the_next_worker(reference):
    monitor = fresh(reference)
    block = part(stream("0", 10, 1), 0, 10)
    block.request_ids[4] = f"{TEST_ID}x-1"
    block.times[9] += 10**12
    rows = monitor.traffic(block, START + 10**9)
    monitor.block(rows)
    assert rows.rows == monitor.rows == 8
    assert monitor.greatest["0"] < START + 10**9
    assert restarted(monitor, reference).skipped == {"live_test": 1, "future": 1}


def test_features_at_fault_are_named_in_one_order_whichever_is_worse(reference):
    monitor = fresh(reference, decision={"consecutiveWindows": 1})
    for seed, worse in enumerate(("length", "colour")):
        block = part(stream("0", ROWS, seed), 0, ROWS)
        block.features["length"] += 9.0 if worse == "length" else 1.5
        block.features["colour"][: ROWS if worse == "colour" else ROWS * 9 // 10] = "green"
        monitor.block(block)
        assert monitor.aspect("data").message == "drift of features: colour, length"


def test_a_change_of_errors_is_told_with_its_detectors(reference):
    def said(labelled, **states):
        values = dict.fromkeys(states, 1.0)
        return ConceptResult("0", 7, START, START // 1000, labelled, 0.1, states, values)

    monitor = fresh(reference)
    none, warning, found = DriftState.NONE, DriftState.POSSIBLE, DriftState.DETECTED
    outcome = monitor.concept([said(1, ddm=none, eddm=none), said(2, ddm=warning, eddm=none)])
    outcome.changes += monitor.concept([said(3, ddm=found, eddm=warning)]).changes
    assert [(one.aspect, one.after, one.index, one.names) for one in outcome.changes] == [
        ("concept", warning, 2, ("ddm",)),
        ("concept", found, 3, ("ddm",)),
    ]
    assert restarted(monitor, reference).aspect("concept").message == "drift of errors: ddm"
