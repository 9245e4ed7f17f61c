"""When a CronJob runs."""

from datetime import UTC, datetime

import pytest

from moorage_operator.local.apiserver.schedules import BadSchedule
from moorage_operator.local.controllers import cron


def cron_job(schedule="0 * * * *", last=None, **spec):
    return {
        "apiVersion": "batch/v1",
        "metadata": {
            "name": "iris-test",
            "namespace": "ml",
            "uid": "u",
            "creationTimestamp": "2026-03-01T00:30:00Z",
        },
        "spec": {
            "schedule": schedule,
            "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"backoffLimit": 0}},
            **spec,
        },
        "status": {"lastScheduleTime": last} if last else {},
    }


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("reason", "made", "active", "now", "run", "replace"),
    [
        ("not before its first time", cron_job(), [], "2026-03-01T00:59:59.5", None, False),
        ("at its time", cron_job(), [], "2026-03-01T01:00:00.5", "2026-03-01T01:00:00", False),
        ("once", cron_job(last="2026-03-01T01:00:00Z"), [], "2026-03-01T01:30:00", None, False),
        (
            "of many missed times the last",
            cron_job(),
            [],
            "2026-05-01T07:10:00",
            "2026-05-01T07:00:00",
            False,
        ),
        ("suspended", cron_job(suspend=True), [], "2026-03-01T01:00:01", None, False),
        ("Forbid waits", cron_job(concurrencyPolicy="Forbid"), ["j"], "2026-03-01T01:00:01", None, False),
        (
            "Forbid runs where nothing runs",
            cron_job(concurrencyPolicy="Forbid"),
            [],
            "2026-03-01T01:00:01",
            "2026-03-01T01:00:00",
            False,
        ),
        (
            "Replace",
            cron_job(concurrencyPolicy="Replace"),
            ["j"],
            "2026-03-01T01:00:01",
            "2026-03-01T01:00:00",
            True,
        ),
        (
            "too late",
            cron_job(startingDeadlineSeconds=60),
            [],
            "2026-03-01T01:01:01",
            None,
            False,
        ),
        (
            "in a time zone",
            cron_job("30 6 * * *", timeZone="Asia/Kolkata"),
            [],
            "2026-03-01T01:00:01",
            "2026-03-01T01:00:00",
            False,
        ),
    ],
)
def test_turn(reason, made, active, now, run, replace):
    turn = cron.turn(made, active, at(now))
    assert turn.run == (at(run) if run else None), reason
    assert turn.replace is replace
    assert turn.next > at(now)


@pytest.mark.parametrize(
    ("made", "field"),
    [(cron_job("every hour"), "schedule"), (cron_job(timeZone="Mars/Base"), "timeZone")],
)
def test_what_cannot_be_read_is_named(made, field):
    with pytest.raises(BadSchedule, match=field):
        cron.turn(made, [], at("2026-03-01T01:00:00"))


def test_the_job_of_a_time_has_one_name_and_its_cron_job_as_owner():
    job = cron.job(cron_job(), at("2026-03-01T01:00:00"))
    assert job["metadata"]["name"] == "iris-test-29538780"
    assert job["metadata"]["labels"] == {"a": "b"}
    assert job["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert job["spec"] == {"backoffLimit": 0}
