"""Types that several kinds share: names, decimals, URIs, credentials, Kafka, storage, status."""

from typing import Annotated, Any, Literal

from pydantic import Field

from moorage_api.base import ApiModel, Rule

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""The name of another Kubernetes object."""
Uri = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        pattern=r"^(file:///\S*|s3://[^/\s]+/\S+|https?://[^/@\s]+/\S+|pvc://[a-z0-9][-a-z0-9.]*/\S+)$",
    ),
]
"""Something to read."""
FolderUri = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        pattern=r"^(file:///\S*|s3://[^/\s]+(/\S*)?|pvc://[a-z0-9][-a-z0-9.]*(/\S*)?)$",
    ),
]
"""A folder to write to."""
HttpUrl = Annotated[str, Field(max_length=2048, pattern=r"^https?://[^/@\s]+(/\S*)?$")]
"""An HTTP address; credentials belong in a Secret."""
FreeForm = dict[str, Any]
"""An object that is passed on as it is."""
Text = Annotated[str, Field(max_length=1024)]
"""A status field for people."""


Decimal = Annotated[
    str, Field(max_length=32, pattern=r"^-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?$")
]
"""A decimal number as a quoted string: YAML's and JSON's numbers differ from reader to reader."""
PositiveDecimal = Annotated[
    str, Field(max_length=32, pattern=r"^[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?$")
]
"""A decimal number without a sign."""


class LocalRef(ApiModel):
    """Another object of the same namespace, by name."""

    name: Name
    """Name of the object."""


class Storage(ApiModel):
    """How object storage is reached; without it the pod's service account and the environment decide."""

    endpoint: HttpUrl | None = None
    """Address of an S3-compatible server."""
    region: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Region of the bucket."""
    credentials_secret_ref: LocalRef | None = None
    """Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and optionally AWS_SESSION_TOKEN."""


class HttpTarget(ApiModel):
    """An HTTP address and how to be let in."""

    rules = (
        Rule(
            "!has(self.bearerTokenSecretRef) || !has(self.basicAuthSecretRef)",
            lambda target: target.bearer_token_secret_ref is None or target.basic_auth_secret_ref is None,
            "excludes bearerTokenSecretRef",
            "basicAuthSecretRef",
        ),
    )

    url: HttpUrl
    """The address."""
    bearer_token_secret_ref: LocalRef | None = None
    """Secret whose `token` is sent as a bearer token."""
    basic_auth_secret_ref: LocalRef | None = None
    """Secret whose `username` and `password` are sent as basic authentication."""
    ca_secret_ref: LocalRef | None = None
    """Secret whose `ca.crt` verifies the server."""


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


class ObjectMeta(ApiModel):
    """What the plan reads of an object's metadata; the name leaves room for the children's suffixes."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the object: at most 40 of a-z, 0-9 and -, a letter first."""
    namespace: str = "default"
    """Namespace of the object."""
    uid: str = ""
    """Identity across renames and recreations."""
    generation: int = 1
    """Counts changes of the spec."""
    annotations: dict[str, str] = {}
    """The user's annotations."""
    labels: dict[str, str] = {}
    """The user's labels."""


class Condition(ApiModel):
    """One entry of `status.conditions`."""

    type: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    """What the condition is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    """Why, as one CamelCase word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, for a person; names the object or field at fault."""
    last_transition_time: Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
    """When `status` last changed."""
    observed_generation: int
    """Generation of the object that this was said about."""
