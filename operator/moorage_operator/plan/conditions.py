"""Conditions as kstatus reads them: Ready, and the abnormal-true Reconciling and Stalled.

A plan comes to one `Outcome`; the three conditions follow from it, so that they can never contradict each
other. Messages carry no timestamps and no measured values: a status that says the same stays the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

from moorage_api.conditions import ConditionType, Reason
from moorage_operator.plan.types import Object

_MESSAGE_LENGTH = 1024

Truth = Literal["True", "False", "Unknown"]


class Progress(Enum):
    """Where the resource stands."""

    READY = "ready"
    """The desired state is reached."""
    WORKING = "working"
    """It will change by itself."""
    STALLED = "stalled"
    """A person has to act."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be said of a resource as a whole."""

    progress: Progress
    reason: Reason
    message: str = ""

    def paused(self, annotation: str) -> "Outcome":
        """The same of a resource whose children nobody may touch: unfinished work is stalled."""
        note = f"annotation {annotation} is paused, so nothing is changed"
        if self.progress is Progress.WORKING:
            return Outcome(
                Progress.STALLED, Reason.PAUSED, f"{note}: {self.message}" if self.message else note
            )
        return replace(self, message=f"{self.message}; {note}" if self.message else note)


@dataclass(frozen=True, slots=True)
class Statement:
    """A condition without its bookkeeping."""

    type: ConditionType
    status: Truth
    reason: Reason
    message: str = ""


def ready(reason: Reason, message: str = "") -> Outcome:
    """The desired state is reached."""
    return Outcome(Progress.READY, reason, message)


def working(reason: Reason, message: str) -> Outcome:
    """It will change by itself."""
    return Outcome(Progress.WORKING, reason, message)


def stalled(reason: Reason, message: str) -> Outcome:
    """A person has to act."""
    return Outcome(Progress.STALLED, reason, message)


def worse(first: Outcome, second: Outcome) -> Outcome:
    """The outcome of two parts: of equals the first, and of two that are done both messages."""
    order = (Progress.READY, Progress.WORKING, Progress.STALLED)
    if first.progress is second.progress is Progress.READY:
        return replace(first, message="; ".join(filter(None, (first.message, second.message))))
    return max(first, second, key=lambda outcome: order.index(outcome.progress))


def kstatus(outcome: Outcome) -> tuple[Statement, ...]:
    """Ready, Reconciling and Stalled of an outcome."""
    said: dict[Progress, tuple[Truth, Truth, Truth]] = {
        Progress.READY: ("True", "False", "False"),
        Progress.WORKING: ("False", "True", "False"),
        Progress.STALLED: ("False", "False", "True"),
    }
    types = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)
    return tuple(
        Statement(
            kind,
            truth,
            outcome.reason,
            outcome.message if truth == "True" or kind is ConditionType.READY else "",
        )
        for kind, truth in zip(types, said[outcome.progress], strict=True)
    )


def stamped(statements: Iterable[Statement], previous: Any, generation: int, now: datetime) -> list[Object]:
    """The `conditions` of a status: a transition time is kept as long as the condition's status is the same.

    `previous` is the former list, as whoever wrote it left it: entries of another shape are passed over.
    """
    before = {
        entry["type"]: entry
        for entry in (previous if isinstance(previous, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("type"), str)
    }
    listed = []
    for statement in statements:
        former = before.get(statement.type, {})
        since = former.get("lastTransitionTime")
        kept = former.get("status") == statement.status and isinstance(since, str)
        listed.append(
            {
                "type": str(statement.type),
                "status": statement.status,
                "reason": str(statement.reason),
                "message": statement.message[:_MESSAGE_LENGTH],
                "lastTransitionTime": since if kept else rfc3339(now),
                "observedGeneration": generation,
            }
        )
    return listed


def rfc3339(moment: datetime) -> str:
    """UTC, in whole seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parsed(time: Any) -> datetime | None:
    """A time that Kubernetes wrote, or None where it is none."""
    try:
        found = datetime.fromisoformat(time)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def find(status: Any, kind: ConditionType | str) -> Object | None:
    """The condition of a type in any object's status, or None."""
    listed = status.get("conditions") if isinstance(status, dict) else None
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("type") == str(kind):
            return entry
    return None
