"""CronJobs: at their times a Job each, and the oldest Jobs forgotten."""

from datetime import UTC, datetime

from moorage_operator.local.apiserver.objects import Key, controller_of, timestamp
from moorage_operator.local.apiserver.schedules import BadSchedule
from moorage_operator.local.controllers import cron
from moorage_operator.local.controllers.completion import finished
from moorage_operator.local.kubelet.node import Node
from moorage_operator.plan.types import Object

_MOST_WAIT = 30.0
"""A clock that was set, or a machine that slept, is noticed after this many seconds."""


class CronJobs:
    """All CronJobs of this machine."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def sync(self, key: Key) -> float | None:
        """Create the Job that is due; seconds until the next time."""
        cron_job = self._node.store.get(*key)
        if cron_job is None:
            return None
        jobs = self.jobs(cron_job)
        active = [job for job in jobs if finished(job) is None]
        now = datetime.now(UTC)
        try:
            turn = cron.turn(cron_job, [job["metadata"]["name"] for job in active], now)
        except BadSchedule as bad:
            self._node.store.record_event(cron_job, "Warning", "InvalidSchedule", f"spec.{bad}")
            return None
        written = dict(cron_job.get("status") or {})
        if turn.run is not None:
            for job in active if turn.replace else ():
                self._node.store.delete("Job", key[1], job["metadata"]["name"])
            made = cron.job(cron_job, turn.run)
            self._node.store.put_owned(made)
            self._node.store.record_event(
                cron_job, "Normal", "SuccessfulCreate", f"created Job {made['metadata']['name']}"
            )
            self._node.changed(("Job", key[1], made["metadata"]["name"]))
            written["lastScheduleTime"] = timestamp(turn.run)
            active = [made] if turn.replace else [*active, made]
        if ends := [job["status"]["completionTime"] for job in jobs if finished(job) == "Complete"]:
            written["lastSuccessfulTime"] = max([*ends, *filter(None, [written.get("lastSuccessfulTime")])])
        written["active"] = [{"kind": "Job", "name": job["metadata"]["name"]} for job in active]
        self._node.store.put_status(*key, written)
        self._forget(cron_job, jobs)
        return min(_MOST_WAIT, max(0.0, (turn.next - now).total_seconds()))

    def jobs(self, cron_job: Object) -> list[Object]:
        """The Jobs of a CronJob, oldest first."""
        found = self._node.store.list("Job", cron_job["metadata"]["namespace"])
        mine = [job for job in found if controller_of(job) == cron_job["metadata"]["uid"]]
        return sorted(mine, key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))

    def _forget(self, cron_job: Object, jobs: list[Object]) -> None:
        for result, limit, default in (
            ("Complete", "successfulJobsHistoryLimit", 3),
            ("Failed", "failedJobsHistoryLimit", 1),
        ):
            done = [job for job in jobs if finished(job) == result]
            keep = cron_job["spec"].get(limit, default)
            for job in done[: max(0, len(done) - keep)]:
                self._node.store.delete("Job", job["metadata"]["namespace"], job["metadata"]["name"])
