"""`moorage up` end to end: real processes of a runtime that keeps the contract but needs no model."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import psutil

from moorage_operator.local.kubelet import process
from parts import free_port, wait_until

TEST = """\
apiVersion: moorage.dev/v1alpha1
kind: ModelTest
metadata: {name: live}
spec:
  servingRef: {name: iris}
  dataset: {uri: "s3://data/test.csv", labelColumn: label}
"""
HOURLY = """\
  trigger: {type: Schedule, schedule: "0 * * * *", timeZone: Europe/Berlin}
"""


def _kill(pid):
    os.kill(pid, signal.SIGKILL)


def _gone(pids):
    alive = [pid for pid in pids if psutil.pid_exists(pid)]
    return all(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in alive)


def test_deploys_a_manifest_and_answers_at_the_url_of_the_status(up, serving):
    running = up(serving())
    answer = running.wait_ready("iris")
    status = running.get("ModelServing", "iris")["status"]
    assert status["url"] == f"http://127.0.0.1:{running.port}" == status["address"]["url"]
    assert answer["revision"] == status["revision"]
    assert status["readyReplicas"] == 1
    running.says(f"modelserving/iris ready at http://127.0.0.1:{running.port}")
    running.says("ignored on one machine: NetworkPolicy")
    assert running.get("Service", "iris")["metadata"]["annotations"]["moorage.dev/local-address"] == (
        f"127.0.0.1:{running.port}"
    )
    deployment = running.get("Deployment", "iris")["status"]
    assert (deployment["replicas"], deployment["updatedReplicas"], deployment["availableReplicas"]) == (
        1,
        1,
        1,
    )
    reasons = {event["reason"] for event in running.store.events(running.get("Deployment", "iris"))}
    assert {"SuccessfulCreate", "Started"} <= reasons


def test_a_process_gets_mapped_addresses_and_only_the_environment_that_is_meant_for_it(up, serving):
    capture = "  capture: {kafka: {bootstrapServers: 'kafka:9092', topic: iris.capture, authSecretRef: {name: k}}}\n"
    running = up(serving(extra=capture))
    answer = running.wait_ready("iris")
    config = answer["config"]
    assert config["models"][0]["uri"] == f"{running.state}/objects/models/iris/v1"
    assert config["capture"]["stream"]["uri"] == f"{running.state}/streams/iris.capture"
    assert config["capture"]["stream"]["auth_dir"] is None
    assert config["http"]["port"] == running.port
    assert "MOORAGE_LEAK" not in answer["env"]
    assert answer["env"]["AWS_REGION"] == "here"


def test_kafka_and_object_store_replace_addresses_only(up, serving):
    capture = "  capture: {kafka: {bootstrapServers: 'kafka:9092', topic: iris.capture}}\n"
    running = up(serving(extra=capture), kafka="127.0.0.1:9999", object_store="http://127.0.0.1:9000")
    config = running.wait_ready("iris")["config"]
    assert config["models"][0]["uri"] == "s3://models/iris/v1"
    assert config["storage"]["endpoint"] == "http://127.0.0.1:9000"
    assert config["capture"]["stream"]["uri"] == "kafka://127.0.0.1:9999/iris.capture"


def test_follows_an_edit_and_ends_the_former_revision(up, serving):
    running = up(serving())
    first = running.wait_ready("iris")
    serving(version="v2")
    running.wait_until(
        lambda: running.get("ModelServing", "iris")["metadata"]["generation"] == 2, "the edit's application"
    )
    running.wait_condition("ModelServing", "iris", "Ready", ("True", "Reconciled"))
    running.wait_until(lambda: _gone([first["pid"]]), "the former process's end")
    second = running.ask("iris")
    assert second["revision"] != first["revision"]
    assert second["config"]["models"][0]["version"] == "v2"
    running.wait_until(lambda: len(running.pods()) == 1, "the former pod's end")
    configs = [each["metadata"]["name"] for each in running.store.list("ConfigMap", "default")]
    assert configs == [f"iris-{second['revision']}"]


def test_no_request_fails_while_revisions_change(up, serving):
    running = up(serving(extra="  replicas: 2\n"))
    running.wait_ready("iris")
    url = f"http://127.0.0.1:{running.port}/"
    failures, revisions, stop = [], set(), threading.Event()

    def client():
        while not stop.is_set():
            try:
                revisions.add(running.ask("iris")["revision"])
            except Exception as error:  # noqa: BLE001 - every fault is what the test looks for
                failures.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    for version in ("v2", "v3"):
        serving(version=version, extra="  replicas: 2\n")
        running.wait_until(
            lambda version=version: (
                running.get("ModelServing", "iris")["spec"]["models"][0]["version"] == version
            ),
            f"{version} applied",
        )
        running.wait_ready("iris")
    wait_until(lambda: len(revisions) >= 3, f"answers of three revisions at {url}")
    stop.set()
    thread.join()
    assert failures == []


def test_a_bad_revision_leaves_the_former_one_serving_and_says_why(up, serving):
    running = up(serving())
    good = running.wait_ready("iris")
    serving(version="v2", fails=True)
    running.wait_condition("ModelServing", "iris", "Ready", ("False", "ModelLoadFailed"))
    assert running.condition("ModelServing", "iris", "Available") == ("True", "MinimumReplicasAvailable")
    assert running.ask("iris")["revision"] == good["revision"]
    running.says("ModelLoadFailed: model m: it is broken; what was ready before keeps serving")
    _kill(good["pid"])  # even now the good one is what is kept alive
    running.wait_until(lambda: good["pid"] not in running.pids() and len(running.pids()) == 2, "the restart")
    running.wait_condition("ModelServing", "iris", "Available", ("True", "MinimumReplicasAvailable"))
    assert running.ask("iris")["revision"] == good["revision"]
    serving(version="v3")
    running.wait_until(lambda: running.ask("iris")["config"]["models"][0]["version"] == "v3", "the next one")
    running.wait_condition("ModelServing", "iris", "Ready", ("True", "Reconciled"))


def test_a_killed_process_is_started_again_under_the_same_pod(up, serving):
    running = up(serving())
    before = running.wait_ready("iris")
    (pod,) = running.pods()
    _kill(before["pid"])
    running.wait_until(lambda: running.pids() not in ([], [before["pid"]]), "a new process")
    running.wait_until(lambda: running.pods()[0]["status"]["containerStatuses"][0]["ready"], "readiness")
    after = running.ask("iris")
    assert after["pid"] != before["pid"]
    assert running.pods()[0]["metadata"]["name"] == pod["metadata"]["name"]
    assert running.pods()[0]["status"]["containerStatuses"][0]["restartCount"] == 1


def test_a_process_that_keeps_ending_is_a_crash_loop_with_its_last_words(up, serving):
    running = up(serving(exits=3))
    running.wait_condition("ModelServing", "iris", "Ready", ("False", "CrashLoop"))
    running.wait_until(
        lambda: running.pods()[0]["status"]["containerStatuses"][0]["restartCount"] >= 2, "two restarts"
    )
    running.says("exit code 3: error: model m makes the process end")
    status = running.pods()[0]["status"]["containerStatuses"][0]["state"]
    assert status["waiting"]["reason"] == "CrashLoop" or "running" in status


def test_a_failing_liveness_probe_restarts_the_process(up, serving, tmp_path):
    sick = tmp_path / "sick"
    running = up(serving(dies=str(sick)))
    before = running.wait_ready("iris")
    sick.touch()
    running.wait_until(lambda: before["pid"] not in running.pids(), "the end of the process")
    sick.unlink()
    running.wait_until(lambda: running.pids() not in ([], [before["pid"]]), "a new process")
    events = running.store.events(running.get("Deployment", "iris"))
    assert any(event["reason"] == "Unhealthy" for event in events)


async def test_a_process_that_does_not_hear_sigterm_is_killed_after_its_grace_period(tmp_path):
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    log = tmp_path / "log"
    started = await process.start([sys.executable, "-c", deaf], {}, tmp_path, log, tmp_path / "pid.json")
    await asyncio.to_thread(wait_until, lambda: log.read_text() == "deaf\n", "its deafness")
    await started.stop(grace=0.1)
    assert await started.wait() == -signal.SIGKILL
    assert not (tmp_path / "pid.json").exists()


def test_an_idle_one_writes_nothing(up, serving):
    folder = serving()
    (folder / "live.yaml").write_text(TEST)
    (folder / "nightly.yaml").write_text(TEST.replace("live", "nightly") + HOURLY)
    running = up(folder)
    running.wait_ready("iris")
    running.wait_condition("ModelTest", "live", "Ready", ("True", "TestPassed"))
    running.wait_condition("ModelTest", "nightly", "Ready", ("True", "Scheduled"))

    def writes_while_asked_for_its_status(times):
        asked, before = running.ask("iris")["asked"], _writes(running)
        running.wait_until(lambda: running.ask("iris")["asked"] >= asked + times, f"{times} questions")
        return _writes(running) - before

    running.wait_until(lambda: writes_while_asked_for_its_status(3) == 0, "the end of all writes")
    assert writes_while_asked_for_its_status(15) == 0


def test_replicas_share_the_port_and_scale_to_zero(up, serving):
    running = up(serving(extra="  replicas: 3\n"))
    running.wait_ready("iris")
    seen = set()
    wait_until(lambda: seen.add(running.ask("iris")["pid"]) or len(seen) == 3, "answers of three processes")
    serving(extra="  replicas: 0\n")
    running.wait_condition("ModelServing", "iris", "Ready", ("True", "ScaledToZero"))
    wait_until(lambda: _gone(list(seen)), "the end of all")


def test_deleting_the_resource_ends_its_processes_and_removes_its_children(up, serving):
    running = up(serving())
    pid = running.wait_ready("iris")["pid"]
    assert running.store.delete("ModelServing", "default", "iris")
    wait_until(lambda: _gone([pid]), "the end of the process")
    wait_until(lambda: not running.pods() and not running.get("Deployment", "iris"), "the children's end")


def test_an_image_that_needs_a_container_is_not_runnable_locally(up, serving, tmp_path):
    own = tmp_path / "runtime.yaml"
    own.write_text("""\
apiVersion: moorage.dev/v1alpha1
kind: ModelRuntime
metadata: {name: own}
spec: {image: "registry.example/own:1", frameworks: [{name: sklearn}], priority: 1000}
""")
    running = up(own, serving())
    running.wait_condition("ModelServing", "iris", "Stalled", ("True", "NotRunnableLocally"))
    running.says("image registry.example/own:1 needs a container")
    running.store.delete("ModelRuntime", "default", "own")
    running.wait_ready("iris")


def test_a_missing_secret_is_named_and_its_arrival_starts_the_pod(up, serving, tmp_path):
    pod = "  pod: {env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: token, key: word}}}]}\n"
    running = up(serving(extra=pod))
    running.wait_until(lambda: "Secret token not found" in running.output(), "the complaint")
    running.store.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "data": {"word": "c2VzYW1l"}}
    )
    assert running.wait_ready("iris")["env"]["TOKEN"] == "sesame"
    stored = [
        path.read_text() for path in (running.state / "store").rglob("*.json") if "Secret" not in str(path)
    ]
    assert not any("sesame" in text or "c2VzYW1l" in text for text in stored)


def test_an_edited_secret_reaches_the_files_of_a_running_pod(up, serving):
    pod = (
        "  pod: {volumes: [{name: s, secret: {secretName: token}}], "
        "volumeMounts: [{name: s, mountPath: /etc/token}]}\n"
    )
    running = up(serving(extra=pod))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "data": {"word": "b25l"}}
    running.store.apply(secret)
    running.wait_ready("iris")
    name = running.pods()[0]["metadata"]["name"]
    file = running.state / "run" / "pods" / "default" / name / "volumes" / "s" / "word"
    assert file.read_text() == "one"
    assert file.stat().st_mode & 0o077 == 0
    running.store.apply({**secret, "data": {"word": "dHdv"}})
    wait_until(lambda: file.read_text() == "two", "the new content")


def test_an_invalid_manifest_is_named_with_its_field_and_leaves_the_rest_alone(up, serving):
    folder = serving()
    (folder / "broken.yaml").write_text("a: [1\n")
    (folder / "wrong.yaml").write_text("""\
apiVersion: moorage.dev/v1alpha1
kind: ModelServing
metadata: {name: wrong}
spec: {models: [{name: m, uri: "s3://b/k", framework: {name: sklearn}}], replicas: -1}
""")
    running = up(folder)
    running.wait_ready("iris")
    running.says("wrong.yaml")
    running.says("spec.replicas")
    running.says("broken.yaml")
    assert running.get("ModelServing", "wrong") is None
    generation = running.get("ModelServing", "iris")["metadata"]["generation"]
    (folder / "iris.yaml").unlink()
    running.says(f"{folder / 'iris.yaml'} is gone; what it applied stays until `moorage delete`")
    (folder / "broken.yaml").write_text((folder / "wrong.yaml").read_text().replace("-1", "0"))
    running.wait_condition("ModelServing", "wrong", "Ready", ("True", "ScaledToZero"))
    assert running.get("ModelServing", "iris")["metadata"]["generation"] == generation
    assert running.ask("iris")


def test_a_model_test_runs_as_a_job_and_its_verdict_survives(up, serving, tmp_path):
    folder = serving()
    (folder / "test.yaml").write_text(TEST)
    running = up(folder)
    running.wait_condition("ModelTest", "live", "Ready", ("True", "TestPassed"))
    status = running.get("ModelTest", "live")["status"]
    assert status["verdict"] == "Passed"
    (job,) = running.store.list("Job", "default")
    assert [entry["type"] for entry in job["status"]["conditions"]] == ["Complete"]
    assert running.stop() == 0
    again = up(folder, state=running.state)
    again.wait_ready("iris")
    again.wait_condition("ModelTest", "live", "Ready", ("True", "TestPassed"))
    assert [each["metadata"]["name"] for each in again.store.list("Job", "default")] == [
        job["metadata"]["name"]
    ]
    assert again.get("ModelTest", "live")["status"] == status


def test_a_verdict_stays_when_the_serving_moves_on_and_an_edit_of_the_test_asks_again(up, serving):
    folder = serving()
    (folder / "test.yaml").write_text(TEST)
    running = up(folder)
    running.wait_condition("ModelTest", "live", "Ready", ("True", "TestPassed"))
    before = running.get("ModelTest", "live")["status"]
    revision = running.wait_ready("iris")["revision"]
    serving(version="v2")
    running.wait_until(lambda: running.ask("iris")["revision"] != revision, "the new revision")
    running.wait_condition("ModelServing", "iris", "Ready", ("True", "Reconciled"))
    assert running.get("ModelTest", "live")["status"] == before
    (folder / "test.yaml").write_text(TEST.replace("label}", "label, rows: 7}"))
    running.wait_until(
        lambda: len(running.get("ModelTest", "live")["status"]["history"]) == 2, "a second run"
    )
    running.wait_condition("ModelTest", "live", "Ready", ("True", "TestPassed"))
    assert before["history"][0] in running.get("ModelTest", "live")["status"]["history"]


def test_a_scheduled_test_runs_at_its_time(up, serving):
    folder = serving()
    (folder / "test.yaml").write_text(TEST.replace("live", "hourly") + HOURLY)
    running = up(folder)
    running.wait_condition("ModelTest", "hourly", "Ready", ("True", "Scheduled"))
    (cron_job,) = running.store.list("CronJob", "default")
    name = cron_job["metadata"]["name"]
    running.store.put_status("CronJob", "default", name, {"lastScheduleTime": "2026-01-01T00:00:00Z"})
    running.wait_until(
        lambda: running.get("ModelTest", "hourly")["status"].get("verdict") == "Passed", "a run"
    )
    assert len(running.store.list("Job", "default")) == 1


def test_a_second_up_says_who_has_the_state_folder(up, serving):
    running = up(serving())
    running.wait_ready("iris")
    second = up(state=running.state)
    assert second.process.wait(20) == 1
    assert f"(process {running.pid})" in second.output()


def test_survivors_of_an_earlier_up_are_ended_and_strangers_with_their_number_are_not(up, serving, tmp_path):
    with subprocess.Popen(["sleep", "300"]) as survivor, subprocess.Popen(["sleep", "300"]) as stranger:
        for process, started in (
            (survivor, psutil.Process(survivor.pid).create_time()),
            (stranger, psutil.Process(stranger.pid).create_time() - 3600),
        ):
            folder = tmp_path / "state" / "run" / "pods" / "default" / f"pod-{process.pid}"
            folder.mkdir(parents=True)
            (folder / "pid.json").write_text(json.dumps({"pid": process.pid, "started": started}))
        running = up()
        running.wait_until(lambda: "ended 1 left over" in running.output(), "the line that says so")
        assert survivor.wait(20) == -signal.SIGKILL
        assert stranger.poll() is None
        stranger.kill()


def test_ctrl_c_lets_a_request_under_way_finish_and_leaves_nothing(up, serving):
    running = up(serving())
    pid = running.wait_ready("iris")["pid"]
    answers = []
    thread = threading.Thread(target=lambda: answers.append(running.ask("iris", "/slow")))
    thread.start()
    wait_until(lambda: _connections(pid) > 0, "the request's arrival")
    assert running.stop(sig=signal.SIGINT) == 0
    thread.join()
    assert answers[0]["pid"] == pid
    assert _gone([pid])
    assert running.get("ModelServing", "iris")["status"]["readyReplicas"] == 0
    assert running.pods() == []
    assert "stopped; nothing is running any more" in running.output()


def test_a_second_ctrl_c_does_not_wait(up, serving):
    running = up(serving(hangs=True))
    pid = running.wait_ready("iris")["pid"]
    running.process.send_signal(signal.SIGINT)
    running.wait_until(lambda: "draining 1 process" in running.output(), "the draining")
    assert running.stop(sig=signal.SIGINT) == 0
    assert _gone([pid])


def test_kill_9_of_up_leaves_no_process_and_the_next_one_goes_on(up, serving):
    folder = serving(extra="  replicas: 2\n", hangs=True)
    running = up(folder)
    running.wait_ready("iris")
    pids = running.pids()
    assert len(pids) == 2
    _kill(running.pid)
    wait_until(lambda: _gone(pids), "the end of all processes")
    running.process.wait()
    again = up(folder, state=running.state)
    again.wait_until(lambda: len(again.pids()) == 2 and not set(again.pids()) & set(pids), "new processes")
    again.wait_ready("iris")
    assert len(again.pods()) == 2
    _kill(again.pid)  # its processes do not listen to SIGTERM


def test_the_port_stays_and_a_taken_one_is_passed_over(up, serving):
    with socket.socket() as other:
        other.bind(("127.0.0.1", free_port()))
        other.listen()
        running = up(serving(), port=other.getsockname()[1])
        running.wait_ready("iris")
        url = running.get("ModelServing", "iris")["status"]["url"]
        assert not url.endswith(f":{running.port}")
    running.stop()
    again = up(serving(), state=running.state, port=running.port)
    again.wait_ready("iris")
    assert again.get("ModelServing", "iris")["status"]["url"] == url


def _writes(running):
    """How often the store was written."""
    return int((running.state / "store" / ".version").read_text())


def _connections(pid):
    found = psutil.Process(pid).net_connections(kind="tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED for each in found)
