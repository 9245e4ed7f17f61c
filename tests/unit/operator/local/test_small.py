"""Back-off, probes, the queue, Jobs' status and the printed lines."""

import asyncio
import os
import socket
from datetime import UTC, datetime, timedelta

import pytest

from moorage_operator.local import children, console, lock
from moorage_operator.local.backoff import Backoff
from moorage_operator.local.controllers import jobs
from moorage_operator.local.kubelet import pod_status, probes
from moorage_operator.local.kubelet.probes import Health, Probe
from moorage_operator.local.queue import Queue
from moorage_operator.plan import Plan
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


def job(**spec):
    return {"metadata": {"name": "j"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "phases", "ended"),
    [
        ({}, ["Running"], None),
        ({}, ["Succeeded"], "Complete"),
        ({"backoffLimit": 0}, ["Failed"], "Failed"),
        ({"backoffLimit": 1}, ["Failed"], None),
        ({"backoffLimit": 1}, ["Failed", "Failed"], "Failed"),
        ({"backoffLimit": 1}, ["Failed", "Succeeded"], "Complete"),
        ({}, ["Failed"] * 6, None),
        ({}, ["Failed"] * 7, "Failed"),
    ],
)
def test_what_the_pods_of_a_job_come_to(spec, phases, ended):
    written = jobs.status(job(**spec), phases, NOW)
    assert jobs.finished({"status": written}) == ended
    assert (written["succeeded"], written["failed"]) == (phases.count("Succeeded"), phases.count("Failed"))


def test_a_job_that_is_active_for_too_long_has_failed():
    late = job(activeDeadlineSeconds=10)
    late["status"] = jobs.status(late, ["Running"], NOW)
    written = jobs.status(late, ["Running"], NOW + timedelta(seconds=10))
    assert written["conditions"][0]["reason"] == "DeadlineExceeded"


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
