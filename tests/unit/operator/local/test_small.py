"""Back-off, probes, the queue and the printed lines."""

import asyncio
import os
import socket
from datetime import UTC, datetime

import pytest

from moorage_operator.local import children, console, lock
from moorage_operator.local.backoff import Backoff
from moorage_operator.local.kubelet import pod_status, probes
from moorage_operator.local.kubelet.probes import Health, Probe
from moorage_operator.local.queue import Queue
from moorage_operator.plan import Plan, labels
from moorage_runtime.config import BatchPredictStatus
from parts import free_port

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_backoff_doubles_up_to_its_bound():
    backoff = Backoff(first=0.5, most=30)
    assert [backoff.delay(n) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.delay(10_000) == 30


def test_backoff_forgets_failures_of_what_worked_for_long():
    backoff = Backoff(reset_after=60)
    assert backoff.failures(5, worked=59) == 6
    assert backoff.failures(5, worked=60) == 1


def test_a_probe_is_read_with_kubernetes_defaults():
    assert Probe.of({"httpGet": {"path": "/live", "port": 8082}}) == Probe("/live", 10, 1, 0, 1, 3)
    assert Probe.of(None) is None
    assert Probe.of({"exec": {"command": ["x"]}}) is None


@pytest.mark.parametrize(
    ("answers", "good"),
    [
        ([], True),
        ([False], True),
        ([False, False], False),
        ([False, True, False], True),
        ([False, False, True], True),
    ],
)
def test_health_needs_enough_failures_in_a_row(answers, good):
    health = Health(good=True)
    for answer in answers:
        health = health.after(Probe("/", failure_threshold=2), answer=answer)
    assert health.good is good


async def test_get_reads_status_and_body():
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 2\r\n\r\nno")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await probes.get(port, "/ready", 5) == (503, b"no")


async def test_get_is_none_where_nothing_sensible_answers():
    assert await probes.get(free_port(), "/", 5) is None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert await probes.get(silent.getsockname()[1], "/", 0.05) is None

    async def garbage(reader, writer):
        writer.write(b"hello\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    async with server:
        assert await probes.get(server.sockets[0].getsockname()[1], "/", 5) is None


async def test_the_queue_holds_a_key_once_at_its_earliest_time():
    queue = Queue(Backoff())
    queue.add("late", 3600)
    queue.add("a")
    queue.add("a", 5)
    queue.add("b")
    assert {await queue.get(), await queue.get()} == {"a", "b"}
    queue.add("late")
    assert await queue.get() == "late"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await queue.get()


async def test_a_waiting_worker_is_woken_by_an_earlier_key():
    queue = Queue(Backoff())
    queue.add("late", 3600)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("now")
    assert await waiting == "now"


async def test_a_key_that_fails_comes_back_and_success_forgets():
    queue = Queue(Backoff(first=0.001, most=3600))
    queue.failed("a")
    assert await queue.get() == "a"
    queue.succeeded("a")
    queue.failed("a")
    assert await queue.get() == "a"


def status(ready, reason, message="", **more):
    entries = [{"type": "Ready", "status": ready, "reason": reason, "message": message}]
    entries += [{"type": kind, "status": value} for kind, value in more.pop("conditions", {}).items()]
    return {"conditions": entries, **more}


RESOURCE = {"kind": "ModelServing", "metadata": {"name": "iris"}}


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (
            status("True", "Reconciled", url="http://127.0.0.1:1"),
            "modelserving/iris ready at http://127.0.0.1:1",
        ),
        (status("False", "Progressing", "rolling out"), "modelserving/iris Progressing: rolling out"),
        (
            status("False", "InvalidSpec", "spec.x: no", conditions={"Stalled": "True"}),
            "modelserving/iris failed: InvalidSpec: spec.x: no",
        ),
        (
            status("False", "ModelLoadFailed", conditions={"Stalled": "True", "Available": "True"}),
            "modelserving/iris failed: ModelLoadFailed; what was ready before keeps serving",
        ),
        (status("True", "TestPassed", "all", verdict="Passed"), "modelserving/iris Passed (all)"),
        ({}, None),
    ],
)
def test_printed_line(now, line):
    assert console.line(RESOURCE, now) == line
    assert console.line({**RESOURCE, "status": now}, now) is None


BATCH = {"kind": "BatchPrediction", "metadata": {"name": "all"}}
DONE = {"rowsDone": 1_000_000, "finishedAt": "2026-01-01T00:00:00Z", "outputUri": "s3://p/all/r1"}


def test_a_finished_batch_says_how_many_rows_are_where():
    assert console.line(BATCH, status("True", "JobCompleted", **DONE)) == (
        "batchprediction/all predicted 1,000,000 rows to s3://p/all/r1"
    )
    again = status("True", "JobCompleted", **{**DONE, "rowsDone": 5})
    assert console.line({**BATCH, "status": status("True", "JobCompleted", **DONE)}, again)
    assert console.event(again) == ("Normal", "JobCompleted", "predicted 5 rows to s3://p/all/r1")


def drift(value, reason, message=""):
    found = status("True", "Reconciled")
    found["conditions"].append({"type": "DataDrift", "status": value, "reason": reason, "message": message})
    return found


def test_a_drift_is_told_when_it_comes_and_when_it_goes_and_not_in_between():
    monitor = {"kind": "DriftMonitor", "metadata": {"name": "iris"}}
    former, told = status("True", "Reconciled"), []
    for now in (
        drift("Unknown", "WaitingForWindow", "no window yet"),
        drift("False", "NoDrift"),
        drift("False", "NoDrift"),
        drift("True", "DriftDetected", "petal_length"),
        drift("True", "DriftDetected", "petal_length"),
        drift("False", "NoDrift"),
    ):
        told += console.news({**monitor, "status": former}, now)
        former = now
    assert [news.line for news in told] == [
        "driftmonitor/iris DataDrift NoDrift",
        "driftmonitor/iris DataDrift DriftDetected: petal_length",
        "driftmonitor/iris DataDrift NoDrift",
    ]
    assert [(news.type, news.reason, news.message) for news in told[1:]] == [
        ("Warning", "DriftDetected", "petal_length"),
        ("Normal", "NoDrift", ""),
    ]


def test_a_status_document_is_read_by_its_role():
    batch = BatchPredictStatus(name="b", namespace="n", revision="r", rows_done=3)
    assert pod_status.read_status(batch.model_dump_json(by_alias=True)) == batch
    assert pod_status.read_status(b'{"role": "train"}') is None
    assert pod_status.read_status("Traceback") is None


def ended(message, code=0):
    state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "message": message}}
    return {
        "metadata": {"name": "p", "labels": {labels.REVISION: "r"}, "ownerReferences": [{"name": "j"}]},
        "status": {"containerStatuses": [{"state": state}]},
    }


def test_a_batch_worker_is_reported_by_its_last_words():
    said = BatchPredictStatus(name="b", namespace="n", revision="r", index=2, state="Finished")
    report = pod_status.report_of(ended(said.model_dump_json(by_alias=True)))
    assert (report.owner, report.revision, report.status, report.trouble) == ("j", "r", said, None)
    killed = pod_status.report_of(ended("signal SIGKILL", 137))
    assert (killed.status, killed.trouble) == (None, ("Error", "signal SIGKILL"))


def test_the_event_of_a_ready_serving_says_where_it_is():
    ready = {"type": "Ready", "status": "True", "reason": "Reconciled", "message": ""}
    status = {"url": "http://127.0.0.1:8080", "conditions": [ready]}
    assert console.event(status) == ("Normal", "Reconciled", "ready at http://127.0.0.1:8080")


def test_a_namespace_is_named_where_it_is_not_the_default_one():
    resource = {"kind": "ModelServing", "metadata": {"name": "iris", "namespace": "team"}}
    assert console.called(resource) == "modelserving/iris (namespace team)"


def child(kind, name, uid="u", **more):
    owner = [{"uid": uid, "controller": True}]
    return {"kind": kind, "metadata": {"name": name, "namespace": "n", "ownerReferences": owner}, **more}


def test_children_that_are_no_longer_planned_are_superfluous_and_kinds_of_clusters_ignored():
    plan = Plan(children=(child("Service", "a"), child("NetworkPolicy", "a")), status={})
    owned = [child("Service", "a"), child("ConfigMap", "old")]
    assert children.superfluous(plan, owned) == [("ConfigMap", "n", "old")]
    assert children.ignored(plan) == {"NetworkPolicy"}
    assert [each["kind"] for each in children.wanted(plan)] == ["Service"]


def test_nothing_is_superfluous_where_nothing_may_be_touched():
    assert children.superfluous(Plan(children=None, status={}), [child("Service", "a")]) == []


def test_what_others_own_of_a_child_stays():
    existing = child("Deployment", "a", spec={"replicas": 5})
    existing["metadata"]["annotations"] = {"theirs": "x", "ours": "old"}
    planned = child("Deployment", "a", spec={"template": {}})
    planned["metadata"]["annotations"] = {"ours": "new"}
    merged = children.merged(planned, existing)
    assert merged["spec"] == {"template": {}, "replicas": 5}
    assert merged["metadata"]["annotations"] == {"theirs": "x", "ours": "new"}
    assert children.merged(child("Deployment", "a", spec={"replicas": 2}), existing)["spec"]["replicas"] == 2
    assert children.is_foreign(child("Service", "a", uid="other"), "u")
    assert not children.is_foreign(None, "u")


def test_the_lock_names_its_holder(tmp_path):
    assert lock.holder(tmp_path) is None
    with lock.held(tmp_path):
        assert lock.holder(tmp_path) == os.getpid()
        with pytest.raises(lock.AlreadyRunning, match=f"process {os.getpid()}"), lock.held(tmp_path):
            pass
    assert lock.holder(tmp_path) is None
    with lock.held(tmp_path):
        pass


def test_exit_words():
    assert pod_status.exit_words(3) == "exit code 3"
    assert pod_status.exit_words(-9) == "signal SIGKILL"
