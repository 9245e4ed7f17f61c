"""Types that several kinds share: credentials, Kafka, storage, the restricted pod block, status."""

from typing import Annotated, Any, Literal

from pydantic import Field

from moorage_api.base import ApiModel

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""The name of another Kubernetes object."""
Uri = Annotated[str, Field(min_length=1, max_length=2048)]
Decimal = Annotated[str, Field(max_length=32, pattern=r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$")]
"""A decimal number as a quoted string."""


class LocalRef(ApiModel):
    """Another object of the same namespace, by name."""

    name: Name
    """Name of the object."""


class Storage(ApiModel):
    """How object storage is reached; without it the pod's service account and the environment decide."""

    endpoint: Annotated[str, Field(max_length=2048, pattern=r"^https?://")] | None = None
    """Address of an S3-compatible server."""
    region: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Region of the bucket."""
    credentials_secret_ref: LocalRef | None = None
    """Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and optionally AWS_SESSION_TOKEN."""


class KafkaTls(ApiModel):
    """TLS towards the broker."""

    ca_secret_ref: LocalRef | None = None
    """Secret whose `ca.crt` verifies the broker; without it the system's authorities do."""


class Kafka(ApiModel):
    """One topic of a Kafka cluster."""

    bootstrap_servers: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=r"^[^\s,:]+:[0-9]{1,5}(,[^\s,:]+:[0-9]{1,5})*$")
    ]
    """HOST:PORT of one or more brokers, separated by commas."""
    topic: Annotated[str, Field(min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")]
    """Name of the topic."""
    tls: KafkaTls | None = None
    """Encrypt the connection; an empty object is enough."""
    auth_secret_ref: LocalRef | None = None
    """Secret with `mechanism`, `username` and `password` (SASL), or `tls.crt` and `tls.key` (mutual TLS)."""


class Pod(ApiModel):
    """The part of a pod that a user may set; free-form parts are Kubernetes' own types."""

    resources: dict[str, Any] | None = None
    node_selector: dict[str, str] | None = None
    tolerations: list[dict[str, Any]] | None = None
    affinity: dict[str, Any] | None = None
    topology_spread_constraints: list[dict[str, Any]] | None = None
    priority_class_name: Name | None = None
    runtime_class_name: Name | None = None
    service_account_name: Name | None = None
    image_pull_secrets: list[LocalRef] | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    env: list[dict[str, Any]] | None = None
    volumes: list[dict[str, Any]] | None = None
    volume_mounts: list[dict[str, Any]] | None = None
    fs_group: int | None = None


class ObjectMeta(ApiModel):
    """What the plan reads of an object's metadata."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}


class Condition(ApiModel):
    """One entry of `status.conditions`, a list-map keyed by `type`."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_transition_time: str
    observed_generation: int
