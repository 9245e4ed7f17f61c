"""ModelTest: held-out records sent to the live endpoint, and a verdict."""

from typing import Annotated

from pydantic import Field

from moorage_api.base import ApiEnum, ApiModel, ListMap, Rule
from moorage_api.model_serving import ModelName, ServingRef
from moorage_api.pod import Pod
from moorage_api.schedule import RULE as CRON
from moorage_api.schedule import Schedule, TimeZone
from moorage_api.shared import (
    Condition,
    Decimal,
    FolderUri,
    HttpUrl,
    LocalRef,
    ObjectMeta,
    PositiveDecimal,
    Storage,
    Text,
    Uri,
)


class Endpoint(ApiModel):
    """An HTTP address outside Moorage."""

    url: HttpUrl
    """Base URL of a server that speaks the Open Inference Protocol."""
    model: ModelName
    """Name of the model in the URL."""
    bearer_token_secret_ref: LocalRef | None = None
    """Secret whose `token` is sent as a bearer token."""
    ca_secret_ref: LocalRef | None = None
    """Secret whose `ca.crt` verifies the server."""


class Dataset(ApiModel):
    """Held-out records."""

    uri: Uri
    """Parquet, CSV or NDJSON."""
    label_column: Annotated[str, Field(min_length=1, max_length=253)]
    """Column with the true answer."""
    rows: Annotated[int, Field(ge=1, le=1000000)] | None = None
    """How many records are sampled; all without it."""
    seed: Annotated[int, Field(ge=0, le=4294967295)] = 0
    """Seed of the sample."""


class Load(ApiModel):
    """How the records are sent: closed loop by concurrency, open loop by rate."""

    rules = (
        Rule(
            "has(self.requestsPerSecond) == has(self.durationSeconds)",
            lambda load: (load.requests_per_second is None) == (load.duration_seconds is None),
            "requestsPerSecond and durationSeconds go together (open loop)",
        ),
        Rule(
            "!(has(self.concurrency) && has(self.requestsPerSecond))",
            lambda load: load.concurrency is None or load.requests_per_second is None,
            "concurrency (closed loop) and requestsPerSecond (open loop) exclude each other",
        ),
    )

    concurrency: Annotated[int, Field(ge=1, le=256)] | None = None
    """Closed loop: requests under way at any time. Default 1."""
    requests_per_second: Annotated[int, Field(ge=1, le=100000)] | None = None
    """Open loop: requests start at this rate whatever the answers do."""
    duration_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """Open loop: for how long."""


class Expectation(ApiModel):
    """A bound on one metric of the report; at least one of min and max."""

    rules = (
        Rule(
            "has(self.min) || has(self.max)",
            lambda expected: expected.min is not None or expected.max is not None,
            "min, max or both",
        ),
        Rule(
            "!(has(self.min) && has(self.max)) || double(self.min) <= double(self.max)",
            lambda expected: float(expected.min or "-inf") <= float(expected.max or "inf"),
            "min is greater than max",
            "min",
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z][a-z0-9_]*$")]
    """The metric: accuracy, f1_macro, mean_absolute_error, latency_p95_milliseconds, errors …"""
    min: Decimal | None = None
    """The least value that passes, quoted."""
    max: Decimal | None = None
    """The greatest value that passes, quoted."""


class OfflineSkew(ApiModel):
    """Compare live answers with those of the model loaded by the test itself."""

    uri: Uri
    """The model's artifact."""
    tolerance: PositiveDecimal = "0.000001"
    """Greatest absolute difference of a number that counts as equal, quoted."""


class Probes(ApiModel):
    """Checks beside the records."""

    negative: bool = False
    """Malformed requests must get the right 4xx."""
    capture_round_trip: bool = False
    """Every request must appear in the capture stream."""
    offline_skew: OfflineSkew | None = None
    """Live answers must equal offline ones."""


class TriggerType(ApiEnum):
    """When a test runs."""

    ONCE = "Once"
    SCHEDULE = "Schedule"


class Trigger(ApiModel):
    """When the test runs; `Once` for each edit of the spec."""

    rules = (
        Rule(
            "(self.type == 'Schedule') == has(self.schedule)",
            lambda trigger: (trigger.type is TriggerType.SCHEDULE) == (trigger.schedule is not None),
            "type Schedule needs a schedule, and no other type takes it",
            "schedule",
        ),
        Rule(
            "!has(self.timeZone) || self.type == 'Schedule'",
            lambda trigger: trigger.time_zone is None or trigger.type is TriggerType.SCHEDULE,
            "only type Schedule takes a timeZone",
            "timeZone",
        ),
        CRON,
    )

    type: TriggerType = TriggerType.ONCE
    """Once or Schedule."""
    schedule: Schedule | None = None
    """Cron expression of five fields."""
    time_zone: TimeZone | None = None
    """IANA name; the cluster's own without it."""


class Report(ApiModel):
    """Where the whole report goes."""

    uri: FolderUri
    """A folder: s3://, pvc:// or file:///."""


class ModelTestSpec(ApiModel):
    """What to send, how, and what to expect. Exactly one of servingRef and endpoint."""

    rules = (
        Rule(
            "has(self.servingRef) != has(self.endpoint)",
            lambda spec: (spec.serving_ref is None) != (spec.endpoint is None),
            "exactly one of servingRef and endpoint",
        ),
        Rule(
            "has(self.servingRef) || !has(self.probes) || !self.probes.captureRoundTrip",
            lambda spec: spec.serving_ref is not None or not spec.probes.capture_round_trip,
            "only a servingRef has a capture stream",
            "probes.captureRoundTrip",
        ),
        Rule(
            "has(self.servingRef) || !has(self.probes) || !has(self.probes.offlineSkew)",
            lambda spec: spec.serving_ref is not None or spec.probes.offline_skew is None,
            "only a servingRef says how to load its model",
            "probes.offlineSkew",
        ),
    )

    serving_ref: ServingRef | None = None
    """A ModelServing of the same namespace."""
    endpoint: Endpoint | None = None
    """Any other server."""
    dataset: Dataset
    """Held-out records."""
    load: Load = Load()
    """How they are sent."""
    expect: Annotated[list[Expectation], Field(max_length=32), ListMap("name")] = []
    """Bounds that decide the verdict."""
    probes: Probes = Probes()
    """Checks beside the records."""
    trigger: Trigger = Trigger()
    """When the test runs."""
    report: Report | None = None
    """Where the whole report goes."""
    storage: Storage | None = None
    """Object storage of data set, offline model and report."""
    pod: Pod | None = None
    """Settings of the pod."""


class Verdict(ApiEnum):
    """The answer of a test."""

    PASSED = "Passed"
    FAILED = "Failed"
    ERROR = "Error"


class Metric(ApiModel):
    """One figure of a finished run."""

    name: Text
    """Name of the metric."""
    value: Text
    """Its value as a decimal."""
    unit: Text | None = None
    """ratio, milliseconds, count …"""
    passed: bool | None = None
    """Whether it is within its bounds; absent where nothing was expected."""


class Run(ApiModel):
    """A finished run."""

    name: Text
    """Name of its Job."""
    finished_at: Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
    """When it ended."""
    revision: Text | None = None
    """Revision of the serving that it met."""
    verdict: Verdict
    """Its answer."""


class ModelTestStatus(ApiModel):
    """What was observed."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16), ListMap("type")] = []
    """Ready, Reconciling, Stalled and Passed."""
    verdict: Verdict | None = None
    """Answer of the last finished run."""
    metrics: Annotated[list[Metric], Field(max_length=128), ListMap("name")] = []
    """Figures of the last finished run."""
    report_uri: Text | None = None
    """Where its whole report lies."""
    history: Annotated[list[Run], Field(max_length=10)] = []
    """The last ten runs, the newest first."""


class ModelTest(ApiModel):
    """Held-out records sent to a live endpoint, and a verdict."""

    metadata: ObjectMeta
    """Name and namespace."""
    spec: ModelTestSpec
    """What to send, how, and what to expect."""
    status: ModelTestStatus | None = None
    """What was observed."""
