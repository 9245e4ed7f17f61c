"""What a BatchPrediction with a schedule makes of its CronJob's runs."""

from moorage_operator.plan import Report
from unit.operator.plan.batches import config_of, finished, of_serving, predicting, seen
from unit.operator.plan.world import (
    LATER,
    MODEL,
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


def nightly(**spec):
    return batch_prediction(schedule="0 2 * * *", **spec)


def scheduled(found=None):
    """(the prediction with status, its owned objects, the revision of its runs)."""
    found = found or nightly()
    made = seen(found)
    return with_status(found, made), applied(made), config_of(made)["revision"]


def told(owned, **status):
    child(owned, "CronJob")["status"] = status
    return owned


def test_a_schedule_is_a_cron_job_and_ready_before_its_first_run():
    made = seen(nightly(timeZone="Europe/Berlin", concurrencyPolicy="Replace", suspend=False, parallelism=2))
    assert kinds(made) == ["ConfigMap", "CronJob", "NetworkPolicy"]
    spec = child(made, "CronJob")["spec"]
    assert {key: spec[key] for key in ("schedule", "timeZone", "concurrencyPolicy", "suspend")} == {
        "schedule": "0 2 * * *", "timeZone": "Europe/Berlin", "concurrencyPolicy": "Replace", "suspend": False
    }  # fmt: skip
    assert spec["successfulJobsHistoryLimit"] == spec["failedJobsHistoryLimit"] == 3
    assert spec["jobTemplate"]["spec"]["completionMode"] == "Indexed"
    assert truths(made) == {"Ready": "True", "Reconciling": "False", "Stalled": "False"}
    assert condition(made, "Ready")["reason"] == "Scheduled"
    assert child(seen(nightly()), "CronJob")["spec"]["concurrencyPolicy"] == "Forbid"


def test_a_suspended_schedule_is_what_was_asked_for():
    made = seen(nightly(suspend=True))
    assert child(made, "CronJob")["spec"]["suspend"] is True
    assert (condition(made, "Ready")["status"], condition(made, "Ready")["reason"]) == ("True", "Suspended")


def test_the_status_of_a_schedule_is_that_of_its_newest_run():
    found, owned, revision = scheduled()
    owned = told(owned, active=[{"name": "backlog-20"}], lastScheduleTime="2026-01-02T02:00:00Z")
    reports = [
        finished("backlog-10", revision=revision),
        predicting("backlog-20", revision=revision, rowsTotal=1000, rowsDone=500),
    ]
    made = seen(found, owned=owned, reports=reports)
    assert (made.status["rowsDone"], made.status["lastScheduleAt"]) == (500, "2026-01-02T02:00:00Z")
    assert "finishedAt" not in made.status
    assert made.requeue_seconds == 10
    found = with_status(found, made)
    owned = told(owned, active=[], lastScheduleTime="2026-01-02T02:00:00Z")
    made = seen(found, owned=owned, reports=[finished("backlog-20", revision=revision)])
    assert (made.status["rowsDone"], made.status["finishedAt"]) == (1003, "2026-01-02T03:03:59Z")
    assert made.status["revision"] == revision


def test_a_failed_run_of_a_schedule_is_told_until_another_has_succeeded():
    found, owned, revision = scheduled()
    failed = predicting(
        "backlog-10",
        revision=revision,
        state="Failed",
        message="disk full",
        finishedAt="2026-01-02T02:09:00Z",
    )
    made = seen(found, owned=told(owned, active=[{"name": "backlog-10"}]), reports=[failed])
    assert condition(made, "Ready")["status"] == "True", "it is tried again"
    made = seen(found, owned=told(owned, active=[]), reports=[failed])
    assert truths(made) == {"Ready": "False", "Reconciling": "False", "Stalled": "True"}
    assert condition(made, "Ready")["message"] == "disk full"
    found = with_status(found, made)
    made = seen(found, owned=owned, now=LATER)
    assert condition(made, "Ready")["message"] == "disk full", "although its pods are gone"
    running = told(owned, active=[{"name": "backlog-20"}])
    made = seen(found, owned=running, reports=[failed, predicting("backlog-20", revision=revision)])
    assert condition(made, "Ready")["reason"] == "JobFailed", "the next one is not done yet"
    made = seen(found, owned=told(owned, lastSuccessfulTime="2026-01-03T02:09:00Z"))
    assert condition(made, "Ready")["reason"] == "Scheduled"


def test_an_edit_of_a_schedule_gives_it_a_new_chance():
    found, owned, revision = scheduled()
    failed = predicting("backlog-10", revision=revision, state="Failed", message="disk full")
    found = with_status(found, seen(found, owned=owned, reports=[failed]))
    made = seen(edited(found, output={"uri": "s3://elsewhere"}), owned=owned, reports=[failed])
    assert condition(made, "Ready")["reason"] == "Scheduled"


def test_a_scheduled_run_that_left_no_report_has_failed():
    found, owned, revision = scheduled()
    pod = Report("backlog-10", "p", revision, ready=False, trouble=("OOMKilled", "memory limit"))
    made = seen(found, owned=told(owned, active=[]), reports=[pod])
    assert condition(made, "Stalled")["reason"] == "JobFailed"
    assert condition(made, "Ready")["message"] == "OOMKilled: memory limit"


def test_runs_follow_the_servings_model_and_one_under_way_keeps_its_config():
    found = of_serving(schedule="0 2 * * *")
    owned = applied(seen(found, serving()))
    before = child(owned, "ConfigMap")["metadata"]["name"]
    moved = serving(models=[{**MODEL, "uri": "s3://models/v2"}])
    made = seen(found, moved, owned=owned)
    assert child(made, "ConfigMap")["metadata"]["name"] != before
    made = seen(found, moved, owned=told(owned, active=[{"name": "backlog-1"}]))
    assert before in {each["metadata"]["name"] for each in made.children}
    gone = seen(found, owned=owned)
    assert applied(gone, owned) == owned, "a serving that is gone takes nothing away"
