"""What a Deployment does next, and what its status says: pure, after the rules of Kubernetes' own controller.

With maxUnavailable 0 an old pod goes only when a new one is ready, so a revision that never gets ready
never costs the endpoint anything. With Recreate no pod starts before all former ones have ended, so that
two never work on the same thing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moorage_operator.plan.types import Object

_DEFAULT_DEADLINE = 600
_DEFAULT_PART = "25%"


@dataclass(frozen=True, slots=True)
class PodView:
    """What a rollout needs to know of a pod; `template` identifies what it was made from."""

    name: str
    template: str
    ready: bool
    created: float


@dataclass(frozen=True, slots=True)
class Step:
    """Pods to start from the current template, and pods to end."""

    start: int = 0
    stop: tuple[str, ...] = ()


def bounds(deployment: Object) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods; percentages round up and down as Kubernetes does."""
    spec = deployment.get("spec", {})
    if recreates(deployment):
        return (0, 0)
    replicas = desired(deployment)
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    surge = _part(rolling.get("maxSurge", _DEFAULT_PART), replicas, up=True)
    unavailable = _part(rolling.get("maxUnavailable", _DEFAULT_PART), replicas, up=False)
    return (surge or 1, 0) if surge == 0 and unavailable == 0 else (surge, unavailable)


def desired(deployment: Object) -> int:
    """`spec.replicas`, 1 without it."""
    replicas = deployment.get("spec", {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def recreates(deployment: Object) -> bool:
    """Whether all old pods are to have ended before a new one starts."""
    strategy = deployment.get("spec", {}).get("strategy") or {}
    return bool(strategy.get("type") == "Recreate")


def step(deployment: Object, template: str, pods: Sequence[PodView], ending: int = 0) -> Step:
    """The next move towards `replicas` ready pods of `template`.

    `pods` are those not yet told to end, `ending` is how many were told and have not ended.
    """
    replicas = desired(deployment)
    surge, unavailable = bounds(deployment)
    new = [pod for pod in pods if pod.template == template]
    old = [pod for pod in pods if pod.template != template]
    if replicas == 0:
        return Step(stop=tuple(pod.name for pod in pods))
    if recreates(deployment) and (old or ending):
        return Step(stop=tuple(pod.name for pod in old))
    start = max(0, min(replicas - len(new), replicas + surge - len(pods)))
    stop = _dispensable(new)[: max(0, len(new) - replicas)]
    if old:
        stop += _retire(old, new, len(pods), replicas - unavailable)
    return Step(start, tuple(pod.name for pod in stop))


def status(deployment: Object, template: str, pods: Sequence[PodView], now: datetime) -> Object:
    """`status` of the Deployment, with the conditions Available and Progressing."""
    replicas = desired(deployment)
    updated = [pod for pod in pods if pod.template == template]
    ready = sum(pod.ready for pod in pods)
    enough = ready >= replicas - bounds(deployment)[1]
    written: Object = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": len(pods),
        "updatedReplicas": len(updated),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, max(replicas, len(pods)) - ready),
    }
    former = deployment.get("status") or {}
    conditions = [
        _condition(
            former,
            now,
            "Available",
            "True" if enough else "False",
            "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        ),
        _progress(deployment, written, sum(pod.ready for pod in updated), now),
    ]
    return {**written, "conditions": conditions}


def seconds_to_deadline(deployment: Object, written: Object, now: datetime) -> float | None:
    """When a rollout under way will have taken too long; None where there is nothing to wait for."""
    progressing = _find(written, "Progressing")
    if progressing is None or progressing["reason"] != "ReplicaSetUpdated":
        return None
    return max(0.0, _deadline(deployment) - (now - _parse(progressing["lastUpdateTime"])).total_seconds())


def _retire(old: Sequence[PodView], new: Sequence[PodView], total: int, least: int) -> list[PodView]:
    """Old pods that may go: unready ones first, and never so many that fewer than `least` could be ready."""
    room = total - least - sum(not pod.ready for pod in new)
    if room <= 0:
        return []
    unready = [pod for pod in _dispensable(old) if not pod.ready][:room]
    spare = sum(pod.ready for pod in (*old, *new)) - least
    ready = [pod for pod in _dispensable(old) if pod.ready][: max(0, min(spare, room - len(unready)))]
    return unready + ready


def _dispensable(pods: Sequence[PodView]) -> list[PodView]:
    return sorted(pods, key=lambda pod: (pod.ready, -pod.created, pod.name))


def _progress(deployment: Object, written: Object, updated_ready: int, now: datetime) -> Object:
    former = deployment.get("status") or {}
    replicas = desired(deployment)
    name = deployment["metadata"]["name"]
    if written["updatedReplicas"] == replicas == written["replicas"] and updated_ready == replicas:
        return _condition(
            former, now, "Progressing", "True", "NewReplicaSetAvailable", f'Deployment "{name}" is complete.'
        )
    counts = ("replicas", "updatedReplicas", "readyReplicas")
    same_spec = former.get("observedGeneration") == written["observedGeneration"]
    moved = not same_spec or any(former.get(count, 0) != written[count] for count in counts)
    before = _find(former, "Progressing")
    since = _parse(before["lastUpdateTime"]) if before and not moved else now
    if (
        before
        and not moved
        and (
            before["reason"] == "ProgressDeadlineExceeded"
            or (now - since).total_seconds() >= _deadline(deployment)
        )
    ):
        return _condition(
            former,
            now,
            "Progressing",
            "False",
            "ProgressDeadlineExceeded",
            f'Deployment "{name}" has timed out progressing.',
        )
    started = _condition(
        former, now, "Progressing", "True", "ReplicaSetUpdated", f'Deployment "{name}" is progressing.'
    )
    return {**started, "lastUpdateTime": _time(now)} if moved else started


def _condition(former: Object, now: datetime, kind: str, value: str, reason: str, message: str) -> Object:
    before = _find(former, kind) or {}
    same = before.get("status") == value
    kept = same and before.get("reason") == reason and before.get("message") == message
    return {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastTransitionTime": before["lastTransitionTime"] if same else _time(now),
        "lastUpdateTime": before["lastUpdateTime"] if kept else _time(now),
    }


def _find(written: Object, kind: str) -> Object | None:
    return next((entry for entry in written.get("conditions", []) if entry["type"] == kind), None)


def _deadline(deployment: Object) -> int:
    return int(deployment.get("spec", {}).get("progressDeadlineSeconds") or _DEFAULT_DEADLINE)


def _part(value: Any, whole: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        share = whole * int(value[:-1]) / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse(text: str) -> datetime:
    return datetime.fromisoformat(text)
