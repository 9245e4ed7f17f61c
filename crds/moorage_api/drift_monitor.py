"""DriftMonitor: workers that read captured events, judge them window by window and tell what has drifted."""

from typing import Annotated

from pydantic import Field

from moorage_api.base import ApiEnum, ApiModel, ListMap, ListSet, Rule
from moorage_api.model_serving import ModelName, ServingRef
from moorage_api.pod import Pod
from moorage_api.shared import (
    Condition,
    Decimal,
    FolderUri,
    FreeForm,
    HttpTarget,
    Kafka,
    ObjectMeta,
    Storage,
    Text,
    Uri,
)

EntryName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Share = Annotated[str, Field(max_length=16, pattern=r"^(0?\.[0-9]{1,10}|0(\.0{1,10})?|1(\.0{1,10})?)$")]
"""A share from 0 to 1, quoted."""
FieldName = Annotated[str, Field(min_length=1, max_length=253)]


class EventStream(ApiModel):
    """A topic of captured events; native, MLRun V1 and MLRun V2 events are told apart by themselves."""

    kafka: Kafka
    """The topic."""
    model: ModelName
    """Events of other models are counted and skipped."""


class StartFrom(ApiEnum):
    """Where a monitor without a checkpoint begins."""

    LATEST = "Latest"
    EARLIEST = "Earliest"


class Reference(ApiModel):
    """What current rows are compared with: exactly one of the two. Summarised once, kept beside the checkpoint."""

    rules = (
        Rule(
            "has(self.uri) != has(self.firstRows)",
            lambda reference: (reference.uri is None) != (reference.first_rows is None),
            "exactly one of uri and firstRows",
        ),
    )

    uri: Uri | None = None
    """Parquet, CSV or NDJSON with the model's features as columns."""
    first_rows: Annotated[int, Field(ge=100, le=10000000)] | None = None
    """The first rows of the stream."""


class Window(ApiModel):
    """Tumbling windows: exactly one of rows and seconds."""

    rules = (
        Rule(
            "has(self.rows) != has(self.seconds)",
            lambda window: (window.rows is None) != (window.seconds is None),
            "exactly one of rows and seconds",
        ),
        Rule(
            "!has(self.allowedLatenessSeconds) || has(self.seconds)",
            lambda window: window.allowed_lateness_seconds is None or window.seconds is not None,
            "only a window of seconds has late rows",
            "allowedLatenessSeconds",
        ),
    )

    rows: Annotated[int, Field(ge=50, le=100000000)] | None = None
    """Rows of one partition, in their order."""
    seconds: Annotated[int, Field(ge=1, le=604800)] | None = None
    """Seconds of event time, over all partitions."""
    allowed_lateness_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    """How long a window of seconds waits for late rows; 30 without it."""


class StatisticName(ApiEnum):
    """Distances between the current and the reference distribution."""

    PSI = "psi"
    TVD = "tvd"
    HELLINGER = "hellinger"
    JS = "js"
    KL = "kl"
    KS = "ks"


class Decision(ApiModel):
    """When something has drifted: significant after Benjamini-Hochberg, and of at least some effect."""

    false_discovery_rate: Share = "0.01"
    """Bound of the share of false alarms among a window's alarms, quoted."""
    minimum_effect: Share = "0.1"
    """Least total variation distance that counts, quoted."""
    consecutive_windows: Annotated[int, Field(ge=1, le=100)] = 2
    """Windows running before Possible becomes Detected."""


class Features(ApiModel):
    """Which features are watched, by shell patterns."""

    include: Annotated[list[FieldName], Field(min_length=1, max_length=256), ListSet()] = ["*"]
    """Watched features."""
    exclude: Annotated[list[FieldName], Field(max_length=256), ListSet()] = []
    """Features that are not watched all the same."""
    categorical: Annotated[list[FieldName], Field(max_length=256), ListSet()] = []
    """Numbers that stand for categories; text, booleans and integers of few values are so anyway."""


class DataDrift(ApiModel):
    """How features are compared."""

    statistics: Annotated[list[StatisticName], Field(min_length=1, max_length=16), ListSet()] = list(
        StatisticName
    )
    """Values that are reported; the decision does not depend on them."""
    decision: Decision = Decision()
    """When a feature or a prediction has drifted."""
    features: Features = Features()
    """Which features are watched."""
    mlrun_compatible: bool = False
    """Report MLRun's general_drift and its .5/.7 status as well."""


class PredictionDrift(ApiModel):
    """Compare predictions too, by the decision of dataDrift.

    The reference is its column of the output's name; without one, the first predictions of the stream.
    """


class Labels(ApiModel):
    """True answers that come later."""

    kafka: Kafka
    """The topic; a message is JSON with a key and a label."""
    key_field: FieldName | None = None
    """Field that holds REQUEST_ID/ROW; without it the message's key, else its field `id`."""
    label_field: FieldName = "label"
    """Field that holds the true answer."""
    ttl_seconds: Annotated[int, Field(ge=1, le=2592000)] = 86400
    """How long a prediction waits for its label."""


class DetectorType(ApiEnum):
    """Concept-drift detectors."""

    DDM = "DDM"
    EDDM = "EDDM"
    PAGE_HINKLEY = "PageHinkley"
    ADWIN = "ADWIN"


class Detector(ApiModel):
    """A detector on the stream of errors."""

    name: EntryName
    """Name in series and messages."""
    type: DetectorType
    """Which one."""
    parameters: FreeForm | None = None
    """Its parameters; the defaults are those of the literature."""


class ConceptDrift(ApiModel):
    """Watch the model's errors."""

    labels: Labels
    """True answers."""
    detectors: Annotated[list[Detector], Field(min_length=1, max_length=8), ListMap("name")]
    """What watches the errors."""


class Influx(HttpTarget):
    """InfluxDB's line protocol; `url` is the server's base URL."""

    database: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
    """Name of the database."""


class Timeseries(ApiModel):
    """A time-series database: exactly one of the two."""

    rules = (
        Rule(
            "has(self.prometheusRemoteWrite) != has(self.influx)",
            lambda sink: (sink.prometheus_remote_write is None) != (sink.influx is None),
            "exactly one of prometheusRemoteWrite and influx",
        ),
    )

    name: EntryName
    """Name in messages and metrics."""
    prometheus_remote_write: HttpTarget | None = None
    """Prometheus, VictoriaMetrics, Mimir, Thanos …; `url` is the whole address."""
    influx: Influx | None = None
    """InfluxDB 1.x and what speaks its line protocol."""


class Rotate(ApiModel):
    """When a Parquet file ends."""

    rows: Annotated[int, Field(ge=100, le=10000000)] = 10000
    """After so many rows."""
    seconds: Annotated[int, Field(ge=1, le=86400)] = 30
    """After so many seconds of event time, or without traffic."""


class ObjectStore(ApiModel):
    """History as Parquet: events and windows."""

    uri: FolderUri
    """A folder."""
    rotate: Rotate = Rotate()
    """When a file ends."""


class Alert(ApiModel):
    """Where a change of state is told, at least once and with an id: exactly one of the two."""

    rules = (
        Rule(
            "has(self.webhook) != has(self.kafka)",
            lambda alert: (alert.webhook is None) != (alert.kafka is None),
            "exactly one of webhook and kafka",
        ),
    )

    name: EntryName
    """Name in messages and metrics."""
    webhook: HttpTarget | None = None
    """JSON is posted to it."""
    kafka: Kafka | None = None
    """A topic."""


class Sinks(ApiModel):
    """Where results go, beside /metrics and the status."""

    timeseries: Annotated[list[Timeseries], Field(max_length=8), ListMap("name")] = []
    """Time-series databases."""
    object_store: ObjectStore | None = None
    """History."""
    alerts: Annotated[list[Alert], Field(max_length=8), ListMap("name")] = []
    """Who is told of changes."""


class Checkpoint(ApiModel):
    """Where positions and state are kept."""

    uri: FolderUri
    """A folder of this monitor alone."""


class DriftMonitorSpec(ApiModel):
    """What to watch, against what, and whom to tell. Exactly one of servingRef and stream."""

    rules = (
        Rule(
            "has(self.servingRef) != has(self.stream)",
            lambda spec: (spec.serving_ref is None) != (spec.stream is None),
            "exactly one of servingRef and stream",
        ),
        Rule(
            "has(self.checkpoint) || (has(self.sinks) && has(self.sinks.objectStore))",
            lambda spec: spec.checkpoint is not None or spec.sinks.object_store is not None,
            "needed where sinks.objectStore, whose folder it would be in, is not given",
            "checkpoint",
        ),
    )

    serving_ref: ServingRef | None = None
    """A ModelServing of the same namespace; its capture stream is read."""
    stream: EventStream | None = None
    """A stream of captured events."""
    start_from: StartFrom = StartFrom.LATEST
    """Where to begin without a checkpoint."""
    reference: Reference
    """What current rows are compared with."""
    window: Window
    """What is judged at once."""
    data_drift: DataDrift = DataDrift()
    """How features are compared."""
    prediction_drift: PredictionDrift | None = None
    """Compare predictions too; an empty object is enough."""
    concept_drift: ConceptDrift | None = None
    """Watch the errors too."""
    sinks: Sinks = Sinks()
    """Where results go."""
    checkpoint: Checkpoint | None = None
    """Where positions and state are kept; _checkpoint/ in the object store's folder without it."""
    replicas: Annotated[int, Field(ge=0, le=1)] = 1
    """Workers; 0 pauses the monitor, and the checkpoint stays."""
    storage: Storage | None = None
    """Object storage of reference, history and checkpoint."""
    pod: Pod | None = None
    """Settings of the pods."""


class Drift(ApiEnum):
    """What is known of a drift."""

    NONE = "None"
    POSSIBLE = "Possible"
    DETECTED = "Detected"


class FeatureState(ApiModel):
    """One feature or prediction in the last window."""

    name: Text
    """Its name."""
    role: Text | None = None
    """feature or prediction."""
    statistic: Text
    """What `value` is."""
    value: Decimal
    """The effect."""
    p_value: Decimal
    """Before the correction for the number of features."""
    state: Drift
    """None, Possible or Detected."""


class LastWindow(ApiModel):
    """The window that was judged last."""

    start: Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
    """Its first event."""
    end: Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
    """Its last event."""
    rows: int
    """Rows in it."""


class DriftMonitorStatus(ApiModel):
    """What was observed; numbers are rounded and written at most every 30 s."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16), ListMap("type")] = []
    """Ready, Reconciling, Stalled, DataDrift, PredictionDrift and ConceptDrift."""
    drift: Drift | None = None
    """The worst of what is watched; absent before the first window."""
    features: Annotated[list[FeatureState], Field(max_length=10)] = []
    """The ten worst of the last window."""
    last_window: LastWindow | None = None
    """The window that was judged last."""
    windows: int | None = None
    """Windows judged since the checkpoint was begun."""
    lag: int | None = None
    """Messages behind the end of the stream."""
    revision: Text | None = None
    """Hash of the desired pods."""


class DriftMonitor(ApiModel):
    """Watches the captured events of a model for drift."""

    metadata: ObjectMeta
    """Name and namespace."""
    spec: DriftMonitorSpec
    """What to watch, against what, and whom to tell."""
    status: DriftMonitorStatus | None = None
    """What was observed."""
