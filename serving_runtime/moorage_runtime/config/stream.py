"""Config and status of the role stream: predictions from a topic to a topic."""

from typing import Literal

from moorage_runtime.config.base import (
    MANAGEMENT_PORT,
    CaptureConfig,
    CaptureStatus,
    Config,
    ModelConfig,
    ModelStatus,
    StorageConfig,
    StreamConfig,
)


class StreamPredictConfig(Config):
    """`moorage-runtime stream`."""

    name: str = "moorage"
    """Name of the ModelServing."""
    namespace: str = "default"
    revision: str = ""
    models: list[ModelConfig]
    """A record says by its header `moorage-model` (or MLServer's `mlserver-model`), or an MLRun event's `model`,
    which one it is for; without that there must be only one."""
    input: StreamConfig
    group: str = ""
    """Consumer group; by default `moorage.NAMESPACE.NAME`."""
    output: StreamConfig
    dead_letter: StreamConfig
    delivery: Literal["AtLeastOnce", "ExactlyOnce"] = "AtLeastOnce"
    start: Literal["latest", "earliest"] = "earliest"
    capture: CaptureConfig | None = None
    storage: StorageConfig = StorageConfig()
    cache_dir: str | None = None
    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached from outside
    management_port: int | None = MANAGEMENT_PORT


class StreamPredictStatus(Config):
    """What `GET /moorage/v1/status` answers for role stream. Numbers are refreshed every 30 s."""

    role: Literal["stream"] = "stream"
    name: str
    namespace: str
    revision: str
    ready: bool
    error: str | None = None
    """Why it does not consume, for a person."""
    reason: str | None = None
    """Of `error`: StreamFailed, where a stream has failed; nothing while it starts."""
    models: list[ModelStatus]
    consumed: int = 0
    produced: int = 0
    dead_lettered: int = 0
    lag: int | None = None
    """Messages behind the end of the input."""
    records_per_second: float = 0.0
    capture: CaptureStatus | None = None
