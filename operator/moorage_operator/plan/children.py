"""Children as a plan sees them: found among what is owned, kept as they are, or held by somebody else."""

from collections.abc import Iterable

from moorage_api.conditions import Reason
from moorage_api.shared import ObjectMeta
from moorage_operator.plan import labels
from moorage_operator.plan.refusal import Refused
from moorage_operator.plan.types import Object, Observed

_CONTENT = ("apiVersion", "kind", "immutable", "data", "spec")


def find(observed: Observed, kind: str, name: str) -> Object | None:
    """The owned child of that kind and name, or None."""
    for child in observed.owned:
        if child.get("kind") == kind and child["metadata"]["name"] == name:
            return child
    return None


def kept(owner_kind: str, meta: ObjectMeta, existing: Object) -> Object:
    """An existing child as it is: for what cannot be changed (Jobs) or is still in use (ConfigMaps)."""
    content = {key: existing[key] for key in _CONTENT if key in existing}
    return {**content, "metadata": labels.metadata(owner_kind, meta, existing["metadata"]["name"])}


def config_map(metadata: Object, files: dict[str, str]) -> Object:
    """An immutable ConfigMap: its name changes with its content."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": True, "data": files}


def check_conflicts(owner_kind: str, planned: Iterable[Object], observed: Observed) -> None:
    """Raise NameConflict where an object of somebody else has the name of a planned child."""
    names = {(child["kind"], child["metadata"]["name"]) for child in planned}
    for other in observed.foreign:
        metadata = other.get("metadata") or {}
        if (other.get("kind"), metadata.get("name")) in names:
            raise Refused(
                Reason.NAME_CONFLICT,
                f"{other['kind']} {metadata.get('namespace')}/{metadata['name']} exists and does not belong "
                f"to this {owner_kind}; delete or rename one of them",
            )
