"""ModelTest: held-out records sent to the live endpoint, and a verdict."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from moorage_api.base import ApiModel
from moorage_api.model_serving import ModelName
from moorage_api.shared import Condition, Decimal, LocalRef, Name, ObjectMeta, Pod, Storage, Uri


class ServingRef(ApiModel):
    """A model of a ModelServing in the same namespace."""

    name: Name
    """Name of the ModelServing."""
    model: ModelName | None = None
    """Name of the model; may be left out where there is only one."""


class Endpoint(ApiModel):
    """An HTTP address outside Moorage."""

    url: Annotated[str, Field(max_length=2048, pattern=r"^https?://")]
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

    concurrency: Annotated[int, Field(ge=1, le=256)] | None = None
    """Closed loop: requests under way at any time. Default 1."""
    requests_per_second: Annotated[int, Field(ge=1, le=100000)] | None = None
    """Open loop: requests start at this rate whatever the answers do."""
    duration_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """Open loop: for how long."""


class Expectation(ApiModel):
    """A bound on one metric of the report; at least one of min and max."""

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
    tolerance: Decimal = "0.000001"
    """Greatest absolute difference of a number that counts as equal, quoted."""


class Probes(ApiModel):
    """Checks beside the records."""

    negative: bool = False
    """Malformed requests must get the right 4xx."""
    capture_round_trip: bool = False
    """Every request must appear in the capture stream."""
    offline_skew: OfflineSkew | None = None
    """Live answers must equal offline ones."""


class TriggerType(StrEnum):
    """When a test runs."""

    ONCE = "Once"
    SCHEDULE = "Schedule"


class Trigger(ApiModel):
    """When the test runs; `Once` for each edit of the spec."""

    type: TriggerType = TriggerType.ONCE
    """Once or Schedule."""
    schedule: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Cron expression of five fields."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """IANA name; the cluster's own without it."""


class Report(ApiModel):
    """Where the whole report goes."""

    uri: Uri
    """A folder: s3://, pvc:// or file:///."""


class ModelTestSpec(ApiModel):
    """What to send, how, and what to expect. Exactly one of servingRef and endpoint."""

    serving_ref: ServingRef | None = None
    """A ModelServing of the same namespace."""
    endpoint: Endpoint | None = None
    """Any other server."""
    dataset: Dataset
    """Held-out records."""
    load: Load = Load()
    """How they are sent."""
    expect: Annotated[list[Expectation], Field(max_length=32)] = []
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


class Verdict(StrEnum):
    """The answer of a test."""

    PASSED = "Passed"
    FAILED = "Failed"
    ERROR = "Error"


class Metric(ApiModel):
    """One figure of a finished run."""

    name: str
    value: str
    unit: str | None = None
    passed: bool | None = None


class Run(ApiModel):
    """A finished run."""

    name: str
    finished_at: str
    revision: str | None = None
    verdict: Verdict


class ModelTestStatus(ApiModel):
    """What was observed."""

    observed_generation: int | None = None
    conditions: list[Condition] = []
    verdict: Verdict | None = None
    metrics: list[Metric] = []
    report_uri: str | None = None
    history: list[Run] = []


class ModelTest(ApiModel):
    """A ModelTest object."""

    metadata: ObjectMeta
    spec: ModelTestSpec
    status: ModelTestStatus | None = None
