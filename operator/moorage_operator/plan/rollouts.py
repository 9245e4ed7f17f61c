"""How far the rollout of a Deployment is, by its own status, and what its pods report."""

from moorage_api.conditions import Reason
from moorage_operator.plan import conditions, pods
from moorage_operator.plan.conditions import Outcome
from moorage_operator.plan.types import Object, Observed, Report


def complete(deployment: Object | None, revision: str) -> bool:
    """Whether every pod of the Deployment has the revision and is available, by the Deployment's own status."""
    if deployment is None or pods.revision_of(deployment) != revision or not _observed(deployment):
        return False
    counts = {
        count(deployment, "status", key) for key in ("replicas", "updatedReplicas", "availableReplicas")
    }
    return counts == {wanted(deployment)}


def wanted(deployment: Object | None) -> int:
    """The pods that it asks for."""
    return count(deployment, "spec", "replicas", default=1)


def under_way(deployment: Object | None, revision: str) -> Outcome:
    """What the Deployment's own conditions say of an unfinished rollout."""
    going_on = conditions.working(Reason.PROGRESSING, f"rolling out revision {revision}")
    if deployment is None or pods.revision_of(deployment) != revision or not _observed(deployment):
        return going_on
    found = deployment.get("status")
    failure = conditions.find(found, "ReplicaFailure")
    if failure and failure.get("status") == "True":
        return conditions.working(
            Reason.MINIMUM_REPLICAS_UNAVAILABLE, f"Deployment: {failure.get('message', '')}"
        )
    progressing = conditions.find(found, "Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        return conditions.stalled(
            Reason.MINIMUM_REPLICAS_UNAVAILABLE,
            f"Deployment: no pod of revision {revision} became ready before the progress deadline",
        )
    return going_on


def scaled_to_zero(deployment: Object | None, revision: str, field: str) -> Outcome:
    """Whether the pods that `field` wants to be none are gone."""
    if deployment is None or (complete(deployment, revision) and wanted(deployment) == 0):
        return conditions.ready(Reason.SCALED_TO_ZERO, f"{field} is 0")
    return conditions.working(Reason.PROGRESSING, "scaling to zero")


def reports(observed: Observed, owner: str, revision: str | None) -> list[Report]:
    """What the pods of a Deployment's revision report, in a fixed order."""
    found = [report for report in observed.reports if report.owner == owner and report.revision == revision]
    return sorted(found, key=lambda report: report.pod)


def count(found: Object | None, part: str, key: str, default: int = 0) -> int:
    """A whole number of an object's spec, status or metadata."""
    value = ((found or {}).get(part) or {}).get(key)
    return value if isinstance(value, int) else default


def _observed(deployment: Object) -> bool:
    """Whether the Deployment's status speaks of its present spec."""
    return count(deployment, "status", "observedGeneration") >= count(deployment, "metadata", "generation")
