"""What all pods of this machine share: where things are, what may be read, and whom to tell of a change."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from moorage_operator.local.apiserver.objects import Key
from moorage_operator.local.apiserver.store import Store
from moorage_operator.local.kubelet.addresses import Places
from moorage_operator.local.kubelet.launch import Launch, compose
from moorage_operator.local.kubelet.services import Services, free_port
from moorage_operator.local.settings import Settings
from moorage_operator.plan.types import Object

_INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip
_INHERITED_PREFIXES = ("LC_", "AWS_", "COVERAGE_")
"""AWS_*: a person's own credentials are what the pod's service account is on a cluster."""


@dataclass(frozen=True, slots=True)
class Ports:
    """A process's own ports of loopback: `spare` is for traffic that no Service leads to."""

    management: int = field(default_factory=free_port)
    spare: int = field(default_factory=free_port)


@dataclass(frozen=True, slots=True)
class Node:
    """This machine."""

    state: Path
    store: Store
    services: Services
    settings: Settings
    changed: Callable[[Key], None]
    """Called with the key of a workload whose pods are not as they were."""
    say: Callable[[str], None]
    kafka: str | None = None
    object_store: str | None = None

    def folder(self, namespace: str, pod: str) -> Path:
        """The files of one pod."""
        return (self.state / "run" / "pods" / namespace / pod).absolute()

    def log(self, namespace: str, pod: str) -> Path:
        """The output of one pod."""
        return (self.state / "logs" / namespace / f"{pod}.log").absolute()

    def places(self, namespace: str) -> Places:
        """Where addresses lie, for anything in the namespace."""
        return Places(
            state=self.state,
            namespace=namespace,
            services=self.services.ports(namespace),
            kafka=self.kafka,
            object_store=self.object_store,
        )

    def compose(self, namespace: str, pod: str, template: Object, ports: Ports) -> Launch:
        """The pod's process. Raises CannotStart."""
        labels = template.get("metadata", {}).get("labels") or {}
        traffic = self.services.port_for(namespace, labels) or ports.spare
        return compose(
            template,
            pod=pod,
            folder=self.folder(namespace, pod),
            places=replace(self.places(namespace), http_port=traffic, management_port=ports.management),
            lookup=lambda kind, name: self.store.get(kind, namespace, name),
            images=self.settings.images,
            inherited={
                key: value
                for key, value in os.environ.items()
                if key in _INHERITED or key.startswith(_INHERITED_PREFIXES)
            },
        )
