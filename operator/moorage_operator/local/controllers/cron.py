"""When a CronJob is due, and whether it may run: pure, after the rules of Kubernetes' own controller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from moorage_operator.local.apiserver.schedules import times
from moorage_operator.plan.types import Object


@dataclass(frozen=True, slots=True)
class Turn:
    """What a CronJob does now: `run` is the time whose Job is to be created, `next` the one after."""

    run: datetime | None
    next: datetime
    replace: bool = False
    """End what is still running first."""


def turn(cron_job: Object, active: Sequence[str], now: datetime) -> Turn:
    """The CronJob's next move. `active` are its Jobs under way. Of many missed times only the last counts.

    Raises BadSchedule.
    """
    spec = cron_job["spec"]
    noted = (cron_job.get("status") or {}).get("lastScheduleTime")
    since = datetime.fromisoformat(noted or cron_job["metadata"]["creationTimestamp"])
    when = spec["schedule"], spec.get("timeZone")
    upcoming, latest = next(times(*when, now)), next(times(*when, now, reverse=True))
    due = latest if latest > since else None
    deadline = spec.get("startingDeadlineSeconds")
    late = deadline is not None and due is not None and (now - due).total_seconds() > deadline
    policy = spec.get("concurrencyPolicy", "Allow")
    held = spec.get("suspend") or late or (policy == "Forbid" and active)
    return Turn(None if held else due, upcoming, replace=policy == "Replace" and bool(active))


def job_name(cron_job: Object, at: datetime) -> str:
    """The name of the Job of one time: the minutes since the epoch make it the same for everyone."""
    return f"{cron_job['metadata']['name']}-{int(at.timestamp()) // 60}"


def job(cron_job: Object, at: datetime) -> Object:
    """The Job of one time."""
    template = cron_job["spec"]["jobTemplate"]
    meta = cron_job["metadata"]
    made = template.get("metadata") or {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(cron_job, at),
            "namespace": meta["namespace"],
            "labels": dict(made.get("labels") or {}),
            "annotations": dict(made.get("annotations") or {}),
            "ownerReferences": [
                {
                    "apiVersion": cron_job["apiVersion"],
                    "kind": "CronJob",
                    "name": meta["name"],
                    "uid": meta["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": template["spec"],
    }
