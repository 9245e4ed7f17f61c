"""What the status of every kind has in common."""

from collections.abc import Iterable
from datetime import datetime

from moorage_api.conditions import Reason
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import conditions
from moorage_operator.plan.conditions import Outcome, Statement
from moorage_operator.plan.types import Object, Report


def written(
    resource: Object, meta: ObjectMeta, statements: Iterable[Statement], fields: Object, now: datetime
) -> Object:
    """The whole status; fields without a value are left out, those that count nothing are 0."""
    former = resource.get("status")
    previous = former.get("conditions") if isinstance(former, dict) else None
    return {
        "observedGeneration": meta.generation,
        "conditions": conditions.stamped(statements, previous, meta.generation, now),
        **{key: value for key, value in fields.items() if value is not None and value != []},
    }


def trouble(reports: Iterable[Report]) -> Outcome | None:
    """What the pods themselves are in trouble with, or None.

    Kubernetes retries all of it (images, crashes, scheduling); only what this machine cannot run at all waits
    for a person. A word outside the documented reasons goes into the message.
    """
    found = min((report.trouble for report in reports if report.trouble), default=None)
    if found is None:
        return None
    reason, message = found
    if reason == Reason.NOT_RUNNABLE_LOCALLY:
        return conditions.stalled(Reason.NOT_RUNNABLE_LOCALLY, message)
    if reason in set(Reason):
        return conditions.working(Reason(reason), message)
    return conditions.working(Reason.MINIMUM_REPLICAS_UNAVAILABLE, f"{reason}: {message}")
