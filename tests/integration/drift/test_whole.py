"""The whole monitor on real parts: nothing that happens to it or around it changes what it says.

Kafka in; VictoriaMetrics, Prometheus, InfluxDB, S3 and a webhook out, all at once. What a worker that was killed, or
whose databases were away, has put out is compared with what an undisturbed one makes of the same messages.
"""

import math
import operator
import random
import threading
import time
import uuid

import pytest

from support.drift_stream import BIT, LABELLED, Script, Topics, write_reference
from support.drift_worker import START, DriftWorker, line_server

MESSAGES = 3000
"""Of 100 rows each."""
ROWS_AHEAD = 30_000
"""How far the stream may be ahead of the worker, so that events flow while it is killed."""
DETECTORS = [
    {"name": "ddm", "type": "DDM"},
    {"name": "eddm", "type": "EDDM"},
    {"name": "adwin", "type": "ADWIN"},
    {"name": "ph", "type": "PageHinkley"},
]
WINDOWS = {"rows": {"rows": 1000}, "seconds": {"seconds": 10, "allowedLatenessSeconds": 2}}
TTL = 20
"""Seconds; far less than what a worker reads at once of a stream that it is behind of."""
NEVER = 3600.0
"""Seconds of quiet; longer than a test takes."""


@pytest.fixture(scope="module")
def parted_reference(tmp_path_factory):
    return write_reference(tmp_path_factory.mktemp("reference") / "reference.parquet")


class Whole:
    """The real parts, and workers over them whose results differ in the namespace only."""

    def __init__(self, folder, topics, reference, s3, series):
        self.folder = folder
        self.topics = topics
        self.reference = reference
        self.s3 = s3
        self.series = series
        self.bucket = f"b{uuid.uuid4().hex[:12]}"
        s3.bucket(self.bucket)

    def worker(self, name, lines, **changes):
        url = {kind: server.url for kind, server in self.series.items()}
        sinks = [
            {
                "name": kind,
                "protocol": "prometheusRemoteWrite",
                "target": {"url": f"{url[kind]}/api/v1/write"},
            }
            for kind in ("victoria", "prometheus")
            if kind in url
        ]
        if "influx" in url:
            sinks.append(
                {"name": "influx", "protocol": "influx", "target": {"url": url["influx"]}, "database": name}
            )
        uri = f"s3://{self.bucket}/{name}"
        labels = {"stream": {"uri": self.topics.labels_uri}, "ttlSeconds": TTL}
        return DriftWorker(
            self.folder / name,
            self.topics.uri,
            self.reference,
            idle=NEVER,
            namespace=name,
            storage={"endpoint": self.s3.endpoint, "region": self.s3.region},
            checkpointUri=f"{uri}/checkpoint",
            objectStore={"uri": f"{uri}/history", "rows": 2000, "seconds": 60},
            timeseries=sinks,
            alerts=[{"name": "hook", "webhook": {"url": f"{lines.url}/hook"}}],
            mlrunCompatible=True,
            conceptDrift={"labels": labels, "detectors": DETECTORS},
            **changes,
        )

    def finish(self, worker):
        """Until all rows are judged, all labels joined and all of it is delivered."""
        script = self.topics.script
        worker.wait_rows(script.rows, 120)
        labels = script.messages * LABELLED
        worker.wait(lambda: (worker.metric("moorage_concept_labelled") or 0) > labels - 50, "all labels")
        worker.wait_delivered()

    def outcome(self, name, lines):
        """Series of each database, alerts and files."""
        start, end = START // 1000, START // 1000 + 600_000
        found = {}
        for kind, server in self.series.items():
            if kind == "influx":
                points = server.points(name)
            else:
                if kind == "victoria":
                    server.settle()
                points = server.points(f'{{namespace="{name}"}}', start, end)
            found[kind] = {_without_namespace(labels): values for labels, values in points.items()}
        assert lines.wrong is None
        found["alerts"] = sorted(
            ({**one["data"], "namespace": "", "summary": ""} for one in lines.alerts.values()), key=repr
        )
        history = self.s3.root / self.bucket / name / "history"
        found["files"] = {
            str(path.relative_to(history)): path.read_bytes() for path in sorted(history.rglob("*.parquet"))
        }
        return found


def _without_namespace(labels):
    return tuple(pair for pair in labels if pair[0] != "namespace")


def compare(one, calm):
    """Equal, point for point and byte for byte; the message names what differs.

    VictoriaMetrics keeps a block of values as decimal integers of one exponent, so the last digits of a value depend
    on which others it was written with; the two databases beside it have the same points bit for bit.
    """
    for kind in calm:
        if isinstance(calm[kind], dict):
            assert one[kind].keys() == calm[kind].keys(), kind
            same = close if kind == "victoria" else operator.eq
            differing = [
                (key, one[kind][key], calm[kind][key])
                for key in calm[kind]
                if not same(one[kind][key], calm[kind][key])
            ]
            assert not differing, (kind, differing[:2])
        else:
            assert one[kind] == calm[kind], kind


def close(one, other):
    return one.keys() == other.keys() and all(
        math.isclose(one[time], other[time], rel_tol=1e-9, abs_tol=1e-12) for time in other
    )


def skipped(worker):
    found = worker.metrics("moorage_drift_skipped_total", "reason")
    # predictions are given up in the order in which partitions were read past each other, so when differs
    assert found.pop("prediction_unlabelled") > 0
    return {reason: count for reason, count in found.items() if count}


def killed_at_random(whole, name, lines, kills, dice, **changes):
    """Let the stream flow while the worker is killed; the worker, at the end of its work."""
    topics, script = whole.topics, whole.topics.script
    worker = whole.worker(name, lines, **changes)
    worker.start()
    failed = []

    def feed():
        try:
            for begin in range(0, script.messages, BIT):
                topics.write_bits([begin])
                while not done.is_set() and (worker.rows() + ROWS_AHEAD) < begin * 100:
                    time.sleep(0.01)
        except Exception as error:  # noqa: BLE001 - raised again where the test waits
            failed.append(error)

    done = threading.Event()
    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for place in sorted(dice.sample(range(3, 90), kills)):
            worker.wait(
                lambda at=place: failed or worker.rows() >= script.rows * at / 100, "the next kill", 120
            )
            time.sleep(dice.random() * 0.3)
            worker.kill()
            worker.start()
        worker.wait(lambda: not feeder.is_alive(), "the whole stream", 120)
    finally:
        done.set()
        feeder.join()
    if failed:
        raise failed[0]
    whole.finish(worker)
    return worker


def check_kills(tmp_path, kafka, s3, reference, series, kind, kills):
    script = Script(MESSAGES, late=kind == "seconds")
    topics = Topics(kafka, f"{kind}-{uuid.uuid4().hex[:8]}", script)
    whole = Whole(tmp_path, topics, reference, s3, series)
    changes = {"window": WINDOWS[kind]}
    with line_server() as lines:
        worker = killed_at_random(whole, "killed", lines, kills, random.Random(kind), **changes)
        with worker:
            counted = skipped(worker)
            killed = whole.outcome("killed", lines)
    with line_server() as lines, whole.worker("calm", lines, **changes).start() as worker:
        whole.finish(worker)
        assert skipped(worker) == counted
        calm = whole.outcome("calm", lines)
    compare(killed, calm)
    assert counted == script.skipped()
    assert {one["aspect"] for one in calm["alerts"]} == {"data", "prediction", "concept"}
    points = sum(map(len, calm["influx"].values()))
    assert points > 2000
    assert sum(map(len, calm["victoria"].values())) >= points
    assert sum(map(len, calm["prometheus"].values())) >= points
    assert {path.split("/")[0] for path in calm["files"]} == {"events", "windows", "concept"}
    return killed


@pytest.mark.parametrize("kind", ["rows", "seconds"])
def test_kills_change_nothing(tmp_path, kafka, s3, parted_reference, series, kind):
    check_kills(tmp_path, kafka, s3, parted_reference, series, kind, kills=3)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["rows", "seconds"])
def test_thirty_kills_change_nothing(tmp_path, kafka, s3, parted_reference, series, kind):
    check_kills(tmp_path, kafka, s3, parted_reference, series, kind, kills=30)


def test_what_is_away_gets_everything_later_and_nothing_twice(
    tmp_path, kafka, s3, parted_reference, victoria
):
    script = Script(600)
    topics = Topics(kafka, f"away-{uuid.uuid4().hex[:8]}", script)
    whole = Whole(tmp_path, topics, parted_reference, s3, {"victoria": victoria})
    with line_server() as lines, whole.worker("away", lines, window={"rows": 500}).start() as worker:
        topics.write_bits(range(0, 200, BIT))
        worker.wait_rows(200 * 100)
        victoria.stop()
        s3.stop()
        lines.failing = True
        topics.write_bits(range(200, 500, BIT))
        worker.wait_rows(500 * 100)  # the stream went on
        assert worker.metric("moorage_drift_windows_total") >= 97
        worker.wait(
            lambda: all("error" in sink for sink in worker.status()["sinks"]), "the words of what is away"
        )
        assert worker.metric("moorage_drift_sink_pending", sink="victoria") > 1000
        assert worker.status()["ready"] is True
        victoria.start()
        s3.start()
        lines.failing = False
        topics.write_bits(range(500, 600, BIT))
        whole.finish(worker)
        worker.wait(lambda: "reason" not in worker.status(), "the checkpoint")
        assert worker.metric("moorage_drift_sink_dropped_total", sink="victoria") == 0
        away = whole.outcome("away", lines)
        said = worker.process.log.read_text()
    for name in ("victoria", "hook"):
        assert f"sink {name} fails" in said
        assert f"sink {name} works again" in said
    with line_server() as lines, whole.worker("calm", lines, window={"rows": 500}).start() as worker:
        whole.finish(worker)
        calm = whole.outcome("calm", lines)
    compare(away, calm)
    assert len(calm["alerts"]) >= 6
