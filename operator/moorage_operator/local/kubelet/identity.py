"""Who a pod is: its name, whose it is, and what it is made from."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from moorage_operator.local.apiserver.objects import Key
from moorage_operator.plan.types import Object

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random names of: no vowels, so no words."""


def random_name(prefix: str) -> str:
    """The prefix and five random characters."""
    return f"{prefix}-{''.join(secrets.choice(_ALPHABET) for _ in range(5))}"


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
