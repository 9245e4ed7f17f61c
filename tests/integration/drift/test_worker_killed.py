"""`kill -9` at any moment changes nothing: the same points, the same alerts, the same Parquet bytes."""

import itertools
import json
import random
import time
import uuid

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Producer

from support.drift_worker import DriftWorker, Segment, line_server, message

KILLS = 3
MESSAGES = 3000
"""Of ten rows each, over all partitions."""


class Folder:
    """A directory stream of two writers."""

    def __init__(self, folder):
        self.uri = folder
        self._segments = [Segment(folder, name) for name in ("aaaa0001", "bbbb0002")]

    def write(self, numbers):
        for partition, segment in enumerate(self._segments):
            segment.write(made(number) for number in numbers if number % 2 == partition)


class Topic:
    """A topic of two partitions."""

    def __init__(self, kafka):
        name = kafka.create_topic(f"killed-{uuid.uuid4().hex[:8]}", 2)
        self.uri = f"kafka://{kafka.bootstrap}/{name}"
        self._name = name
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap})

    def write(self, numbers):
        for number in numbers:
            self._producer.produce(self._name, made(number), partition=number % 2)
        assert self._producer.flush(30) == 0


def made(number):
    """Shifted for a while, so that states change in both directions."""
    return message(number, shift=1.5 if 1200 <= number < 2000 else 0.0)


def worker_for(folder, stream, reference, lines, **changes):
    return DriftWorker(
        folder,
        stream.uri,
        reference,
        timeseries=[
            {"name": "tsdb", "protocol": "influx", "target": {"url": lines.url}, "database": "drift"}
        ],
        alerts=[{"name": "hook", "webhook": {"url": f"{lines.url}/hook"}}],
        **changes,
    )


def feed(stream, total=MESSAGES, step=100):
    """Write the whole stream bit by bit; a bit at each call."""
    for begin in range(0, total, step):
        stream.write(range(begin, min(begin + step, total)))
        yield begin


def outcome(worker, lines, files):
    worker.wait_delivered()
    worker.wait(lambda: len(worker.files()) >= files, f"{files} files")
    assert lines.wrong is None
    return lines.lines, lines.alerts, worker.files()


@pytest.fixture(params=["directory", "kafka"])
def stream(request, tmp_path):
    if request.param == "directory":
        return Folder(tmp_path / "stream")
    return Topic(request.getfixturevalue("kafka"))


@pytest.mark.parametrize("window", [{"rows": 200}, {"seconds": 10, "allowedLatenessSeconds": 1}])
def test_kills_change_nothing(tmp_path, stream, reference, window):
    rows = MESSAGES * 10
    with (
        line_server() as lines,
        worker_for(tmp_path / "killed", stream, reference, lines, window=window) as worker,
    ):
        dice = random.Random(window.get("rows", 0))
        worker.start()
        kills = sorted(dice.sample(range(3, MESSAGES // 100 - 3), KILLS))
        for step, _ in enumerate(feed(stream)):
            time.sleep(0.05)  # so that the events flow while the worker works
            if step in kills:
                worker.wait_rows(step * 400)
                time.sleep(dice.random() * 0.5)
                worker.kill()
                worker.start()
        worker.wait_rows(rows)
        windows = worker.metric("moorage_drift_windows_total")
        killed = outcome(worker, lines, files=rows // 1000)
        assert worker.stop() == 0
    assert windows == (rows / 200 if "rows" in window else pytest.approx(rows / 1000, abs=2))
    with (
        line_server() as lines,
        worker_for(tmp_path / "calm", stream, reference, lines, window=window) as worker,
    ):
        worker.start()
        worker.wait_rows(rows)
        calm = outcome(worker, lines, files=len(killed[2]))
    for one, other, what in zip(killed, calm, ("points", "alerts", "files"), strict=True):
        assert one.keys() == other.keys(), what
        assert one == other, what
    assert len(killed[0]) > 1000
    assert len(killed[1]) >= 4


def test_no_row_is_twice_in_the_history_though_files_end_when_the_stream_is_quiet(tmp_path, reference):
    stream = Folder(tmp_path / "stream")
    store = {"uri": str(tmp_path / "worker/history"), "rows": 1000, "seconds": 1}
    dice = random.Random(5)
    with (
        line_server() as lines,
        worker_for(tmp_path / "worker", stream, reference, lines, objectStore=store) as worker,
    ):
        worker.start()
        for step, _ in enumerate(feed(stream, 600, 60)):
            worker.wait_rows((step + 1) * 600)
            time.sleep(dice.choice([0, 1.0, 1.3]) + dice.random() * 0.5)
            if step % 3 == 2:
                worker.kill()
                worker.start()
        worker.wait(lambda: len(history(worker)) >= 6000, "the whole history")
    found = history(worker)
    expected = [f"r{number}-{row}" for number, row in itertools.product(range(600), range(10))]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("window", [{"rows": 200}, {"seconds": 5, "allowedLatenessSeconds": 0}])
def test_no_result_is_twice_or_missing_though_files_end_in_silence_and_the_store_is_away(
    tmp_path, s3, reference, window
):
    stream, answers = Folder(tmp_path / "stream"), Segment(tmp_path / "labels", "cccc0003")
    bucket = s3.bucket(f"b{uuid.uuid4().hex[:12]}")
    labels = {"stream": {"uri": str(tmp_path / "labels")}}
    dice = random.Random(7)
    total = 600
    with (
        line_server() as lines,
        worker_for(
            tmp_path / "worker",
            stream,
            reference,
            lines,
            window=window,
            idle=3600,
            storage={"endpoint": s3.endpoint, "region": s3.region},
            objectStore={"uri": f"s3://{bucket.name}/history", "rows": 1000, "seconds": 1},
            conceptDrift={"labels": labels, "detectors": [{"name": "ddm", "type": "DDM"}]},
        ) as worker,
    ):
        worker.start()
        for step, begin in enumerate(feed(stream, total, 60)):
            answers.write(
                json.dumps([{"id": f"r{number}-{row}/0", "label": 0} for row in range(10)]).encode()
                for number in range(begin, begin + 60)
            )
            worker.wait_rows((step + 1) * 600)
            if step % 3 == 1:
                s3.stop()
            time.sleep(dice.choice([0, 1.3, 1.6]) + dice.random() * 0.5)
            if step % 3 != 0:
                worker.kill()
                if step % 3 == 2:
                    s3.start()
                worker.start()
        worker.wait(lambda: worker.metric("moorage_concept_labelled") == total * 10, "all labels")
        judged = worker.metric("moorage_drift_windows_total")
        worker.wait(lambda: len(windows_of(bucket)) == judged * 5, "the windows in the history")
        worker.wait(lambda: len(concept_of(bucket)) >= total * 10 / 50, "the labels in the history")
        assert worker.stop() == 0
    windows, concept = windows_of(bucket), concept_of(bucket)
    assert len(windows) == len(set(windows))
    assert len({one[:2] for one in windows}) == judged
    assert len(concept) == len(set(concept))
    assert max(one[1] for one in concept) == total * 10


def rows_of(bucket, kind, *columns):
    """Rows of the history, as the store has them now."""
    found = []
    for path in bucket.rglob("*.parquet"):
        if kind in path.parts:
            table = pq.read_table(path, partitioning=None, columns=[*columns])
            found += zip(*table.to_pydict().values(), strict=True)
    return found


def windows_of(bucket):
    return rows_of(bucket, "windows", "partition", "index", "name", "role")


def concept_of(bucket):
    return rows_of(bucket, "concept", "partition", "labelled", "detector")


def history(worker):
    files = [path for path in worker.history.rglob("*.parquet") if "events" in path.parts]
    found = []
    for path in files:
        found += pq.read_table(path, partitioning=None).column("request_id").to_pylist()
    return found
