"""What a BatchPrediction's plan makes of its model, its Job and what its workers report."""

from datetime import timedelta

import pytest

from moorage_operator.plan import Ref, Report, references
from unit.operator.plan.batches import BEGUN, config_of, finished, of_serving, predicting, seen
from unit.operator.plan.world import (
    LATER,
    MODEL,
    NOW,
    applied,
    batch_prediction,
    child,
    condition,
    edited,
    kinds,
    serving,
    truths,
    with_status,
)


def started(found=None, *referenced):
    """(the prediction with status, its owned objects, the Job's name) once the Job exists."""
    found = found or batch_prediction()
    made = seen(found, *referenced)
    owned = applied(made)
    return with_status(found, made), owned, child(owned, "Job")["metadata"]["name"]


def ended(owned, kind="Complete", at="2026-01-02T03:04:00Z", message=""):
    end = {"type": kind, "status": "True", "lastTransitionTime": at, "message": message}
    return [{**each, "status": {"conditions": [end]}} if each["kind"] == "Job" else each for each in owned]


def test_it_reads_its_serving_if_it_has_one():
    assert references(of_serving()) == (Ref("ModelServing", "ml", "iris"),)
    assert references(batch_prediction()) == ()


def test_a_prediction_is_an_indexed_job_of_as_many_workers():
    made = seen(batch_prediction(parallelism=4))
    assert kinds(made) == ["ConfigMap", "Job", "NetworkPolicy"]
    job = child(made, "Job")
    assert job["metadata"]["name"] == f"backlog-{made.status['revision']}"
    assert {key: job["spec"][key] for key in ("completionMode", "completions", "parallelism", "backoffLimit")} == {
        "completionMode": "Indexed", "completions": 4, "parallelism": 4, "backoffLimit": 24
    }  # fmt: skip
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["containers"][0]["args"][0] == "batch"
    assert config_of(made)["parallelism"] == 4
    assert config_of(made)["model"]["uri"] == "s3://models/iris"
    assert condition(made, "Ready")["reason"] == "JobRunning"


def test_many_workers_may_not_fail_for_ever():
    assert child(seen(batch_prediction(parallelism=1000)), "Job")["spec"]["backoffLimit"] == 100


def test_the_servings_model_is_taken_as_its_manifest_has_it():
    subject = serving(
        models=[{**MODEL, "uri": "pvc://models/iris", "code": {"configMapRef": {"name": "code"}}}]
    )
    made = seen(of_serving(), subject)
    assert config_of(made)["model"]["uri"] == "pvc://models/iris"
    mounts = child(made, "Job")["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert {"/mnt/moorage/pvc/models", "/etc/moorage/code/iris"} <= {each["mountPath"] for each in mounts}


def test_what_is_written_is_mounted_to_be_written():
    made = seen(batch_prediction(input={"uri": "pvc://data/in"}, output={"uri": "pvc://data/out"}))
    mounts = child(made, "Job")["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    (claim,) = [each for each in mounts if each["mountPath"] == "/mnt/moorage/pvc/data"]
    assert "readOnly" not in claim


@pytest.mark.parametrize(
    ("subject", "reason", "words"),
    [
        ([], "ReferenceNotFound", "ModelServing ml/iris does not exist"),
        ([serving(models=[])], "WaitingForServing", "has an invalid spec"),
    ],
)
@pytest.mark.parametrize("schedule", [{}, {"schedule": "0 2 * * *"}])
def test_a_serving_that_is_missing_is_waited_for(subject, reason, words, schedule):
    made = seen(of_serving(**schedule), *subject)
    assert made.children == ()
    assert condition(made, "Reconciling")["reason"] == reason
    assert words in condition(made, "Ready")["message"]


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (
            of_serving(),
            "InvalidSpec",
            "spec.storage: ModelServing iris reads the model with its own spec.storage, which is not taken over",
        ),
        (batch_prediction(runtime="rose"), "RuntimeNotFound", "there is no ModelRuntime"),
        (
            batch_prediction(runtime="drift"),
            "NoSupportingRuntime",
            "drift does not have the role batch; the catalogue has",
        ),
        (batch_prediction(model={**MODEL, "uri": "pvc://x"}), "InvalidSpec", "spec.model.uri: "),
        (batch_prediction(timeZone="Etc/UTC"), "InvalidSpec", "spec.timeZone: only a schedule"),
    ],
)
def test_what_cannot_be_predicted_is_refused(found, reason, words):
    made = seen(found, serving(storage={"endpoint": "http://s3"}))
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == reason
    assert words in condition(made, "Ready")["message"]


def test_progress_is_the_sum_of_the_workers():
    found, owned, job = started(batch_prediction(parallelism=2))
    reports = [
        predicting(job, 0, rowsTotal=1000000, rowsDone=240000, fragmentsTotal=100, fragmentsDone=24),
        predicting(job, 1, rowsTotal=1000000, rowsDone=250000, fragmentsTotal=100, fragmentsDone=25),
    ]
    made = seen(found, owned=owned, reports=reports)
    assert (made.status["rowsTotal"], made.status["fragmentsTotal"]) == (1000000, 100)
    assert (made.status["rowsDone"], made.status["fragmentsDone"]) == (480000, 48), "in round steps"
    assert made.status["startedAt"] == BEGUN
    assert made.status["estimatedFinishAt"] == "2026-01-02T03:08:40Z"
    assert made.status["run"] == "run-1"
    assert "finishedAt" not in made.status
    assert made.requeue_seconds == 10


def test_a_worker_that_was_started_again_counts_once():
    found, owned, job = started(batch_prediction(parallelism=2))
    reports = [
        predicting(job, 0, pod="a", state="Failed", rowsDone=40, fragmentsDone=4, message="no space"),
        predicting(job, 0, pod="b", rowsDone=60, fragmentsDone=6),
        predicting(job, 1, pod="c", state="Failed", rowsDone=20, fragmentsDone=2, message="broken pipe"),
    ]
    made = seen(found, owned=owned, reports=reports, now=NOW + timedelta(days=1))
    assert (made.status["rowsDone"], made.status["fragmentsDone"]) == (80, 8)
    assert (
        condition(made, "Ready")["message"] == f"Job {job} is running; worker 1 is tried again: broken pipe"
    )


def test_only_the_newest_run_counts():
    found, owned, job = started()
    reports = [
        predicting(job, run="old", rowsDone=500, pod="a", startedAt="2026-01-01T00:00:00Z"),
        predicting(job, run="new", rowsDone=30, pod="b", state="Finished"),
    ]
    made = seen(found, owned=ended(owned), reports=reports)
    assert (made.status["run"], made.status["rowsDone"]) == ("new", 30)


def test_counts_move_seldom_and_never_back():
    found, owned, job = started()
    counts, estimates = [], []
    for second in range(1, 246):
        report = predicting(
            job, rowsTotal=1000000, rowsDone=1000 * second, fragmentsTotal=1000, fragmentsDone=second
        )
        made = seen(found, owned=owned, reports=[report], now=NOW + timedelta(seconds=second - 245))
        found = with_status(found, made)
        counts.append(made.status["rowsDone"])
        estimates.append(made.status.get("estimatedFinishAt"))
    assert counts == sorted(counts)
    assert counts[-1] == 240000
    assert len(set(counts)) <= 25, "not oftener than every ten seconds"
    assert set(estimates[10:]) == {"2026-01-02T03:16:40Z"}, "a steady rate has a steady estimate"
    gone = seen(found, owned=owned, now=LATER)
    assert gone.status["rowsDone"] == 240000, "a worker between two pods takes nothing back"


def test_an_estimate_that_has_passed_is_renewed():
    found, owned, job = started()
    report = predicting(job, rowsTotal=1000, rowsDone=900)
    found = with_status(found, seen(found, owned=owned, reports=[report]))
    made = seen(found, owned=owned, reports=[report], now=LATER)
    assert made.status["estimatedFinishAt"] > "2026-01-02T04:00:00Z"


def test_a_finished_run_is_ready_with_its_figures():
    found, owned, job = started()
    made = seen(found, owned=ended(owned), reports=[finished(job)])
    assert truths(made) == {"Ready": "True", "Reconciling": "False", "Stalled": "False"}
    assert condition(made, "Ready")["reason"] == "JobCompleted"
    assert {
        key: made.status[key] for key in ("rowsDone", "rowsTotal", "fragmentsDone", "finishedAt", "outputUri")
    } == {
        "rowsDone": 1003,
        "rowsTotal": 1003,
        "fragmentsDone": 3,
        "finishedAt": "2026-01-02T03:03:59Z",
        "outputUri": "s3://predictions/backlog/run-1/",
    }
    assert "estimatedFinishAt" not in made.status
    assert kinds(made) == ["ConfigMap", "Job"], "kept for its logs"


def test_rows_that_were_not_predicted_are_noted():
    found, owned, job = started()
    made = seen(found, owned=ended(owned), reports=[finished(job, rowsRejected=3)])
    assert condition(made, "Ready")["status"] == "True"
    assert "could not be predicted" in condition(made, "Ready")["message"]


@pytest.mark.parametrize("kind", ["Complete", "Failed"])
def test_a_result_stays_when_job_report_and_serving_are_gone(kind):
    found, owned, job = started(of_serving(), serving())
    report = (
        finished(job) if kind == "Complete" else predicting(job, state="Failed", message="s3://data: gone")
    )
    made = seen(found, serving(), owned=ended(owned, kind), reports=[report])
    found = with_status(found, made)
    later = seen(found, now=LATER)
    assert later.children == ()
    assert later.status == made.status
    assert later.requeue_seconds is None


def test_a_result_outlives_a_spec_that_was_wrong_in_between():
    found, owned, job = started()
    found = with_status(found, seen(found, owned=ended(owned), reports=[finished(job)]))
    wrong = seen(edited(found, parallelism=0), owned=ended(owned))
    assert condition(wrong, "Stalled")["reason"] == "InvalidSpec"
    assert wrong.status["rowsDone"] == 1003
    mended = seen(with_status(found, wrong))
    assert mended.children == ()
    assert condition(mended, "Ready")["reason"] == "JobCompleted"


def test_a_failed_run_stalls_in_the_words_of_the_worker_that_failed_first():
    found, owned, job = started(batch_prediction(parallelism=3))
    reports = [
        predicting(job, 0, state="Finished"),
        predicting(job, 1, state="Failed", message="stopped", finishedAt="2026-01-02T03:03:09Z"),
        predicting(
            job,
            2,
            state="Failed",
            message="s3://data/backlog.parquet: no column 'petal'",
            finishedAt="2026-01-02T03:03:07Z",
        ),
    ]
    made = seen(found, owned=ended(owned, "Failed", message="backoff limit"), reports=reports)
    assert truths(made) == {"Ready": "False", "Reconciling": "False", "Stalled": "True"}
    assert condition(made, "Ready")["reason"] == "JobFailed"
    assert condition(made, "Ready")["message"] == "s3://data/backlog.parquet: no column 'petal'"
    assert made.status["finishedAt"] == "2026-01-02T03:03:09Z"


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        ([], "Job has reached the specified backoff limit"),
        ([("OOMKilled", "memory limit")], "OOMKilled: memory limit"),
    ],
)
def test_a_failure_without_a_report_is_told_by_the_pod_or_the_job(reports, message):
    found, owned, job = started()
    pods = [Report(job, "p", "", ready=False, trouble=trouble) for trouble in reports]
    over = ended(owned, "Failed", message="Job has reached the specified backoff limit")
    made = seen(found, owned=over, reports=pods)
    assert condition(made, "Ready")["message"] == message


def test_reports_that_come_late_are_waited_for():
    found, owned, job = started()
    made = seen(found, owned=ended(owned))
    assert condition(made, "Ready")["reason"] == "JobCompleted"
    assert made.requeue_seconds
    made = seen(with_status(found, made), owned=ended(owned), reports=[finished(job)])
    assert made.status["rowsDone"] == 1003
    assert seen(found, owned=ended(owned), now=NOW + timedelta(minutes=2)).requeue_seconds is None


def test_an_edit_starts_a_new_run_and_removes_the_old_job():
    found, owned, job = started()
    found = with_status(found, seen(found, owned=ended(owned), reports=[finished(job)]))
    made = seen(edited(found, parallelism=2), owned=ended(owned))
    assert child(made, "Job")["metadata"]["name"] != job
    assert condition(made, "Ready")["reason"] == "JobRunning"
    assert "rowsDone" not in made.status
    assert (
        seen(batch_prediction(parallelism=1)).status["revision"]
        == seen(batch_prediction()).status["revision"]
    )


def test_a_job_is_suspended_and_resumed_as_it_is():
    found, owned, job = started()
    child(owned, "Job")["spec"]["template"]["spec"]["containers"][0]["image"] = "as-it-was:1"
    found = edited(found, suspend=True)
    made = seen(found, owned=owned)
    held = child(made, "Job")
    assert (held["metadata"]["name"], held["spec"]["suspend"]) == (job, True)
    assert held["spec"]["template"]["spec"]["containers"][0]["image"] == "as-it-was:1"
    assert condition(made, "Stalled")["status"] == "True"
    assert condition(made, "Ready")["reason"] == "Suspended"
    made = seen(edited(found, suspend=False), owned=applied(made, owned))
    assert child(made, "Job")["spec"]["suspend"] is False
    assert condition(made, "Ready")["reason"] == "JobRunning"


def test_a_pod_that_cannot_run_here_stalls_and_one_that_crashed_is_told():
    found, owned, job = started()
    pod = Report(job, "p", "", ready=False, trouble=("NotRunnableLocally", "image x:1"))
    made = seen(found, owned=owned, reports=[pod, predicting(job)])
    assert condition(made, "Stalled")["reason"] == "NotRunnableLocally"
    crashed = Report(job, "p", "", ready=False, trouble=("CrashLoop", "exit code 9"))
    assert condition(seen(found, owned=owned, reports=[crashed]), "Ready")["message"] == "exit code 9"
    made = seen(found, owned=owned, reports=[crashed, predicting(job)])
    assert condition(made, "Ready")["reason"] == "JobRunning", "another pod has taken over"


def test_a_pause_starts_nothing():
    found = batch_prediction()
    found["metadata"]["annotations"] = {"moorage.dev/reconcile": "paused"}
    made = seen(found)
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "Paused"


def test_somebody_elses_job_is_named():
    _, owned, job = started()
    made = seen(batch_prediction(), foreign=[child(owned, "Job")])
    assert f"Job ml/{job}" in condition(made, "Stalled")["message"]
