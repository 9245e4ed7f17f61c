"""Who a pod is: its name, whose it is, and what it is made from."""

import secrets
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from moorage_operator.local.apiserver.objects import Key
from moorage_operator.plan.types import Object

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random names of: no vowels, so no words."""


INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of an Indexed Job's pods."""
INDEX_ENV = "JOB_COMPLETION_INDEX"


def random_name(prefix: str) -> str:
    """The prefix and five random characters."""
    return f"{prefix}-{''.join(secrets.choice(_ALPHABET) for _ in range(5))}"


def with_index(template: Object, index: int) -> Object:
    """The template of the pod of one index, which is told it by annotation, label and environment."""
    numbered = deepcopy(template)
    metadata = numbered.setdefault("metadata", {})
    for part in ("annotations", "labels"):
        metadata[part] = {**(metadata.get(part) or {}), INDEX: str(index)}
    source = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}
    for container in numbered["spec"]["containers"]:
        others = [entry for entry in container.get("env") or () if entry["name"] != INDEX_ENV]
        container["env"] = [*others, {"name": INDEX_ENV, "valueFrom": source}]
    return numbered


@dataclass(frozen=True, slots=True)
class Identity:
    """What a pod is made from. `owner` is the Deployment or Job; `restarts` whether its process is started again."""

    name: str
    owner: Object
    template: Object
    template_hash: str
    restarts: bool
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def namespace(self) -> str:
        """The owner's."""
        return str(self.owner["metadata"]["namespace"])

    @property
    def owner_key(self) -> Key:
        """The workload's key."""
        return self.owner["kind"], self.namespace, self.owner["metadata"]["name"]

    @property
    def labels(self) -> dict[str, str]:
        """The template's."""
        return dict(self.template.get("metadata", {}).get("labels") or {})

    @property
    def annotations(self) -> dict[str, str]:
        """The template's."""
        return dict(self.template.get("metadata", {}).get("annotations") or {})
