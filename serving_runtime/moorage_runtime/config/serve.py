"""Config and status of the role serve."""

from typing import Literal

from moorage_runtime.config.base import (
    HTTP_PORT,
    MANAGEMENT_PORT,
    CaptureConfig,
    CaptureStatus,
    Config,
    ModelConfig,
    ModelStatus,
    StorageConfig,
)


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


class ServeStatus(Config):
    """What `GET /moorage/v1/status` answers for role serve."""

    role: Literal["serve"] = "serve"
    name: str
    namespace: str
    revision: str
    ready: bool
    models: list[ModelStatus]
    capture: CaptureStatus | None = None
