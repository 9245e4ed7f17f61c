"""How a Job ended, by its own status."""

from dataclasses import dataclass
from datetime import UTC, datetime

from moorage_operator.plan import conditions
from moorage_operator.plan.types import Object

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a Job."""

    at: datetime
    failed: bool
    message: str
    """The Job controller's own words."""


def ended(job: Object | None) -> Ended | None:
    """How the Job ended; None while it has not."""
    found = (job or {}).get("status")
    for kind in ("Complete", "Failed"):
        condition = conditions.find(found, kind)
        if condition and condition.get("status") == "True":
            at = conditions.parsed(condition.get("lastTransitionTime")) or _EPOCH
            return Ended(at, kind == "Failed", str(condition.get("message") or ""))
    return None
