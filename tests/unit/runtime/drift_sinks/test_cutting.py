"""History's files are a function of the rows: not of the blocks they come in, nor of a restart."""

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.config import ObjectStoreConfig, TensorConfig
from moorage_runtime.drift.sinks import Sinks
from moorage_runtime.drift.sinks.cutting import Cutter
from moorage_runtime.drift.sinks.tables import Slice, event_files, window_files
from parts import wait_until
from support.drift_results import START, block, monitor, window_result

MESSAGES = 120


def cut(blocks, rows, seconds):
    """(folder, name) to bytes of all files, the open rows' last."""
    cutter = Cutter("0", rows, seconds * 1_000_000)
    cuts = [one for part in blocks for one in cutter.add(part)]
    last = cutter.end()
    files = {}
    for one in [*cuts, *([last] if last else [])]:
        for file in event_files(one.slices, "topic-0", "iris_v1"):
            assert (file.folder, file.name) not in files
            files[file.folder, file.name] = file.content()
    return files


@settings(max_examples=20, deadline=None)
@given(
    ends=st.sets(st.integers(1, MESSAGES - 1)),
    rows=st.integers(1, 150),
    seconds=st.integers(1, 20),
    step=st.sampled_from([1_000, 700_000, 40_000_000]),
)
def test_bytes_are_the_same_however_blocks_are_cut(ends, rows, seconds, step):
    options = {"versions": ("v1", "v2", None), "step": step}
    bounds = [0, *sorted(ends), MESSAGES]
    pieces = [block(a, b - a, **options) for a, b in pairwise(bounds)]
    assert cut(pieces, rows, seconds) == cut([block(0, MESSAGES, **options)], rows, seconds)


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 60), seconds=st.integers(1, 20), step=st.sampled_from([1_000, 400_000]))
def test_every_row_is_in_one_file_and_a_file_is_no_longer_than_it_may_be(rows, seconds, step):
    one = block(0, MESSAGES, step=step)
    files = cut([one], rows, seconds)
    tables = [pq.read_table(pa.BufferReader(content)) for content in files.values()]
    found = sorted(
        (r, n)
        for t in tables
        for r, n in zip(*(t[c].to_pylist() for c in ("request_id", "row")), strict=True)
    )
    wanted = sorted((f"r{offset}", n) for offset, count in enumerate(one.counts) for n in range(count))
    assert found == wanted
    for table in tables:
        assert table.num_rows < rows + 3
        span = pa.compute.min_max(table["timestamp"].cast(pa.int64())).as_py()
        assert span["max"] - span["min"] < seconds * 1_000_000


def test_a_packed_message_is_never_split_though_it_is_long():
    one = block(0, 1, most_rows=1)
    one.counts = np.array([50])
    one.offsets = np.zeros(50, np.int64)
    one.times = START + np.arange(50) * 1_000_000
    one.features = {"number": np.arange(50.0)}
    one.predictions = {}
    cutter = Cutter("0", 20, 5_000_000)
    (whole,) = cutter.add(one)
    assert whole.rows == 50
    assert whole.next_offset == 1


def test_reading_goes_on_at_the_first_message_that_is_in_no_file():
    cutter = Cutter("0", 10, 3_600_000_000)
    cuts = [*cutter.add(block(0, 25, most_rows=1))]
    assert [one.next_offset for one in cuts] == [10, 20]
    assert cutter.end().next_offset == 25
    assert cutter.end() is None
    again = Cutter("0", 10, 3_600_000_000)
    assert [one.next_offset for one in again.add(block(10, 15, most_rows=1))] == [20]


def test_columns_are_typed_and_clashing_names_get_a_suffix():
    one = block(0, 20, most_rows=1)
    one.features["row"] = np.arange(20.0)
    one.features["number"][3] = np.nan
    one.features["number"][4] = np.inf
    one.features["text"][3] = None
    (file,) = event_files([Slice(one, 0, 20)], "topic-0", "iris_v1")
    table = pq.read_table(pa.BufferReader(file.content()))
    assert table.column_names == [
        "timestamp", "request_id", "row", "latency_us",
        "number", "row_feature", "text", "label", "text_prediction",
    ]  # fmt: skip
    assert table.schema.field("timestamp").type == pa.timestamp("us", tz="UTC")
    assert table["timestamp"].cast(pa.int64()).to_pylist() == one.times.tolist()
    assert table["number"][3].as_py() is None
    assert table["number"][4].as_py() == np.inf
    assert table["text"][3].as_py() is None
    assert table["row"].to_pylist() == [0] * 20
    assert table["row_feature"].to_pylist() == one.features["row"].tolist()
    assert file.folder == ("events", "model=iris_v1", "version=v1", "date=2026-11-22", "hour=16")
    assert file.name == "topic-0-0-19.parquet"


def test_rows_of_a_request_that_came_in_parts_keep_their_numbers():
    one = block(0, 3, most_rows=1)
    one.first_rows = np.array([0, 7, 2])
    (file,) = event_files([Slice(one, 1, 3)], "topic-0", "iris_v1")
    assert file.table["row"].to_pylist() == [7, 2]
    assert file.name == "topic-0-1-2.parquet"


def test_a_schema_that_changes_within_a_file_leaves_nulls():
    before, after = block(0, 5, most_rows=1), block(5, 5, most_rows=1)
    after.features["fresh"] = np.arange(5.0)
    after.features["number"] = np.array(["a", "b", None, "d", "e"], object)
    before.features["number"] = np.array([1.5, np.nan, 2.0, 3.0, 4.0])
    (file,) = event_files([Slice(before, 0, 5), Slice(after, 0, 5)], "topic-0", "iris_v1")
    assert file.table["fresh"].to_pylist() == [None] * 5 + [0.0, 1.0, 2.0, 3.0, 4.0]
    assert file.table["number"].to_pylist() == ["1.5", None, "2", "3", "4", "a", "b", None, "d", "e"]


def test_a_column_without_a_value_is_there_only_where_it_is_declared():
    bare, wide = block(0, 5, most_rows=1), block(0, 5, most_rows=1)
    wide.features = {
        "text": wide.features["text"],
        "late": np.full(5, np.nan),
        "number": wide.features["number"],
    }
    (one,), (other,) = (event_files([Slice(b, 0, 5)], "topic-0", "iris_v1") for b in (bare, wide))
    assert one.content() == other.content()
    columns = [TensorConfig(name="late", type="string"), TensorConfig(name="text", type="string")]
    (declared,) = event_files([Slice(bare, 0, 5)], "topic-0", "iris_v1", {"feature": columns})
    assert declared.table.column_names[4:7] == ["late", "text", "number"]
    assert declared.table.schema.field("late").type == pa.string()
    assert declared.table["late"].null_count == 5


def test_a_window_is_a_row_per_feature():
    results = [window_result(n, partition=None) for n in range(3)]
    (file,) = window_files(results, "iris_v1")
    assert (file.folder, file.name) == (("windows", "model=iris_v1", "date=2026-11-22"), "all-0-2.parquet")
    table = file.table
    assert table["name"].to_pylist() == ["petal_length", "petal width,=cm"] * 3
    assert table["effect"].to_pylist() == [score.effect for result in results for score in result.scores]
    assert table["index"].to_pylist() == [0, 0, 1, 1, 2, 2]
    assert table["general_drift"][0].as_py() == results[0].general_drift


def parquet(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def drained(sinks):
    wait_until(lambda: sinks.status()[0].pending == 0, "all files")


@settings(max_examples=10, deadline=None)
@given(stops=st.lists(st.integers(1, MESSAGES - 1), max_size=3, unique=True).map(sorted))
def test_windows_and_events_are_the_same_after_restarts(tmp_path_factory, stops):
    """Each stop abandons a worker, and the next begins from its checkpoint, where its archive ends."""

    def store(folder):
        return monitor(object_store=ObjectStoreConfig(uri=str(folder), rows=25, seconds=30))

    def hand_over(sinks, begin, end, judged):
        for offset in range(begin, end):
            sinks.block(block(offset, 1))
            if offset >= judged:
                sinks.results([window_result(offset)], ())

    whole, broken = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("broken")
    sinks = Sinks(store(whole))
    hand_over(sinks, 0, MESSAGES, 0)
    drained(sinks)
    sinks.close(5)

    sinks, judged, begin = Sinks(store(broken)), 0, 0
    for stop in stops:
        hand_over(sinks, begin, stop, judged)
        state = json.loads(json.dumps(sinks.state()))
        sinks.close(0)
        sinks, judged = Sinks(store(broken)), stop
        sinks.restore(state)
        begin = sinks.archived("0")
    hand_over(sinks, begin, MESSAGES, judged)
    drained(sinks)
    sinks.close(5)
    assert parquet(broken) == parquet(whole)
    assert len(parquet(whole)) > 4


def test_an_archive_that_cannot_be_written_says_so_and_keeps_its_rows(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    sinks = Sinks(monitor(object_store=ObjectStoreConfig(uri=str(blocker / "folder"), rows=10, seconds=30)))
    sinks.block(block(0, 30))
    wait_until(lambda: sinks.status()[0].error is not None, "the error")
    assert "Not a directory" in sinks.status()[0].error
    assert sinks.archived("0") == 0
    blocker.unlink()
    drained(sinks)
    sinks.close(5)
    assert sinks.archived("0") > 0
    assert sinks.status()[0].error is None


@pytest.mark.parametrize("rows", [1, 7])
def test_without_an_object_store_nothing_is_kept(rows):
    sinks = Sinks(monitor())
    sinks.block(block(0, rows))
    sinks.idle("0")
    assert sinks.archived("0") is None
    assert not sinks.full
    assert sinks.state() == {"archived": {}, "results": [], "changes": []}
    sinks.close(0)
