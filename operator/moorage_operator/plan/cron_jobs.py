"""CronJobs, and the ConfigMaps that their Jobs under way still need."""

from collections.abc import Iterable

from moorage_api.shared import ObjectMeta
from moorage_operator.plan import children, labels
from moorage_operator.plan.types import Object

_HISTORY = 3


def cron_job(
    kind: str,
    meta: ObjectMeta,
    name: str,
    *,
    schedule: str | None,
    time_zone: str | None,
    job: Object,
    settings: Object,
) -> Object:
    """A CronJob of Jobs with the spec `job`; `settings` are further fields of its own spec."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": labels.metadata(kind, meta, name),
        "spec": {
            "schedule": schedule,
            **({"timeZone": time_zone} if time_zone else {}),
            **settings,
            "successfulJobsHistoryLimit": _HISTORY,
            "failedJobsHistoryLimit": _HISTORY,
            "jobTemplate": {"metadata": {"labels": labels.fixed(kind, meta.name)}, "spec": job},
        },
    }


def configs_in_use(
    kind: str, meta: ObjectMeta, found: Object | None, files: Iterable[Object], current: str
) -> list[Object]:
    """ConfigMaps beside the `current` one: while a Job is under way, it may start pods of the one it began with."""
    running = bool(((found or {}).get("status") or {}).get("active"))
    return [
        children.kept(kind, meta, owned)
        for owned in files
        if running and owned["metadata"]["name"] != current
    ]
