"""Drift monitors and batch predictions on the command line."""

import threading
from datetime import UTC, datetime

import pytest

from moorage_operator.cli import progress

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONITOR = """
apiVersion: moorage.dev/v1alpha1
kind: DriftMonitor
metadata: {name: iris}
spec:
  servingRef: {name: iris}
  reference: {uri: "s3://data/train.parquet"}
  window: {rows: 1000}
  sinks: {objectStore: {uri: "s3://drift/iris"}}
"""
BATCH = """
apiVersion: moorage.dev/v1alpha1
kind: BatchPrediction
metadata: {name: all}
spec:
  model: {name: m, uri: "s3://models/iris", framework: {name: sklearn}}
  input: {uri: "s3://data/all.parquet"}
  output: {uri: "s3://predictions/all"}
  parallelism: 2
"""
DRIFT = {
    "drift": "Detected",
    "windows": 12,
    "lag": 40,
    "lastWindow": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:01:00Z", "rows": 1000},
    "features": [
        {"name": "petal_length", "role": "feature", "statistic": "tvd", "value": "0.41", "pValue": "1e-9",
         "state": "Detected"},
    ],
}  # fmt: skip
PROGRESS = {"rowsTotal": 1000, "rowsDone": 250, "fragmentsTotal": 8, "fragmentsDone": 2}


def said(kind, value, reason, message=""):
    return {"type": kind, "status": value, "reason": reason, "message": message, "observedGeneration": 1}


@pytest.fixture
def objects(moorage):
    moorage("apply", "-f", "-", stdin=f"{MONITOR}---{BATCH}")
    tell(moorage, "DriftMonitor", "iris", DRIFT, said("DataDrift", "True", "DriftDetected", "petal_length"))
    tell(moorage, "BatchPrediction", "all", PROGRESS)
    return moorage


def tell(moorage, kind, name, status, *more, ready=("True", "Reconciled")):
    conditions = [said("Ready", *ready), *more]
    moorage.store.put_status(
        kind, "default", name, {"observedGeneration": 1, "conditions": conditions, **status}
    )


def test_get_answers_first(objects):
    assert objects.lines("get", "drift") == [
        ["NAME", "DRIFT", "READY", "SERVING", "WINDOWS", "LAG", "AGE"],
        ["iris", "Detected", "True", "iris", "12", "40", "0s"],
    ]
    assert objects.lines("get", "bpred") == [
        ["NAME", "READY", "DONE", "ROWS", "REASON", "AGE"],
        ["all", "True", "250", "1000", "Reconciled", "0s"],
    ]
    assert "DriftDetected" in objects("get", "driftmonitors", "-o", "wide").stdout
    assert [row[0] for row in objects.lines("get", "moorage", "--no-headers", "-o", "name")][-1].startswith(
        "cluster"
    )


def test_describe_shows_the_last_window_the_features_and_the_progress(objects):
    rows = [line.split() for line in objects("describe", "drift/iris").stdout.splitlines()]
    assert ["Drift:", "Detected"] in rows
    assert ["Last", "window:", "1000", "rows,", "2026-01-01T00:00:00Z", "to", "2026-01-01T00:01:00Z"] in rows
    assert ["petal_length", "feature", "tvd", "0.41", "1e-9", "Detected"] in rows
    rows = [line.split() for line in objects("describe", "bpred", "all").stdout.splitlines()]
    assert ["Fragments:", "2", "of", "8"] in rows
    assert ["Rows:", "1000"] in rows


def test_describe_shows_the_stream_of_a_serving(moorage):
    stream = {"replicas": 2, "readyReplicas": 1, "lag": 5, "recordsPerSecond": "120", "deadLettered": 3}
    moorage.serving(status={"stream": stream})
    shown = moorage("describe", "mserve/iris").stdout
    assert "Stream:        1/2 ready, 120 records/s, lag 5, 3 dead-lettered\n" in shown


def test_waiting_for_drift(objects):
    done = objects("wait", "--for=condition=DataDrift", "drift/iris", "--timeout=0")
    assert done.stdout == "driftmonitor.moorage.dev/iris condition met\n"
    objects("wait", "--for=condition=ConceptDrift", "drift/iris", "--timeout=0", code=1)


def test_waiting_for_a_batch_tells_how_far_it_is_and_keeps_the_answer_apart(objects):
    tell(objects, "BatchPrediction", "all", PROGRESS, ready=("False", "JobRunning"))

    def finish():
        tell(objects, "BatchPrediction", "all", {**PROGRESS, "rowsDone": 1000})

    timer = threading.Timer(0.3, finish)
    timer.start()
    done = objects("wait", "--for=condition=Ready", "bpred/all", "--timeout=30s")
    timer.join()
    assert done.stdout == "batchprediction.moorage.dev/all condition met\n"
    lines = [line for line in done.stderr.splitlines() if line.startswith("batchprediction/all")]
    assert lines == [
        "batchprediction/all 250 of 1,000 rows, 25 %",
        "batchprediction/all 1,000 of 1,000 rows, 100 %",
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({}, "planning"),
        ({"rowsTotal": 0}, "0 of 0 rows"),
        ({"rowsTotal": 1_000_000, "rowsDone": 120_000}, "120,000 of 1,000,000 rows, 12 %"),
        (
            {"rowsTotal": 10, "rowsDone": 5, "estimatedFinishAt": "2026-01-01T00:00:40Z"},
            "5 of 10 rows, 50 %, 40s left",
        ),
        (
            {"rowsTotal": 10, "rowsDone": 5, "estimatedFinishAt": "2025-12-31T00:00:00Z"},
            "5 of 10 rows, 50 %, 0s left",
        ),
    ],
)
def test_progress_in_words(status, words):
    assert progress.words(status, NOW) == words


def test_a_terminal_gets_a_bar(objects):
    tell(objects, "BatchPrediction", "all", PROGRESS, ready=("False", "JobRunning"))
    words = ["wait", "--for=condition=Ready", "bpred/all", "--timeout=60s"]
    answer, shown = on_terminal(objects, words, until=b"250 of 1,000 rows", then=lambda: tell(
        objects, "BatchPrediction", "all", {**PROGRESS, "rowsDone": 1000}))  # fmt: skip
    assert answer == b"batchprediction.moorage.dev/all condition met\n"
    assert "━".encode() in shown
    assert b"Traceback" not in shown


def on_terminal(moorage, words, until, then):
    """(standard output, what is written to a terminal as standard error); `then` is called once `until` was seen."""
    import os
    import pty

    ours, theirs = pty.openpty()
    shown = b""
    with moorage.process(*words, stderr=theirs) as waiting:
        os.close(theirs)
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            if not data:
                break
            shown += data
            if until in shown and then is not None:
                then = then()
        os.close(ours)
        answer = waiting.stdout.read()
        assert waiting.wait(30) == 0
    return answer, shown


def test_logs_of_a_batch_are_those_of_all_its_indexes(objects):
    batch = objects.store.get("BatchPrediction", "default", "all")
    job = objects.child(batch, "Job", "all-r1", "batch/v1", spec={})
    for index in range(2):
        log(
            objects,
            objects.child(job, "Pod", f"all-r1-{index}-abcde", spec={"containers": [{}]}),
            f"index {index}\n",
        )
    expected = ["[all-r1-0-abcde] index 0", "[all-r1-1-abcde] index 1"]
    assert objects("logs", "bpred/all").stdout.splitlines() == expected
    assert objects("logs", "all").stdout.splitlines() == expected


def test_logs_of_a_serving_show_its_stream_too(moorage):
    serving = moorage.serving()
    for name in ("iris", "iris-stream"):
        deployment = moorage.child(serving, "Deployment", name, "apps/v1", spec={})
        log(moorage, moorage.child(deployment, "Pod", f"{name}-x", spec={"containers": [{}]}), f"{name}\n")
    assert moorage("logs", "mserve/iris").stdout.splitlines() == [
        "[iris-stream-x] iris-stream",
        "[iris-x] iris",
    ]


def log(moorage, pod, text):
    folder = moorage.state / "logs" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{pod['metadata']['name']}.log").write_text(text)


def test_plan_prints_the_children_of_both(moorage):
    names = moorage(
        "plan",
        "-f",
        "-",
        "-o",
        "name",
        stdin=f"{MONITOR.replace('servingRef: {name: iris}', STREAM)}---{BATCH}",
    )
    kinds = [line.partition("/")[0] for line in names.stdout.splitlines()]
    assert {"deployment", "job", "configmap"} <= set(kinds)


STREAM = 'stream: {kafka: {bootstrapServers: "kafka:9092", topic: iris.capture}, model: m}'


def test_delete_takes_the_children(objects):
    batch = objects.store.get("BatchPrediction", "default", "all")
    objects.child(batch, "Job", "all-r1", "batch/v1", spec={})
    assert objects("delete", "bpred/all").stdout == 'batchprediction.moorage.dev "all" deleted\n'
    assert objects.store.list("Job") == []
