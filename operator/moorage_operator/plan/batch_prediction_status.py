"""Status of a BatchPrediction: how far its run is, and what became of it.

Whether a run succeeded is the Job's word; the figures and the reason of a failure are its workers'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from moorage_api.batch_prediction import BatchPrediction
from moorage_api.conditions import ConditionType, Reason
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import batch_progress, conditions, jobs, labels, status
from moorage_operator.plan.batch_progress import Progress
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object, Observed, Report
from moorage_runtime.config import BatchPredictStatus

_LOOK_AGAIN_SECONDS = 10.0
_LATE_REPORT = timedelta(seconds=60)
"""How long the reports of an ended Job may take to be seen."""
_FIELDS = (
    "rowsTotal", "rowsDone", "fragmentsTotal", "fragmentsDone", "startedAt", "finishedAt", "estimatedFinishAt",
    "run", "outputUri", "revision", "lastScheduleAt",
)  # fmt: skip
_VERDICTS = (Reason.JOB_COMPLETED, Reason.JOB_FAILED)


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a prediction stands, before it is said what it waits for."""

    resource: Object
    meta: ObjectMeta
    observed: Observed
    outcome: Outcome
    fields: Object
    finished: bool = False
    started: bool = True
    requeue_seconds: float | None = None

    def written(self, waiting: Outcome | None = None) -> Object:
        """The status; `waiting` says what a run that has not begun waits for."""
        outcome = waiting or self.outcome
        if labels.paused(self.meta) and not self.started:
            outcome = outcome.paused(labels.PAUSE)
        return _written(self.resource, self.meta, outcome, self.fields, self.observed)


def of_job(
    resource: Object,
    prediction: BatchPrediction,
    revision: str,
    name: str,
    job: Object | None,
    observed: Observed,
) -> Seen:
    """A prediction whose one run is the Job `name`."""
    reports = [report for report in observed.reports if report.owner == name]
    progress = batch_progress.of(reports)
    former = _former(resource, revision, progress.run)
    end = jobs.ended(job)
    verdict = _verdict(resource, former)
    fields = batch_progress.fields(
        progress, former, ended=bool(end or (verdict and not job)), now=observed.now
    )
    fields["revision"] = revision
    if end:
        at = progress.finished_at or end.at
        fields["finishedAt"] = conditions.rfc3339(at)
        if not end.failed and fields["fragmentsTotal"] is not None:
            fields["fragmentsDone"] = fields["fragmentsTotal"]
        outcome = (
            _failed(progress, reports, verdict, end.message) if end.failed else _completed(progress, verdict)
        )
        late = observed.now - end.at < _LATE_REPORT
        return Seen(
            resource, prediction.metadata, observed, outcome, fields,
            finished=True, requeue_seconds=_LOOK_AGAIN_SECONDS if late else None,
        )  # fmt: skip
    if verdict and not job:
        fields["finishedAt"] = former["finishedAt"]
        return Seen(resource, prediction.metadata, observed, verdict, fields, finished=True)
    if prediction.spec.suspend:
        fields["estimatedFinishAt"] = None
        outcome = conditions.stalled(Reason.SUSPENDED, "spec.suspend is true, so no workers run")
    else:
        outcome = _running(name, progress, reports)
    return Seen(
        resource, prediction.metadata, observed, outcome, fields,
        started=job is not None, requeue_seconds=_LOOK_AGAIN_SECONDS if progress.workers else None,
    )  # fmt: skip


def of_schedule(
    resource: Object,
    prediction: BatchPrediction,
    desired: str | None,
    cron_job: Object | None,
    observed: Observed,
) -> Seen:
    """A prediction by the clock: figures of the newest run, and the verdict of the last that ended.

    A failure counts as long as `desired`, the revision of the runs to come, is the same; None: it is not known.
    """
    told = (cron_job or {}).get("status") or {}
    active = {each.get("name") for each in told.get("active") or ()}
    owners = {report.owner for report in observed.reports}
    newest = max(owners, key=lambda owner: (owner in active, len(owner), owner), default=None)
    reports = [report for report in observed.reports if report.owner == newest]
    progress = batch_progress.of(reports)
    before = resource.get("status") or {}
    last = told.get("lastScheduleTime") or before.get("lastScheduleAt")
    revision = next((report.revision for report in reports if report.revision), before.get("revision"))
    former = _former(resource, revision, progress.run) if before.get("lastScheduleAt") == last else {}
    running = newest in active
    fields = batch_progress.fields(progress, former, ended=not running, now=observed.now)
    finished = progress.finished_at if not running else None
    fields |= {
        "revision": revision,
        "lastScheduleAt": last,
        "finishedAt": conditions.rfc3339(finished) if finished else former.get("finishedAt"),
    }
    outcome = (None if running else _ended_badly(progress, reports)) or _still_failed(
        before, told, reports, running=running
    )
    if outcome is None or desired not in (None, revision):
        outcome = _waiting(prediction, progress, reports, running=running)
    return Seen(
        resource,
        prediction.metadata,
        observed,
        outcome,
        {key: value for key, value in fields.items() if value is not None},
        requeue_seconds=_LOOK_AGAIN_SECONDS if running else None,
    )


def refused(resource: Object, meta: ObjectMeta, observed: Observed, refusal: Refused) -> Object:
    """The status where nothing may be touched: what was known of the last run stays."""
    former = resource.get("status") or {}
    fields = {key: former[key] for key in _FIELDS if key in former}
    return _written(resource, meta, conditions.stalled(refusal.reason, refusal.message), fields, observed)


def _written(
    resource: Object, meta: ObjectMeta, outcome: Outcome, fields: Object, observed: Observed
) -> Object:
    return status.written(resource, meta, conditions.kstatus(outcome), fields, observed.now)


def _former(resource: Object, revision: str | None, run: str | None) -> Object:
    """What the status says of the same run, if that is the one it speaks of."""
    former = resource.get("status") or {}
    same = former.get("revision") == revision and (run is None or former.get("run") in (None, run))
    return {key: former[key] for key in _FIELDS if key in former} if same else {}


def _verdict(resource: Object, former: Object) -> Outcome | None:
    """What the run came to, where the status has it; a spec that was wrong in between does not undo it."""
    if "finishedAt" not in former:
        return None
    said = conditions.find(resource.get("status"), ConditionType.READY) or {}
    message = str(said.get("message") or "")
    if said.get("reason") == Reason.JOB_FAILED:
        return conditions.stalled(Reason.JOB_FAILED, message)
    if said.get("reason") == Reason.JOB_COMPLETED:
        return conditions.ready(Reason.JOB_COMPLETED, message)
    whole = former.get("fragmentsDone")
    if whole is not None and whole == former.get("fragmentsTotal"):
        return conditions.ready(Reason.JOB_COMPLETED)
    return None


def _completed(progress: Progress, verdict: Outcome | None) -> Outcome:
    if not progress.workers and verdict and verdict.reason is Reason.JOB_COMPLETED:
        return verdict
    note = "rows that could not be predicted are counted in the manifest of the output"
    return conditions.ready(Reason.JOB_COMPLETED, note if progress.rejected else "")


def _failed(
    progress: Progress, reports: Sequence[Report], verdict: Outcome | None, otherwise: str
) -> Outcome:
    """A failure in the worker's words; without them in those of its pod, of the status before, or of the Job.

    The first that failed says why: the others may only have been stopped then.
    """
    said = [worker for worker in progress.failed if worker.message]
    if said:
        return conditions.stalled(
            Reason.JOB_FAILED, min(said, key=lambda worker: worker.finished_at or "").message
        )
    if not reports and verdict and verdict.reason is Reason.JOB_FAILED:
        return verdict
    trouble = min((report.trouble for report in reports if report.trouble), default=None)
    words = ": ".join(filter(None, trouble or ())) or otherwise
    return conditions.stalled(Reason.JOB_FAILED, words or "the Job failed without a message")


def _running(name: str, progress: Progress, reports: Sequence[Report]) -> Outcome:
    silent = [report for report in reports if not isinstance(report.status, BatchPredictStatus)]
    trouble = status.trouble(silent)
    at_work = any(said.state != "Failed" for said in progress.workers.values())
    if trouble and (not at_work or trouble.reason is Reason.NOT_RUNNABLE_LOCALLY):
        return trouble
    notes = [
        f"worker {said.index} is tried again: {said.message}" for said in progress.failed if said.message
    ]
    return conditions.working(Reason.JOB_RUNNING, "; ".join([f"Job {name} is running", *notes[:1]]))


def _ended_badly(progress: Progress, reports: Sequence[Report]) -> Outcome | None:
    """The failure of a scheduled run that has ended; None of one that did not fail, or that is unknown."""
    silent = bool(reports) and not progress.workers
    return _failed(progress, reports, None, "") if progress.failed or silent else None


def _still_failed(
    former: Object, told: Object, reports: Sequence[Report], *, running: bool
) -> Outcome | None:
    """The failure of the last run, until another has ended; pods may be gone, or the next run be under way."""
    said = conditions.find(former, ConditionType.READY) or {}
    if said.get("reason") != Reason.JOB_FAILED or (reports and not running):
        return None
    success, failure = (
        conditions.parsed(told.get("lastSuccessfulTime")),
        conditions.parsed(former.get("finishedAt")),
    )
    if success and (failure is None or success > failure):
        return None
    return conditions.stalled(Reason.JOB_FAILED, str(said.get("message") or ""))


def _waiting(
    prediction: BatchPrediction, progress: Progress, reports: Sequence[Report], *, running: bool
) -> Outcome:
    """A schedule whose last run did not fail."""
    trouble = status.trouble(reports) if running and not progress.workers else None
    if trouble:
        return trouble
    if prediction.spec.suspend:
        return conditions.ready(Reason.SUSPENDED, "spec.suspend is true, so no runs are started")
    return conditions.ready(Reason.SCHEDULED, f"runs at {prediction.spec.schedule}")
