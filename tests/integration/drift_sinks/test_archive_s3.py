"""History in a real object store, which goes away and comes back; and a worker that is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from moorage_runtime.config import HttpTargetConfig, ObjectStoreConfig, StorageConfig, TimeseriesConfig
from moorage_runtime.drift.sinks import Sinks
from moorage_runtime.drift.sinks import archive as archive_module
from parts import wait_until
from support.drift_results import block, concept_result, monitor, window_result


def status(sinks):
    return next(one for one in sinks.status() if one.name == "objectStore")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def drained(sinks):
    wait_until(lambda: status(sinks).pending == 0, "all files")


def test_events_and_windows_lie_in_the_store_as_a_partitioned_data_set(s3):
    bucket = s3.bucket("drift")
    storage = StorageConfig(endpoint=s3.endpoint, region=s3.region)
    store = ObjectStoreConfig(uri="s3://drift/iris/", rows=100, seconds=3600)
    sinks = Sinks(monitor(object_store=store, storage=storage))
    rows = 0
    for first in range(0, 400, 80):
        one = block(first, 80)
        rows += one.rows
        sinks.block(one)
    sinks.idle("0")
    windows = [window_result(n, partition=None) for n in range(10)]
    sinks.results([*windows, *map(concept_result, range(10))], ())
    sinks.end_results(sinks.open_results)
    drained(sinks)
    assert sinks.archived("0") == 400
    sinks.close(5)
    events = ds.dataset(bucket / "iris/events", partitioning="hive").to_table()
    assert events.num_rows == rows
    assert events["model"].unique().to_pylist() == ["iris_v1"]
    assert events["version"].unique().to_pylist() == ["v1"]
    assert {"timestamp", "request_id", "row", "latency_us", "number", "text", "label"} <= {
        *events.column_names
    }
    history = ds.dataset(bucket / "iris/windows", partitioning="hive").to_table()
    assert history.num_rows == 20
    assert sorted(set(history["index"].to_pylist())) == list(range(10))
    assert ds.dataset(bucket / "iris/concept", partitioning="hive").to_table().num_rows == 20


def test_a_store_that_is_away_fills_the_archive_and_gets_everything_later(s3, monkeypatch, tmp_path):
    monkeypatch.setattr(archive_module, "ROOM_BYTES", 20_000)
    bucket = s3.bucket("drift")
    storage = StorageConfig(endpoint=s3.endpoint, region=s3.region)
    store = ObjectStoreConfig(uri="s3://drift/iris", rows=50, seconds=3600)
    sinks = Sinks(monitor(object_store=store, storage=storage))
    sinks.block(block(0, 50))
    drained(sinks)
    s3.stop()
    first = 50
    while not sinks.full:
        sinks.block(block(first, 50))
        first += 50
        assert first < 5000
    wait_until(lambda: status(sinks).error is not None, "the error")
    assert sinks.archived("0") <= 50
    assert status(sinks).error.startswith("s3://drift/iris/events/model=iris_v1")
    s3.start()
    drained(sinks)
    assert not sinks.full
    assert status(sinks).error is None
    sinks.close(5)
    undisturbed = Sinks(monitor(object_store=ObjectStoreConfig(uri=str(tmp_path), rows=50, seconds=3600)))
    for at in range(0, first, 50):
        undisturbed.block(block(at, 50))
    drained(undisturbed)
    undisturbed.close(5)
    assert files(bucket / "iris") == files(tmp_path)


WORKER = """
import json, sys
from pathlib import Path
from moorage_runtime.config import DriftConfig
from moorage_runtime.drift.sinks import Sinks
from support.drift_results import block, window_result

state = Path(sys.argv[2])
sinks = Sinks(DriftConfig.model_validate_json(sys.argv[1]))
position, windows = 0, 0
if state.exists():
    known = json.loads(state.read_text())
    sinks.restore(known["sinks"])
    position, windows = known["position"], known["windows"]
at = sinks.archived("0")
at = position if at is None else min(at, position)
while at < 2000:
    end = at - at % 10 + 10
    sinks.block(block(at, end - at))
    at = end
    if at > position:
        sinks.results([window_result(windows)], ())
        windows += 1
    if at > position and at % 40 == 0:
        fresh = state.with_suffix(".new")
        fresh.write_text(json.dumps({"sinks": sinks.state(), "position": at, "windows": windows}))
        fresh.replace(state)
    print(at, flush=True)
sinks.idle("0")
sinks.end_results(sinks.open_results)
sinks.close(60)
"""


def run_worker(config, state, until=None):
    """Run the worker to its end, or kill it after it has read up to `until`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, config.model_dump_json(), str(state)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
    )
    for line in process.stdout:
        if until is not None and int(line) >= until:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    return process.wait()


def test_a_killed_worker_leaves_the_files_and_points_of_an_undisturbed_one(tmp_path, influx):
    def config(name):
        target = HttpTargetConfig(url=influx.url)
        return monitor(
            object_store=ObjectStoreConfig(uri=str(tmp_path / name), rows=60, seconds=3600),
            timeseries=[TimeseriesConfig(name="db", protocol="influx", target=target, database=name)],
        )

    assert run_worker(config("whole"), tmp_path / "whole.json") == 0
    for until in (300, 310, 770, 1234, 1900):
        assert run_worker(config("killed"), tmp_path / "killed.json", until) == -signal.SIGKILL
    assert run_worker(config("killed"), tmp_path / "killed.json") == 0
    whole, killed = files(tmp_path / "whole"), files(tmp_path / "killed")
    assert len(whole) > 50
    assert killed == whole
    points = influx.points("whole")
    assert sum(map(len, points.values())) > 2000
    assert influx.points("killed") == points


def test_a_file_that_was_ended_by_silence_before_a_crash_is_replaced(tmp_path):
    store = ObjectStoreConfig(uri=f"file://{tmp_path}/a%20b", rows=100, seconds=3600)
    sinks = Sinks(monitor(object_store=store))
    sinks.block(block(0, 10, most_rows=1))
    state = json.loads(json.dumps(sinks.state()))
    sinks.idle("0")
    drained(sinks)
    sinks.close(5)
    name = "iris.capture-0-0-9.parquet"
    assert [path.name for path in (tmp_path / "a b").rglob("*.parquet")] == [name]

    follower = Sinks(monitor(object_store=store))
    follower.restore(state)
    follower.block(block(0, 30, most_rows=1))
    follower.idle("0")
    drained(follower)
    follower.close(5)
    assert [path.name for path in (tmp_path / "a b").rglob("*.parquet")] == ["iris.capture-0-0-29.parquet"]


@pytest.mark.parametrize("uri", ["{}/plain", "file://{}/escaped%20folder"])
def test_an_odd_version_has_its_own_folder(tmp_path, uri):
    sinks = Sinks(monitor(object_store=ObjectStoreConfig(uri=uri.format(tmp_path), rows=100, seconds=3600)))
    versions = ("v/1", "v 1", None, "v%2F1")
    sinks.block(block(0, 40, versions=versions))
    sinks.idle("0")
    drained(sinks)
    sinks.close(5)
    (root,) = tmp_path.glob("*/events")
    table = ds.dataset(root, partitioning=ds.partitioning(flavor="hive")).to_table()
    assert set(table["version"].to_pylist()) == set(versions)


def test_results_keep_their_order_though_each_sink_waits_for_others_of_them(receiver, tmp_path):
    target = HttpTargetConfig(url=receiver.url)
    config = monitor(
        object_store=ObjectStoreConfig(uri=str(tmp_path), rows=1000, seconds=3600),
        timeseries=[TimeseriesConfig(name="db", protocol="prometheusRemoteWrite", target=target)],
    )
    sinks = Sinks(config)
    sinks.results([window_result(0), window_result(1)], ())
    wait_until(lambda: sinks.status()[0].pending == 0, "delivery of the first two")
    receiver.failing = [503] * 1000
    sinks.results([window_result(2)], ())
    state = sinks.state()
    sinks.close(0)
    assert [(one["result"]["window"][1], one["to"]) for one in state["results"]] == [
        (0, ["objectStore"]),
        (1, ["objectStore"]),
        (2, ["db", "objectStore"]),
    ]
