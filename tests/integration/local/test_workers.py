"""Drift monitors, streams and batch predictions by `moorage up`, with workers that keep the contract."""

import json
import signal

import pytest

BATCH = """\
apiVersion: moorage.dev/v1alpha1
kind: BatchPrediction
metadata: {name: all}
spec:
  model: {name: m, uri: "s3://models/iris/v1", framework: {name: sklearn}, parameters: PARAMETERS}
  input: {uri: "s3://data/all.parquet"}
  output: {uri: "s3://predictions/all"}
  parallelism: 3
"""
MONITOR = """\
apiVersion: moorage.dev/v1alpha1
kind: DriftMonitor
metadata: {name: iris}
spec:
  stream: {kafka: {bootstrapServers: "kafka:9092", topic: iris.capture}, model: m}
  reference: {uri: "s3://data/train.parquet"}
  window: {rows: ROWS}
  checkpoint: {uri: "s3://drift/iris"}
  replicas: REPLICAS
"""
STREAM = """\
  stream:
    input: {kafka: {bootstrapServers: "kafka:9092", topic: iris.in}}
    output: {kafka: {bootstrapServers: "kafka:9092", topic: iris.out}}
    deadLetter: {kafka: {bootstrapServers: "kafka:9092", topic: iris.dead}}
"""
READY = ("True", "JobCompleted")


@pytest.fixture
def batch(tmp_path):
    """Write the manifest of a batch; the same again is an edit."""

    def write(extra="", **parameters):
        return put(tmp_path, "batch", BATCH.replace("PARAMETERS", json.dumps(parameters)) + extra)

    return write


@pytest.fixture
def monitor(tmp_path):
    def write(rows=1000, replicas=1):
        return put(tmp_path, "drift", MONITOR.replace("ROWS", str(rows)).replace("REPLICAS", str(replicas)))

    return write


def put(tmp_path, name, text):
    folder = tmp_path / "manifests"
    folder.mkdir(exist_ok=True)
    unfinished = folder / f".{name}.tmp"
    unfinished.write_text(text)
    unfinished.replace(folder / f"{name}.yaml")
    return folder


def runs(running, kind="predictions/all"):
    """How often each index was run."""
    files = sorted((running.state / "objects" / kind).glob("*.runs"))
    return [len(file.read_text().splitlines()) for file in files]


def only_job(running):
    (job,) = running.store.list("Job", "default")
    return job


def jobs_done(running):
    """The completed indexes of each Job."""
    return [(job.get("status") or {}).get("completedIndexes") for job in running.store.list("Job", "default")]


def status_of(running, kind="BatchPrediction", name="all"):
    return (running.get(kind, name) or {}).get("status") or {}


def test_every_index_runs_and_a_failed_one_is_tried_again(up, batch):
    running = up(batch(fails=1))
    running.wait_condition("BatchPrediction", "all", "Ready", READY)
    assert runs(running) == [1, 2, 1]
    status = status_of(running)
    assert (status["rowsDone"], status["rowsTotal"]) == (300, 300)
    assert status["outputUri"] == f"{running.state.absolute()}/objects/predictions/all"
    job = only_job(running)["status"]
    assert (job["completedIndexes"], job["succeeded"], job["failed"], job["active"]) == ("0-2", 3, 1, 0)
    notes = [
        pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for pod in running.pods()
    ]
    assert sorted(notes) == ["0", "1", "1", "2"]
    running.says("batchprediction/all predicted 300 rows to ")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_runs_only_the_indexes_that_had_not_succeeded(up, batch, tmp_path, end):
    folder = batch(slow=1, until=str(tmp_path / "go"))
    running = up(folder)
    running.wait_until(lambda: jobs_done(running) == ["0,2"], "two indexes")
    workers = running.pids()
    running.stop(sig=end)
    running.wait_gone(workers)
    assert only_job(running)["status"]["active"] == (0 if end == signal.SIGTERM else 1)
    (tmp_path / "go").touch()
    again = up(folder, state=running.state)
    again.wait_condition("BatchPrediction", "all", "Ready", READY)
    assert runs(again) == [1, 2, 1]
    assert status_of(again)["rowsDone"] == 300


def test_the_status_tells_how_far_it_is_while_it_runs(up, batch, tmp_path):
    running = up(batch(slow=0, until=str(tmp_path / "go")))
    running.wait_until(lambda: status_of(running).get("rowsTotal") == 300, "the rows are known")
    assert running.condition("BatchPrediction", "all", "Ready") == ("False", "JobRunning")
    (tmp_path / "go").touch()
    running.wait_condition("BatchPrediction", "all", "Ready", READY)


def test_suspending_ends_the_workers_and_resuming_keeps_what_is_done(up, batch, tmp_path):
    batch(slow=1, until=str(tmp_path / "go"))
    running = up(tmp_path / "manifests")
    running.wait_until(lambda: jobs_done(running) == ["0,2"], "two indexes")
    batch("  suspend: true\n", slow=1, until=str(tmp_path / "go"))
    running.wait_until(lambda: not running.pids(), "the end of the worker")
    running.wait_condition("BatchPrediction", "all", "Ready", ("False", "Suspended"))
    (tmp_path / "go").touch()
    batch(slow=1, until=str(tmp_path / "go"))
    running.wait_condition("BatchPrediction", "all", "Ready", READY)
    assert runs(running) == [1, 2, 1]


def test_what_trying_again_would_not_help_ends_at_once_with_its_words(up, batch):
    running = up(batch(refuses=0))
    running.wait_condition("BatchPrediction", "all", "Ready", ("False", "JobFailed"))
    assert runs(running)[0] == 1
    running.says("batchprediction/all failed: JobFailed: the columns do not fit")


def test_a_scheduled_batch_replaces_a_run_that_is_still_under_way(up, batch, tmp_path):
    slow = {"slow": 0, "until": str(tmp_path / "go")}
    running = up(batch('  schedule: "0 2 * * *"\n  concurrencyPolicy: Replace\n', **slow))
    running.wait_condition("BatchPrediction", "all", "Ready", ("True", "Scheduled"))

    def due(at):
        running.store.put_status("CronJob", "default", "all", {"lastScheduleTime": at})

    due("2026-01-01T00:00:00Z")
    running.wait_until(lambda: runs(running) == [1, 1, 1], "a run")
    first = only_job(running)["metadata"]["uid"]
    due("2026-01-02T00:00:00Z")
    running.wait_until(lambda: runs(running) == [2, 2, 2], "another run")
    assert only_job(running)["metadata"]["uid"] != first
    (tmp_path / "go").touch()
    running.wait_until(lambda: status_of(running).get("rowsDone") == 300, "its end")


def test_a_monitor_tells_of_a_drift(up, monitor):
    running = up(monitor())
    running.wait_condition("DriftMonitor", "iris", "Ready", ("True", "Reconciled"))
    running.wait_condition("DriftMonitor", "iris", "DataDrift", ("False", "NoDrift"))
    (running.state / "objects/drift/iris/detected").touch()
    running.wait_condition("DriftMonitor", "iris", "DataDrift", ("True", "DriftDetected"))
    running.says("driftmonitor/iris DataDrift DriftDetected: petal_length")
    status = status_of(running, "DriftMonitor", "iris")
    assert status["drift"] == "Detected"
    assert [feature["name"] for feature in status["features"]] == ["petal_length"]

    def events():
        found = running.store.events(running.get("DriftMonitor", "iris"))
        return {(event["type"], event["reason"]) for event in found}

    running.wait_until(lambda: ("Warning", "DriftDetected") in events(), "the event, written after the line")


def test_two_workers_of_a_monitor_never_run_at_once(up, monitor):
    running = up(monitor())
    for rows in (2000, 3000):
        running.wait_condition("DriftMonitor", "iris", "Ready", ("True", "Reconciled"))
        before = running.pids()
        monitor(rows)
        running.wait_until(lambda before=before: set(running.pids()).isdisjoint(before), "the old one's end")
    running.wait_condition("DriftMonitor", "iris", "Ready", ("True", "Reconciled"))
    monitor(3000, replicas=0)
    running.wait_condition("DriftMonitor", "iris", "Ready", ("True", "ScaledToZero"))
    monitor(3000, replicas=1)
    running.wait_condition("DriftMonitor", "iris", "Ready", ("True", "Reconciled"))
    assert len(running.pids()) == 1
    assert not (running.state / "objects/drift/iris/overlap").exists()
    assert "BackOff" not in {event["reason"] for event in running.store.list("Event", "default")}


def test_the_workers_of_a_stream_stand_beside_the_servers(up, serving):
    running = up(serving(extra=STREAM))
    running.wait_ready("iris")
    running.wait_until(
        lambda: (status_of(running, "ModelServing", "iris").get("stream") or {}).get("lag") == 7, "its lag"
    )
    assert status_of(running, "ModelServing", "iris")["stream"]["readyReplicas"] == 1
    assert len(running.pids()) == 2
    logs = "".join(file.read_text() for file in (running.state / "logs/default").glob("iris-stream-*.log"))
    assert logs.startswith(f"from {running.state.absolute()}/streams/iris.in to ")
