"""What every role's config and status is made of: models, streams, stores, and where a pod finds things."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

CONFIG_DIR = "/etc/moorage"
CONFIG_FILE = "/etc/moorage/config.json"
SECRETS_DIR = "/var/run/moorage/secrets"
"""A secret `name` is mounted at SECRETS_DIR/name, each key a file."""
CODE_DIR = "/etc/moorage/code"
"""A ConfigMap of a model's code is mounted at CODE_DIR/model."""
VOLUMES_DIR = "/mnt/moorage/pvc"
"""A claim of a pvc:// URI is mounted at VOLUMES_DIR/claim."""
TERMINATION_LOG = "/dev/termination-log"
TERMINATION_LOG_ENV = "MOORAGE_TERMINATION_LOG"
"""Path of the termination log where it is not the default (local mode)."""
HTTP_PORT = 8080
MANAGEMENT_PORT = 8082
STATUS_PATH = "/moorage/v1/status"
STATUS_MAX_BYTES = 16 * 1024
TERMINATION_MAX_BYTES = 4096


class Config(BaseModel):
    """A part of a config or of a status document; unknown fields of a newer version are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", use_attribute_docstrings=True
    )


class TensorConfig(Config):
    """A named column; types are those of the API (int64, float32, string …)."""

    name: str
    type: str
    shape: list[int] | None = None


class ModelConfig(Config):
    """One model to load."""

    name: str
    uri: str
    framework: str
    framework_version: str | None = None
    version: str | None = None
    sha256: str | None = None
    code_uri: str | None = None
    """URI or folder of Python that the model needs."""
    python_class: str | None = None
    features: list[TensorConfig] | None = None
    outputs: list[TensorConfig] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


class StreamConfig(Config):
    """A stream: `kafka://HOST:PORT,…/TOPIC`, or a path or file:/// URI of a directory stream."""

    uri: str
    tls: bool = False
    ca_dir: str | None = None
    """Folder with ca.crt."""
    auth_dir: str | None = None
    """Folder with mechanism, username, password, or tls.crt and tls.key."""


class CaptureConfig(Config):
    """Where requests and predictions are written to."""

    stream: StreamConfig
    format: Literal["native", "mlrun-v1", "mlrun-v2", "cloudevents"] = "native"
    sample_ratio: float = 1.0
    buffer_bytes: int = 64 * 1024 * 1024
    """Bound of what waits for the stream; beyond it events are dropped and counted."""


class StorageConfig(Config):
    """Object storage; credentials come by the environment."""

    endpoint: str | None = None
    region: str | None = None


class ModelState(StrEnum):
    """Life of a model in a pod."""

    LOADING = "Loading"
    READY = "Ready"
    FAILED = "Failed"


class ModelStatus(Config):
    """One model in one pod."""

    name: str
    version: str | None = None
    digest: str | None = None
    """SHA-256 of the artifact, 64 hex digits."""
    framework: str | None = None
    predictor: str | None = None
    """What answers: sklearn, onnxruntime, python …"""
    state: ModelState
    reason: str | None = None
    """ModelLoadFailed or DigestMismatch, where failed."""
    message: str | None = None
    """At most 512 characters, for a person."""


class CaptureStatus(Config):
    """Counts since the start."""

    captured: int = 0
    dropped: int = 0
    delivered: int = 0
    pending: int = 0
    """captured = delivered + dropped + pending, always."""
    error: str | None = None
    """The stream's own last words, where it is failing now."""
