"""Config and status of the role drift."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from moorage_runtime.config.base import (
    MANAGEMENT_PORT,
    Config,
    StorageConfig,
    StreamConfig,
    TensorConfig,
)

Statistic = Literal["psi", "tvd", "hellinger", "js", "kl", "ks"]
Detector = Literal["DDM", "EDDM", "PageHinkley", "ADWIN"]


class ReferenceConfig(Config):
    """What current rows are compared with: a table, or the first rows of the stream."""

    uri: str | None = None
    first_rows: int | None = None


class WindowConfig(Config):
    """Tumbling windows: of `rows` rows of a partition, or of `seconds` of event time over all partitions."""

    rows: int | None = None
    seconds: int | None = None
    allowed_lateness_seconds: int = 30


class DecisionConfig(Config):
    """When a feature has drifted."""

    false_discovery_rate: float = 0.01
    minimum_effect: float = 0.1
    consecutive_windows: int = 2


class FeaturesConfig(Config):
    """Which features are watched (shell patterns), and which of them are categories although they are numbers."""

    include: list[str] = Field(default_factory=lambda: ["*"])
    exclude: list[str] = Field(default_factory=list)
    categorical: list[str] = Field(default_factory=list)


class LabelsConfig(Config):
    """The topic of true answers."""

    stream: StreamConfig
    key_field: str | None = None
    """Field of the label that is a prediction's `REQUEST_ID/ROW` (or `REQUEST_ID` of one row); by default the
    message's key, else the field `id`."""
    label_field: str = "label"
    ttl_seconds: int = 86400
    """How long a prediction waits for its label, in event time."""


class DetectorConfig(Config):
    """One concept-drift detector on the stream of errors."""

    name: str
    type: Detector
    parameters: dict[str, Any] = Field(default_factory=dict)


class ConceptDriftConfig(Config):
    """Labels that come later, and what watches the errors."""

    labels: LabelsConfig
    detectors: list[DetectorConfig]


class HttpTargetConfig(Config):
    """An HTTP address with its credentials: folders with `token`, with `username` and `password`, with `ca.crt`."""

    url: str
    token_dir: str | None = None
    basic_auth_dir: str | None = None
    ca_dir: str | None = None


class TimeseriesConfig(Config):
    """A time-series database: Prometheus remote-write at `target.url`, or InfluxDB's base URL and `database`."""

    name: str
    protocol: Literal["prometheusRemoteWrite", "influx"]
    target: HttpTargetConfig
    database: str | None = None


class ObjectStoreConfig(Config):
    """History as Parquet; a file ends at `rows` rows or after `seconds` of event time."""

    uri: str
    rows: int = 10000
    seconds: int = 30


class AlertConfig(Config):
    """Where a change of state is told: exactly one of the two."""

    name: str
    webhook: HttpTargetConfig | None = None
    stream: StreamConfig | None = None


class DriftConfig(Config):
    """`moorage-runtime drift`."""

    name: str = "drift"
    """Name of the DriftMonitor."""
    namespace: str = "default"
    revision: str = ""
    model: str
    """Events of other models are counted and skipped."""
    stream: StreamConfig
    group: str = ""
    """Consumer group; by default `moorage.NAMESPACE.NAME`."""
    start: Literal["latest", "earliest"] = "latest"
    """Where to begin without a checkpoint."""
    reference: ReferenceConfig
    window: WindowConfig = WindowConfig(rows=1000)
    features: list[TensorConfig] | None = None
    """The model's features as declared: names for events that carry none (MLRun's)."""
    outputs: list[TensorConfig] | None = None
    watched: FeaturesConfig = FeaturesConfig()
    statistics: list[Statistic] = ["psi", "tvd", "hellinger", "js", "kl", "ks"]
    decision: DecisionConfig = DecisionConfig()
    mlrun_compatible: bool = False
    data_drift: bool = True
    prediction_drift: bool = False
    concept_drift: ConceptDriftConfig | None = None
    timeseries: list[TimeseriesConfig] = Field(default_factory=list)
    object_store: ObjectStoreConfig | None = None
    alerts: list[AlertConfig] = Field(default_factory=list)
    checkpoint_uri: str
    """A folder."""
    storage: StorageConfig = StorageConfig()
    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached from outside
    management_port: int | None = MANAGEMENT_PORT


class DriftState(StrEnum):
    """What is known of a drift; ordered None < Possible < Detected."""

    UNKNOWN = "Unknown"
    """No window has been judged yet."""
    NONE = "None"
    POSSIBLE = "Possible"
    DETECTED = "Detected"


class FeatureStatus(Config):
    """One feature (or prediction) in the last window."""

    name: str
    role: Literal["feature", "prediction"] = "feature"
    statistic: str = "tvd"
    """Name of the statistic that `value` is: the effect of the decision."""
    value: float
    p_value: float
    state: DriftState


class DriftAspect(Config):
    """Data, prediction or concept drift as a whole."""

    state: DriftState = DriftState.UNKNOWN
    message: str = ""
    """Names the features or detectors at fault; no measured values."""


class WindowStatus(Config):
    """The window that was judged last; RFC 3339, UTC, of event time."""

    start: str
    end: str
    rows: int


class SinkStatus(Config):
    """Counts of points, files or alerts since the start."""

    name: str
    delivered: int = 0
    pending: int = 0
    dropped: int = 0
    error: str | None = None
    """The other side's words, while it is failing."""


class DriftStatus(Config):
    """What `GET /moorage/v1/status` answers for role drift.

    Numbers are refreshed every 30 s, and at once when a state changes.
    """

    role: Literal["drift"] = "drift"
    name: str
    namespace: str
    revision: str
    ready: bool
    error: str | None = None
    """Why it does not consume, for a person."""
    reason: str | None = None
    """Of `error`: ReferenceFailed, StreamFailed or CheckpointFailed."""
    drift: DriftState = DriftState.UNKNOWN
    """The worst of the three."""
    data: DriftAspect | None = None
    """None where it is not watched."""
    prediction: DriftAspect | None = None
    concept: DriftAspect | None = None
    features: list[FeatureStatus] = Field(default_factory=list)
    """The ten worst of the last window."""
    last_window: WindowStatus | None = None
    windows: int = 0
    lag: int | None = None
    """Messages behind the end of the stream."""
    rows: int = 0
    skipped: dict[str, int] = Field(default_factory=dict)
    """Events or rows that were not used, by reason."""
    sinks: list[SinkStatus] = Field(default_factory=list)
