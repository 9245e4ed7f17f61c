"""Labels and metadata of children: a fixed set, never the user's own copied, and always one owner.

Copied labels make GitOps tools prune children or fight over them (`app.kubernetes.io/instance`,
`argocd.argoproj.io/…`), so a child carries what is written here and nothing else.
"""

from moorage_api import API_VERSION, GROUP
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import names
from moorage_operator.plan.types import Object

MANAGED_BY = "app.kubernetes.io/managed-by"
APP_NAME = "app.kubernetes.io/name"
RESOURCE_NAME = f"{GROUP}/name"
REVISION = f"{GROUP}/revision"
PAUSE = f"{GROUP}/reconcile"
"""Annotation of a resource; the value `paused` stops every write to its children."""


def selector(kind: str, name: str) -> dict[str, str]:
    """Labels that pick the pods of one resource."""
    return {APP_NAME: kind.lower(), RESOURCE_NAME: names.label_value(name)}


def fixed(kind: str, name: str) -> dict[str, str]:
    """Labels of every child of one resource."""
    return {MANAGED_BY: "moorage", **selector(kind, name)}


def owner_reference(kind: str, meta: ObjectMeta) -> Object:
    """The controller owner: garbage collection follows it, and by it a child is known as ours."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": meta.name,
        "uid": meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def metadata(kind: str, meta: ObjectMeta, name: str) -> Object:
    """`metadata` of the child `name` of the resource `meta` of `kind`."""
    return {
        "name": name,
        "namespace": meta.namespace,
        "labels": fixed(kind, meta.name),
        "ownerReferences": [owner_reference(kind, meta)],
    }


def paused(meta: ObjectMeta) -> bool:
    """Whether the user asked to leave the children alone."""
    return meta.annotations.get(PAUSE) == "paused"
