"""Config and status of the role batch: predictions over a data set."""

from typing import Literal

from pydantic import Field

from moorage_runtime.config.base import MANAGEMENT_PORT, Config, ModelConfig, StorageConfig


class BatchInputConfig(Config):
    """The data set: a file, a folder, or a path with * in it."""

    uri: str
    format: Literal["parquet", "csv", "ndjson"] | None = None
    """By the files' suffix without it."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Feature to column, where the names differ."""


class BatchPredictConfig(Config):
    """`moorage-runtime batch`."""

    name: str = "batch"
    """Name of the BatchPrediction."""
    namespace: str = "default"
    revision: str = ""
    """Revision of the spec; part of the run's id."""
    model: ModelConfig
    input: BatchInputConfig
    output_uri: str
    keep: list[str] = Field(default_factory=list)
    """Columns of the input that are written beside the predictions."""
    parallelism: int = 1
    """Workers in all; JOB_COMPLETION_INDEX of the environment says which one this is (0 without it)."""
    storage: StorageConfig = StorageConfig()
    cache_dir: str | None = None
    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached from outside
    management_port: int | None = MANAGEMENT_PORT


class BatchPredictStatus(Config):
    """What a worker answers while it runs, and writes to its termination log (≤ 4 KiB) when it ends.

    `rows_done` and `fragments_done` are this worker's own; the totals are the whole run's.
    """

    role: Literal["batch"] = "batch"
    name: str
    namespace: str
    revision: str
    index: int = 0
    run: str | None = None
    """Id of the run: changes with the spec, the input and the model."""
    state: Literal["Planning", "Predicting", "Finished", "Failed"] = "Planning"
    message: str = ""
    """Why it failed, for a person."""
    rows_total: int | None = None
    rows_done: int = 0
    fragments_total: int | None = None
    fragments_done: int = 0
    rows_rejected: int = 0
    output_uri: str | None = None
    """Folder of the run's files."""
    model_digest: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    """RFC 3339, UTC."""
