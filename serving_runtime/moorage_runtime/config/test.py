"""Config and status of the role test."""

from typing import Literal

from pydantic import Field

from moorage_runtime.config.base import CaptureConfig, Config, ModelConfig, StorageConfig


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
