"""The shape of a plan: what was observed goes in, what should exist comes out. Nothing here does I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moorage_runtime.config import Status

Object = dict[str, Any]
"""A Kubernetes object as the API server gives it."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Another resource that a plan reads and its owner is replanned for."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Report:
    """What one pod of a child said of itself.

    `pod` is the pod's name, `revision` its label `moorage.dev/revision`; `status` is the document of its
    management port, or of its termination log where it has ended; `trouble` is (reason, message) where the
    pod itself is in trouble (CrashLoop, ImagePullBackOff …).
    """

    owner: str
    """Name of the Deployment or Job that the pod belongs to."""
    pod: str
    revision: str
    ready: bool
    status: Status | None = None
    trouble: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that a plan may know beside the resource and the catalogue.

    `owned` are the children that exist and have the resource's UID as controller owner; `foreign` are
    objects that have a child's name but another owner; `referenced` are what `references()` named, each
    absent if it does not exist; `reports` are of the pods of owned Deployments and Jobs, and of the Jobs of
    owned CronJobs.
    """

    owned: Sequence[Object] = ()
    foreign: Sequence[Object] = ()
    referenced: dict[Ref, Object] = field(default_factory=dict)
    reports: Sequence[Report] = ()
    now: datetime = field(default_factory=lambda: datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Plan:
    """What should exist. Owned objects that are not among `children` are to be deleted.

    `children` is None where nothing may be touched now (invalid spec, paused, name conflict): what exists
    stays as it is. `requeue_seconds` asks to be planned again without any event.
    """

    children: tuple[Object, ...] | None
    status: Object
    requeue_seconds: float | None = None
