"""What the operator hands a pod, and the status that a pod hands back.

Light to import (pydantic only): the operator writes a config with these types and reads the status with them.
A config is a JSON file; `moorage-runtime ROLE --config FILE` reads it. Every address in it is a URI, so that
local mode can map addresses without knowing what they are for (`locate` of `moorage_operator.local`).
"""

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


class HttpConfig(Config):
    """The HTTP server's address and limits."""

    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached from outside
    port: int = HTTP_PORT
    timeout_seconds: int = 30
    max_body_bytes: int = 16777216
    max_in_flight: int = 1024
    ready_when: Literal["AllModels", "AnyModel"] = "AllModels"
    drain_seconds: int = 20
    """How long accepted requests may take to finish after SIGTERM."""


class ServeConfig(Config):
    """`moorage-runtime serve`."""

    name: str = "moorage"
    """Name of the ModelServing."""
    namespace: str = "default"
    revision: str = ""
    models: list[ModelConfig]
    http: HttpConfig = HttpConfig()
    management_port: int | None = MANAGEMENT_PORT
    capture: CaptureConfig | None = None
    storage: StorageConfig = StorageConfig()
    cache_dir: str | None = None
    """Where fetched artifacts are kept; a temporary folder without it."""


class DatasetConfig(Config):
    """Held-out records."""

    uri: str
    label_column: str
    rows: int | None = None
    seed: int = 0


class LoadConfig(Config):
    """Closed loop by `concurrency`, or open loop by rate and duration."""

    concurrency: int | None = None
    requests_per_second: int | None = None
    duration_seconds: int | None = None


class ExpectConfig(Config):
    """A bound on a metric."""

    name: str
    min: float | None = None
    max: float | None = None


class SkewConfig(Config):
    """The model that the test loads itself."""

    model: ModelConfig
    tolerance: float = 1e-6


class TestConfig(Config):
    """`moorage-runtime test`."""

    __test__ = False

    name: str = "test"
    namespace: str = "default"
    revision: str = ""
    """Revision of the spec (of the run)."""
    url: str
    """Base URL of the endpoint."""
    model: str
    expected_digest: str | None = None
    """sha256 pinned by the manifest; the live model must have it."""
    token_dir: str | None = None
    """Folder with `token`."""
    ca_dir: str | None = None
    """Folder with `ca.crt`."""
    dataset: DatasetConfig
    load: LoadConfig = LoadConfig()
    expect: list[ExpectConfig] = Field(default_factory=list)
    negative: bool = False
    capture: CaptureConfig | None = None
    """The serving's capture stream, where the round trip is to be checked."""
    skew: SkewConfig | None = None
    report_uri: str | None = None
    storage: StorageConfig = StorageConfig()


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


class ServeStatus(Config):
    """What `GET /moorage/v1/status` answers for role serve."""

    role: Literal["serve"] = "serve"
    name: str
    namespace: str
    revision: str
    ready: bool
    models: list[ModelStatus]
    capture: CaptureStatus | None = None


class MetricResult(Config):
    """One figure of a test; value in `unit`."""

    name: str
    value: float
    unit: str | None = None
    passed: bool | None = None
    """None where nothing was expected of it."""
    min: float | None = None
    max: float | None = None


class ProbeResult(Config):
    """A check beside the records."""

    name: str
    passed: bool
    message: str | None = None


class TestStatus(Config):
    """What a test writes to its termination log (≤ 4 KiB); the whole report goes to `report_uri`."""

    __test__ = False

    role: Literal["test"] = "test"
    name: str
    namespace: str
    revision: str
    verdict: Literal["Passed", "Failed", "Error"]
    message: str
    metrics: list[MetricResult] = Field(default_factory=list)
    probes: list[ProbeResult] = Field(default_factory=list)
    report_uri: str | None = None
    serving_revision: str | None = None
    finished_at: str
    """RFC 3339, UTC."""
