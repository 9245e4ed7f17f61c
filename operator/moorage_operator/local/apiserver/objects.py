"""What every object has: its key, its owner, its times."""

from datetime import UTC, datetime
from typing import Any

from moorage_api.kinds import KINDS

Object = dict[str, Any]
"""A Kubernetes object as the API server gives it."""
Key = tuple[str, str, str]
"""Kind, namespace ("" for a cluster-scoped kind), name."""
Objects = list[Object]

CLUSTER_SCOPED = frozenset({"Namespace", *(kind.kind for kind in KINDS.values() if not kind.namespaced)})


def key_of(obj: Object) -> Key:
    """Kind, namespace and name; an object of a namespaced kind without one is in `default`."""
    meta = obj["metadata"]
    return obj["kind"], namespace_of(obj["kind"], meta.get("namespace") or "default"), meta["name"]


def in_order(events: Objects) -> Objects:
    """Events by when they happened last; the store's version decides within a second."""
    return sorted(
        events, key=lambda event: (event["lastTimestamp"], int(event["metadata"]["resourceVersion"]))
    )


def controller_of(obj: Object) -> str | None:
    """UID of the controller owner, if there is one."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def namespace_of(kind: str, namespace: str) -> str:
    """Where an object of the kind is kept: "" for a cluster-scoped kind, whatever was asked for."""
    return "" if kind in CLUSTER_SCOPED else namespace
