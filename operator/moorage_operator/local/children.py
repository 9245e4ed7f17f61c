"""How a planned child meets what the store has: ours, somebody else's, or fields that others own. Pure."""

from collections.abc import Iterable

from moorage_operator.local.apiserver.objects import Key, controller_of, key_of
from moorage_operator.plan import Object, Plan

KINDS = ("ConfigMap", "Service", "Deployment", "Job", "CronJob")
"""What this machine carries out; every other planned kind needs a cluster."""


def ignored(plan: Plan) -> set[str]:
    """Planned kinds that mean nothing on one machine."""
    return {child["kind"] for child in plan.children or ()} - set(KINDS)


def wanted(plan: Plan) -> list[Object]:
    """Planned children that are carried out."""
    return [child for child in plan.children or () if child["kind"] in KINDS]


def superfluous(plan: Plan, owned: Iterable[Object]) -> list[Key]:
    """Owned children that are not planned; none where nothing may be touched."""
    if plan.children is None:
        return []
    planned = {key_of(child) for child in plan.children}
    return [key_of(child) for child in owned if key_of(child) not in planned]


def is_foreign(existing: Object | None, uid: str) -> bool:
    """Whether an object with a child's name belongs to somebody else."""
    return existing is not None and controller_of(existing) != uid


def merged(child: Object, existing: Object | None) -> Object:
    """The child with what others own of it: annotations, and a Deployment's replicas where none are planned."""
    if existing is None:
        return child
    notes = {
        **(existing["metadata"].get("annotations") or {}),
        **(child["metadata"].get("annotations") or {}),
    }
    kept = {**child, "metadata": {**child["metadata"], **({"annotations": notes} if notes else {})}}
    if child["kind"] == "Deployment" and "replicas" not in child["spec"]:
        replicas = existing["spec"].get("replicas")
        if replicas is not None:
            kept["spec"] = {**child["spec"], "replicas": replicas}
    return kept
