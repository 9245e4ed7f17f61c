"""What a worker takes over from the one before it: files end where they would have ended."""

import json
from dataclasses import replace

import pytest

from moorage_runtime.config import ObjectStoreConfig
from moorage_runtime.drift.sinks import Sinks
from parts import wait_until
from support.drift_results import block, concept_result, monitor, window_result


def over_json(state):
    return json.loads(json.dumps(state, allow_nan=False))


def names(folder, kind="windows"):
    return sorted(path.name for path in folder.rglob("*.parquet") if kind in path.parts)


def finish(sinks):
    wait_until(lambda: sinks.status()[0].pending == 0, "all files")
    sinks.close(5)


@pytest.fixture
def store(tmp_path):
    return monitor(object_store=ObjectStoreConfig(uri=str(tmp_path / "store"), rows=1000, seconds=3600))


def test_a_file_that_silence_ended_ends_there_for_the_next_worker_too(store, tmp_path):
    blocker = tmp_path / "store"
    blocker.write_text("no folder")
    sinks = Sinks(store)
    sinks.results([window_result(0), window_result(1)], ())
    sinks.end_results([("windows", "0")])
    sinks.results([window_result(2)], ())
    wait_until(lambda: sinks.status()[0].error is not None, "the error")
    state = over_json(sinks.state())
    sinks.close(0)
    assert len(state["results"]) == 3

    blocker.unlink()
    follower = Sinks(store)
    follower.restore(state)
    follower.end_results(follower.open_results)
    finish(follower)
    assert names(blocker) == ["0-0-1.parquet", "0-2-2.parquet"]
    assert follower.state()["results"] == []


def test_silence_that_is_replayed_for_events_ends_no_file_of_results(store, tmp_path):
    sinks = Sinks(store)
    sinks.block(block(0, 50))
    sinks.results([window_result(n) for n in range(4)], ())  # up to offset 3999
    state = over_json(sinks.state())
    sinks.close(0)

    follower = Sinks(store)
    follower.restore(state)
    follower.block(block(0, 2000, most_rows=1))
    follower.idle("0")
    finish(follower)
    assert names(tmp_path / "store") == []
    assert [one["result"]["window"][1] for one in follower.state()["results"]] == [0, 1, 2, 3]


def test_only_the_results_that_are_named_end(store, tmp_path):
    sinks = Sinks(store)
    sinks.results([window_result(0, partition=None), window_result(0), window_result(0, partition="1")], ())
    assert sinks.open_results == [("windows", None), ("windows", "0"), ("windows", "1")]
    sinks.end_results([("windows", None), ("windows", "1"), ("windows", "7")])
    finish(sinks)
    assert names(tmp_path / "store") == ["1-0-0.parquet", "all-0-0.parquet"]
    assert sinks.open_results == [("windows", "0")]


def test_results_of_one_message_of_labels_lie_in_one_file(tmp_path):
    store = ObjectStoreConfig(uri=str(tmp_path / "store"), rows=4, seconds=3600)
    config = monitor(object_store=store)
    said = [replace(concept_result(n), offset=n // 3) for n in range(9)]  # of two detectors, a row each
    sinks = Sinks(config)
    sinks.results(said[:8], ())
    state = over_json(sinks.state())
    sinks.close(0)
    follower = Sinks(config)
    follower.restore(state)
    follower.results(said[8:], ())
    follower.end_results(follower.open_results)
    finish(follower)
    assert names(tmp_path / "store", "concept") == ["1-0-0.parquet", "1-1-1.parquet", "1-2-2.parquet"]


def test_rows_that_are_in_the_store_are_not_written_again(store, tmp_path):
    sinks = Sinks(store)
    sinks.block(block(0, 30))
    sinks.idle("0")
    finish(sinks)
    follower = Sinks(store)
    follower.restore(over_json(sinks.state()))
    assert follower.archived("0") == 30
    follower.block(block(0, 40))
    follower.idle("0")
    finish(follower)
    events = sorted(path.name for path in (tmp_path / "store").rglob("*.parquet"))
    assert events == ["iris.capture-0-0-29.parquet", "iris.capture-0-30-39.parquet"]


def test_what_was_for_a_sink_that_is_gone_is_forgotten(store):
    sinks = Sinks(store)
    sinks.results([window_result(0)], ())
    state = over_json(sinks.state())
    sinks.close(0)
    without = Sinks(monitor())
    without.restore(state)
    assert without.state() == {"archived": {}, "results": [], "changes": []}
    without.close(0)
