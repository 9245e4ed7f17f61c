"""Status of a ModelServing's stream: what its Deployment's status and its workers say."""

from collections.abc import Sequence
from dataclasses import dataclass

from moorage_api.conditions import Reason
from moorage_api.model_serving import ModelServing
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import children, conditions, figures, names, pods, rollouts, status
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.types import Object, Observed, Report
from moorage_runtime.config import ModelState, StreamPredictStatus

_KEPT = ("lag", "recordsPerSecond", "deadLettered")


@dataclass(frozen=True, slots=True)
class Streamed:
    """Where the stream stands; nothing of both without one."""

    outcome: Outcome | None = None
    fields: Object | None = None
    """`status.stream`."""


def deployment_name(meta: ObjectMeta) -> str:
    """The Deployment of the stream's workers."""
    return names.child(meta.name, "stream")


def of(resource: Object, serving: ModelServing, revision: str | None, observed: Observed) -> Streamed:
    """The stream while `revision` is the desired one."""
    if serving.spec.stream is None or revision is None:
        return Streamed()
    name = deployment_name(serving.metadata)
    deployment = children.find(observed, "Deployment", name)
    reports = rollouts.reports(observed, name, revision)
    outcome = _outcome(serving.spec.stream.replicas, deployment, revision, reports)
    return Streamed(outcome, _fields(resource, name, deployment, observed))


def as_it_is(resource: Object, meta: ObjectMeta, observed: Observed) -> Object | None:
    """`status.stream` where nothing may be touched."""
    name = deployment_name(meta)
    deployment = children.find(observed, "Deployment", name)
    return _fields(resource, name, deployment, observed) if deployment else None


def _outcome(wanted: int, deployment: Object | None, revision: str, reports: Sequence[Report]) -> Outcome:
    if wanted == 0:
        return rollouts.scaled_to_zero(deployment, revision, "spec.stream.replicas")
    told = [report.status for report in reports if isinstance(report.status, StreamPredictStatus)]
    failed = min(
        (model for each in told for model in each.models if model.state is ModelState.FAILED),
        key=lambda model: (model.name, model.message or ""),
        default=None,
    )
    if failed:
        reason = (
            Reason.DIGEST_MISMATCH if failed.reason == Reason.DIGEST_MISMATCH else Reason.MODEL_LOAD_FAILED
        )
        said = failed.message or "could not be loaded"
        return conditions.stalled(reason, f"spec.stream: model {failed.name}: {said}")
    errors = [(each.reason != Reason.STREAM_FAILED, each.error) for each in told if each.error]
    if errors:
        starting, error = min(errors)
        reason = Reason.PROGRESSING if starting else Reason.STREAM_FAILED
        return conditions.working(reason, f"spec.stream: {error}")
    if rollouts.complete(deployment, revision) and rollouts.wanted(deployment) == wanted:
        lost = min((each.capture.error for each in told if each.capture and each.capture.error), default=None)
        note = f"records are predicted, but not captured: {lost}" if lost else ""
        return conditions.ready(Reason.RECONCILED, note)
    found = status.trouble(reports) or rollouts.under_way(deployment, revision)
    return Outcome(found.progress, found.reason, f"spec.stream: {found.message}")


def _fields(resource: Object, name: str, deployment: Object | None, observed: Observed) -> Object:
    """The workers of all revisions together: during a rollout they share the partitions."""
    told = [
        report.status
        for report in observed.reports
        if report.owner == name and isinstance(report.status, StreamPredictStatus)
    ]
    counts = {
        "replicas": rollouts.count(deployment, "status", "replicas"),
        "readyReplicas": rollouts.count(deployment, "status", "readyReplicas"),
    }
    if not told:
        return {**counts, **_former(resource)} if pods.revision_of(deployment) else counts
    lags = [each.lag for each in told if each.lag is not None]
    said = {
        **counts,
        "recordsPerSecond": figures.plain(sum(each.records_per_second for each in told)),
        "deadLettered": sum(each.dead_lettered for each in told),
        "lag": figures.rounded(sum(lags)) if lags else None,
    }
    return {key: value for key, value in said.items() if value is not None}


def _former(resource: Object) -> Object:
    """What was known before: a restart is no reason to forget it."""
    former = (resource.get("status") or {}).get("stream")
    return {key: former[key] for key in _KEPT if key in former} if isinstance(former, dict) else {}
