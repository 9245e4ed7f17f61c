"""What a ModelTest's plan makes of its serving, its Job and what the Job reports."""

import json
from datetime import timedelta

import pytest

from moorage_api.model_test import ModelTestSpec
from moorage_operator.plan import Ref, Report, plan, references
from moorage_operator.plan.model_test import fingerprint
from unit.operator.plan.world import (
    CATALOGUE,
    LATER,
    MODEL,
    NOW,
    applied,
    child,
    condition,
    edited,
    kinds,
    model_test,
    ready_serving,
    run_report,
    seeing,
    serving,
    truths,
    with_status,
)

CAPTURE = {"kafka": {"bootstrapServers": "kafka:9092", "topic": "iris", "authSecretRef": {"name": "user"}}}


def seen(found, *referenced, **fields):
    return plan(found, CATALOGUE, seeing(*referenced, **fields))


def config_of(made):
    return json.loads(child(made, "ConfigMap")["data"]["config.json"])


def started(found=None, subject=None):
    """(the test with status, its owned objects, the Job's name) once the Job exists."""
    found = found or model_test()
    made = seen(found, subject or ready_serving())
    owned = applied(made)
    return with_status(found, made), owned, child(owned, "Job")["metadata"]["name"]


def ended(owned, kind="Complete", at="2026-01-02T03:04:00Z"):
    status = {"conditions": [{"type": kind, "status": "True", "lastTransitionTime": at}]}
    return [{**each, "status": status} if each["kind"] == "Job" else each for each in owned]


def test_it_reads_its_serving():
    assert references(model_test()) == (Ref("ModelServing", "ml", "iris"),)
    endpoint = {"url": "http://elsewhere", "model": "m"}
    assert references(model_test(servingRef=None, endpoint=endpoint)) == ()


@pytest.mark.parametrize(
    ("subject", "reason", "words"),
    [
        ([], "ReferenceNotFound", "ModelServing ml/iris does not exist"),
        ([serving()], "WaitingForServing", "is being reconciled"),
        ([edited(ready_serving())], "WaitingForServing", "is being reconciled"),
        ([ready_serving(serving(replicas=0))], "WaitingForServing", "is scaled to zero"),
        ([serving(models=[])], "WaitingForServing", "has an invalid spec"),
    ],
)
def test_it_waits_until_its_serving_is_ready(subject, reason, words):
    made = seen(model_test(), *subject)
    assert made.children == ()
    assert truths(made) == {"Ready": "False", "Reconciling": "True", "Stalled": "False", "Passed": "Unknown"}
    assert condition(made, "Ready")["reason"] == reason
    assert words in condition(made, "Ready")["message"]


def test_a_serving_that_fails_is_waited_for_by_its_reason():
    subject = ready_serving()
    for each in subject["status"]["conditions"]:
        if each["type"] == "Ready":
            each |= {"status": "False", "reason": "ModelLoadFailed"}
    made = seen(model_test(), subject)
    assert condition(made, "Ready")["message"] == "ModelServing ml/iris is not ready: ModelLoadFailed"


def test_a_ready_serving_is_tested_where_it_says_it_answers():
    subject = ready_serving()
    subject["status"]["url"] = "http://127.0.0.1:18080"
    made = seen(model_test(), subject)
    assert kinds(made) == ["ConfigMap", "Job"]
    assert condition(made, "Ready")["reason"] == "TestRunning"
    assert config_of(made)["url"] == "http://127.0.0.1:18080"
    assert config_of(made)["model"] == "iris"
    job = child(made, "Job")
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert job["metadata"]["name"] == child(made, "ConfigMap")["metadata"]["name"]


def test_a_passed_run_is_ready_with_its_metrics():
    found, owned, job = started()
    report = run_report(
        job,
        metrics=[
            {"name": "accuracy", "value": 29 / 30, "unit": "ratio", "passed": True, "min": 0.9},
            {"name": "latency_p95_milliseconds", "value": 1.5, "unit": "milliseconds"},
        ],
        reportUri="s3://reports/1",
        servingRevision="abc",
    )
    made = seen(found, owned=ended(owned), reports=[report])
    assert truths(made) == {"Ready": "True", "Reconciling": "False", "Stalled": "False", "Passed": "True"}
    assert made.status["verdict"] == "Passed"
    assert made.status["metrics"] == [
        {"name": "accuracy", "value": "0.966667", "unit": "ratio", "passed": True},
        {"name": "latency_p95_milliseconds", "value": "1.5", "unit": "milliseconds"},
    ]
    assert made.status["reportUri"] == "s3://reports/1"
    assert made.status["history"] == [
        {"name": job, "finishedAt": "2026-01-02T03:00:00Z", "verdict": "Passed", "revision": "abc"}
    ]


def test_a_failed_run_stalls_and_says_what_was_not_met_but_no_values():
    found, owned, job = started()
    report = run_report(
        job,
        "Failed",
        metrics=[
            {"name": "accuracy", "value": 0.51, "passed": False, "min": 0.9},
            {"name": "errors", "value": 7, "passed": False, "max": 0},
        ],
        probes=[{"name": "negative", "passed": False}, {"name": "capture", "passed": True}],
    )
    made = seen(found, owned=ended(owned, "Failed"), reports=[report])
    assert truths(made) == {"Ready": "False", "Reconciling": "False", "Stalled": "True", "Passed": "False"}
    assert condition(made, "Ready")["reason"] == "TestFailed"
    assert condition(made, "Ready")["message"] == (
        "not met: accuracy below 0.9, errors above 0, probe negative"
    )


def test_a_run_that_could_not_test_is_an_error_in_its_own_words():
    found, owned, job = started()
    report = run_report(job, "Error", message="s3://data/iris.csv: no column 'y'")
    made = seen(found, owned=ended(owned, "Failed"), reports=[report])
    assert made.status["verdict"] == "Error"
    assert condition(made, "Stalled")["reason"] == "TestError"
    assert condition(made, "Ready")["message"] == "s3://data/iris.csv: no column 'y'"


def test_a_verdict_stays_when_job_report_and_serving_are_gone():
    found, owned, job = started()
    failed = run_report(job, "Failed", metrics=[{"name": "errors", "value": 7, "passed": False, "max": 0}])
    made = seen(found, owned=ended(owned, "Failed"), reports=[failed])
    found = with_status(found, made)
    later = seen(found, now=LATER)
    assert later.children == ()
    assert later.status == made.status


def test_a_finished_job_is_kept_for_its_logs_even_if_the_catalogue_has_changed():
    found, owned, job = started()
    owned = ended(owned)
    made = plan(found, type(CATALOGUE)(), seeing(owned=owned, reports=[run_report(job)]))
    assert applied(made, owned) == owned


def test_an_edit_starts_a_new_run_and_forgets_the_old_verdict_but_not_the_history():
    found, owned, job = started()
    found = with_status(found, seen(found, owned=ended(owned), reports=[run_report(job)]))
    found = edited(found, expect=[{"name": "accuracy", "min": "0.9"}])
    made = seen(found, ready_serving(), owned=ended(owned))
    new = child(made, "Job")["metadata"]["name"]
    assert new != job
    assert truths(made) == {"Ready": "False", "Reconciling": "True", "Stalled": "False", "Passed": "Unknown"}
    assert "verdict" not in made.status
    assert "metrics" not in made.status
    assert [run["name"] for run in made.status["history"]] == [job]
    found = with_status(found, made)
    last = run_report(new, "Failed", finishedAt="2026-01-02T05:00:00Z")
    made = seen(found, ready_serving(), owned=ended(applied(made)), reports=[last])
    assert [run["name"] for run in made.status["history"]] == [new, job], "the newest first"


def test_going_back_to_a_spec_that_has_run_does_not_run_it_again():
    found, owned, job = started()
    first = with_status(
        found,
        seen(
            found,
            owned=ended(owned),
            reports=[run_report(job, metrics=[{"name": "accuracy", "value": 1, "passed": True}])],
        ),
    )
    second = edited(first, expect=[{"name": "errors", "max": "0"}])
    made = seen(second, ready_serving())
    other = child(made, "Job")["metadata"]["name"]
    metrics = [{"name": "errors", "value": 0, "passed": True}]
    report = run_report(other, metrics=metrics, finishedAt="2026-01-02T05:00:00Z")
    second = with_status(second, seen(second, owned=applied(made), reports=[report]))
    made = seen(edited(second, expect=[]), ready_serving())
    assert made.children == ()
    assert made.status["verdict"] == "Passed"
    assert "metrics" not in made.status, "those of the other run are not this one's"


def test_the_hash_does_not_depend_on_defaults_written_out():
    job = child(seen(model_test(), ready_serving()), "Job")
    written = model_test(load={}, probes={"negative": False}, trigger={"type": "Once"}, expect=[])
    assert child(seen(written, ready_serving()), "Job")["metadata"]["name"] == job["metadata"]["name"]


def test_a_field_that_a_newer_moorage_adds_starts_no_run():
    class NewerSpec(ModelTestSpec):
        added_later: int = 7

    spec = model_test()["spec"]
    assert fingerprint(NewerSpec.model_validate(spec)) == fingerprint(ModelTestSpec.model_validate(spec))


def test_a_running_test_does_not_care_what_becomes_of_its_serving():
    found, owned, job = started()
    made = seen(found, owned=owned)
    assert applied(made, owned) == owned
    assert condition(made, "Ready")["message"] == f"Job {job} is running"


def test_a_lost_config_of_a_running_test_is_made_again():
    found, owned, _ = started()
    made = seen(found, ready_serving(), owned=[each for each in owned if each["kind"] == "Job"])
    assert child(made, "ConfigMap") == child(owned, "ConfigMap")


def test_a_config_that_was_written_before_a_crash_is_used_as_it_is():
    found, owned, _ = started()
    files = child(owned, "ConfigMap")
    moved = ready_serving()
    moved["status"]["url"] = "http://127.0.0.1:1"
    made = seen(found, moved, owned=[files])
    assert kinds(made) == ["ConfigMap", "Job"]
    assert child(made, "ConfigMap") == files, "it cannot be changed"


def test_a_job_that_ended_silently_is_an_error_once_its_pod_was_seen():
    found, owned, job = started()
    pod = Report(owner=job, pod="p", revision="", ready=False, trouble=("OOMKilled", "memory limit"))
    made = seen(found, owned=ended(owned, "Failed"), reports=[pod])
    assert made.status["verdict"] == "Error"
    assert condition(made, "Ready")["message"] == "the run ended without a report: OOMKilled: memory limit"


def test_a_late_report_is_waited_for_and_corrects_an_error():
    found, owned, job = started()
    made = seen(found, owned=ended(owned))
    assert "verdict" not in made.status
    assert made.requeue_seconds
    made = seen(found, owned=ended(owned), now=NOW + timedelta(minutes=2))
    assert made.status["verdict"] == "Error"
    assert made.requeue_seconds is None
    made = seen(with_status(found, made), owned=ended(owned), reports=[run_report(job)])
    assert made.status["verdict"] == "Passed"
    assert [run["verdict"] for run in made.status["history"]] == ["Passed"]


def test_a_pod_that_cannot_run_here_stalls_the_test():
    found, owned, job = started()
    trouble = ("NotRunnableLocally", "image ghcr.io/team/own:1")
    pod = Report(owner=job, pod="p", revision="", ready=False, trouble=trouble)
    made = seen(found, owned=owned, reports=[pod])
    assert condition(made, "Stalled")["reason"] == "NotRunnableLocally"


@pytest.mark.parametrize(
    ("spec", "subject", "message"),
    [
        (
            {},
            serving(models=[MODEL, {**MODEL, "name": "b"}]),
            "spec.servingRef.model: ModelServing iris has iris, b; name one of them",
        ),
        (
            {"probes": {"captureRoundTrip": True}},
            serving(),
            "spec.probes.captureRoundTrip: ModelServing iris has no spec.capture",
        ),
        ({"dataset": {"uri": "s3://x/y"}}, serving(), "spec.dataset.labelColumn: is required"),
        ({"servingRef": None}, serving(), "spec: exactly one of servingRef and endpoint"),
    ],
)
def test_what_cannot_be_tested_is_refused_with_its_path(spec, subject, message):
    made = seen(model_test(**spec), ready_serving(subject))
    assert made.children is None
    assert condition(made, "Stalled")["status"] == "True"
    assert condition(made, "Ready")["reason"] == "InvalidSpec"
    assert condition(made, "Ready")["message"] == message


def test_a_model_that_the_serving_does_not_have_is_waited_for_by_name():
    made = seen(model_test(servingRef={"name": "iris", "model": "rose"}), ready_serving())
    assert condition(made, "Reconciling")["reason"] == "ReferenceNotFound"
    assert "has no model rose; it has iris" in condition(made, "Reconciling")["message"]


def test_the_round_trip_reads_the_servings_stream_with_its_secrets():
    made = seen(model_test(probes={"captureRoundTrip": True}), ready_serving(serving(capture=CAPTURE)))
    assert config_of(made)["capture"]["stream"]["uri"] == "kafka://kafka:9092/iris"
    volumes = child(made, "Job")["spec"]["template"]["spec"]["volumes"]
    assert [volume["secret"]["secretName"] for volume in volumes if "secret" in volume] == ["user"]


def test_offline_skew_loads_the_servings_model_from_the_other_uri():
    pinned = {**MODEL, "sha256": "a" * 64, "code": {"configMapRef": {"name": "code"}}}
    spec = {"probes": {"offlineSkew": {"uri": "pvc://models/iris", "tolerance": "0.5"}}}
    made = seen(model_test(**spec), ready_serving(serving(models=[pinned])))
    skew = config_of(made)["skew"]
    assert skew["tolerance"] == 0.5
    assert (skew["model"]["uri"], skew["model"]["framework"]) == ("pvc://models/iris", "sklearn")
    assert "sha256" not in skew["model"], "the pin is of the live artifact"
    assert config_of(made)["expectedDigest"] == "a" * 64
    mounts = child(made, "Job")["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    paths = {mount["mountPath"] for mount in mounts}
    assert {"/mnt/moorage/pvc/models", "/etc/moorage/code/iris"} <= paths


def test_a_pause_starts_no_test():
    found = model_test()
    found["metadata"]["annotations"] = {"moorage.dev/reconcile": "paused"}
    made = seen(found, ready_serving())
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "Paused"


def test_somebody_elses_job_is_named():
    found, owned, job = started()
    made = seen(found, ready_serving(), foreign=[child(owned, "Job")])
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "NameConflict"
    assert f"Job ml/{job}" in condition(made, "Stalled")["message"]


def hourly(**spec):
    return model_test(trigger={"type": "Schedule", "schedule": "0 * * * *"}, **spec)


def test_a_scheduled_test_is_ready_before_its_first_run_and_has_passed_nothing():
    made = seen(hourly(), ready_serving())
    assert kinds(made) == ["ConfigMap", "CronJob"]
    assert truths(made) == {"Ready": "True", "Reconciling": "False", "Stalled": "False", "Passed": "Unknown"}
    spec = child(made, "CronJob")["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("0 * * * *", "Forbid")
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_the_newest_scheduled_run_decides_and_stays_decided():
    found = hourly()
    made = seen(found, ready_serving())
    run = config_of(made)["revision"]
    owned = applied(made)
    reports = [
        run_report("iris-live-1", "Failed", run, finishedAt="2026-01-02T01:00:00Z"),
        run_report("iris-live-2", "Passed", run, finishedAt="2026-01-02T02:00:00Z"),
    ]
    made = seen(found, ready_serving(), owned=owned, reports=reports)
    assert (made.status["verdict"], condition(made, "Ready")["status"]) == ("Passed", "True")
    assert [entry["name"] for entry in made.status["history"]] == ["iris-live-2", "iris-live-1"]
    found = with_status(found, made)
    made = seen(found, ready_serving(), owned=owned, reports=reports[:1])
    assert made.status["verdict"] == "Passed", "an older run whose pod is still there changes nothing"
    made = seen(edited(found, expect=[{"name": "errors", "max": "0"}]), ready_serving(), owned=owned)
    assert "verdict" not in made.status
    assert condition(made, "Ready")["reason"] == "Scheduled"


def test_a_schedule_survives_an_unready_serving_and_follows_a_new_address():
    found = hourly()
    subject = ready_serving()
    made = seen(found, subject)
    owned = applied(made)
    gone = seen(found, owned=owned)
    assert applied(gone, owned) == owned
    assert condition(gone, "Reconciling")["reason"] == "ReferenceNotFound"
    subject["status"]["url"] = "http://127.0.0.1:2"
    moved = seen(found, subject, owned=owned)
    assert child(moved, "ConfigMap")["metadata"]["name"] != child(owned, "ConfigMap")["metadata"]["name"]
    child(owned, "CronJob")["status"] = {"active": [{"name": "iris-live-1"}]}
    moved = seen(found, subject, owned=owned)
    assert kinds(moved) == ["ConfigMap", "ConfigMap", "CronJob"], "the run under way still needs the old one"


def test_the_history_keeps_the_last_ten():
    found = hourly()
    made = seen(found, ready_serving())
    for hour in range(12):
        found = with_status(found, made)
        report = run_report(f"iris-live-{hour}", finishedAt=f"2026-01-02T{hour:02}:00:00Z")
        made = seen(found, ready_serving(), reports=[report])
    assert [entry["name"] for entry in made.status["history"]] == [f"iris-live-{n}" for n in range(11, 1, -1)]


def test_an_entry_of_the_history_that_cannot_be_read_is_dropped():
    found = {**model_test(), "status": {"history": [{"name": "x"}, "text"]}}
    assert "history" not in seen(found, ready_serving()).status
