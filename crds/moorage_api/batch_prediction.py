"""BatchPrediction: the predictions of a model over a data set, once or by a schedule."""

from typing import Annotated

from pydantic import Field

from moorage_api.base import ApiEnum, ApiModel, ListMap, ListSet, Rule
from moorage_api.model_serving import Model, ServingRef
from moorage_api.pod import Pod
from moorage_api.schedule import RULE as CRON
from moorage_api.schedule import Schedule, TimeZone
from moorage_api.shared import Condition, FolderUri, ObjectMeta, Storage, Text, Uri

ColumnName = Annotated[str, Field(min_length=1, max_length=253)]
_TIME = {"format": "date-time"}


class FileFormat(ApiEnum):
    """How a data set is written."""

    PARQUET = "parquet"
    CSV = "csv"
    NDJSON = "ndjson"


class Input(ApiModel):
    """The data set."""

    uri: Uri
    """A file, a folder, or a path with * in its last part."""
    format: FileFormat | None = None
    """By the files' suffix without it."""
    columns: Annotated[dict[str, ColumnName], Field(max_length=4096)] = {}
    """Feature to column, where the names differ."""


class Output(ApiModel):
    """Where the predictions go."""

    uri: FolderUri
    """A folder of this prediction alone."""
    keep: Annotated[list[ColumnName], Field(max_length=1024), ListSet()] = []
    """Columns of the input that are written beside the predictions."""


class ConcurrencyPolicy(ApiEnum):
    """What happens where a scheduled run meets one that is still under way."""

    FORBID = "Forbid"
    REPLACE = "Replace"


class BatchPredictionSpec(ApiModel):
    """What to predict with which model. Exactly one of servingRef and model."""

    rules = (
        Rule(
            "has(self.servingRef) != has(self.model)",
            lambda spec: (spec.serving_ref is None) != (spec.model is None),
            "exactly one of servingRef and model",
        ),
        CRON,
        Rule(
            "has(self.schedule) || !has(self.timeZone)",
            lambda spec: spec.schedule is not None or spec.time_zone is None,
            "only a schedule has a timeZone",
            "timeZone",
        ),
        Rule(
            "has(self.schedule) || !has(self.concurrencyPolicy)",
            lambda spec: spec.schedule is not None or spec.concurrency_policy is None,
            "only a schedule has a concurrencyPolicy",
            "concurrencyPolicy",
        ),
        Rule(
            "!self.input.uri.startsWith(self.output.uri.endsWith('/') ? self.output.uri : self.output.uri + '/')",
            lambda spec: not spec.input.uri.startswith(f"{spec.output.uri.removesuffix('/')}/"),
            "the data set lies in this folder, which is for the predictions alone",
            "output.uri",
        ),
    )

    serving_ref: ServingRef | None = None
    """A model of a ModelServing of the same namespace, as its manifest has it."""
    model: Model | None = None
    """A model of its own."""
    runtime: (
        Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
        | None
    ) = None
    """A ModelRuntime or ClusterModelRuntime by name; otherwise the framework decides."""
    input: Input
    """The data set."""
    output: Output
    """Where the predictions go."""
    parallelism: Annotated[int, Field(ge=1, le=1000)] = 1
    """Workers at once."""
    schedule: Schedule | None = None
    """Cron expression of five fields; once for each edit of the spec without it."""
    time_zone: TimeZone | None = None
    """IANA name; the cluster's own without it."""
    concurrency_policy: ConcurrencyPolicy | None = None
    """Forbid (the default) or Replace."""
    suspend: bool = False
    """Start no workers; without a schedule those that run are ended. What is done is kept."""
    storage: Storage | None = None
    """Object storage of data set, model and predictions."""
    pod: Pod | None = None
    """Settings of the pods."""


class BatchPredictionStatus(ApiModel):
    """What was observed; counts are written at most every 10 s."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16), ListMap("type")] = []
    """Ready, Reconciling and Stalled."""
    rows_total: int | None = None
    """Rows of the data set."""
    rows_done: int | None = None
    """Rows predicted and written."""
    fragments_total: int | None = None
    """Parts that the data set was cut into."""
    fragments_done: int | None = None
    """Parts that are finished."""
    started_at: Annotated[str, Field(max_length=64, json_schema_extra=_TIME)] | None = None
    """When the run began."""
    finished_at: Annotated[str, Field(max_length=64, json_schema_extra=_TIME)] | None = None
    """When the run ended."""
    estimated_finish_at: Annotated[str, Field(max_length=64, json_schema_extra=_TIME)] | None = None
    """When it will, at its present rate."""
    run: Text | None = None
    """Id of the run: changes with the spec, the data set and the model."""
    output_uri: Text | None = None
    """Folder of the run's files."""
    revision: Text | None = None
    """Hash of the spec that the last Job was made of."""
    last_schedule_at: Annotated[str, Field(max_length=64, json_schema_extra=_TIME)] | None = None
    """When a scheduled run last began."""


class BatchPrediction(ApiModel):
    """The predictions of a model over a data set."""

    metadata: ObjectMeta
    """Name and namespace."""
    spec: BatchPredictionSpec
    """What to predict with which model."""
    status: BatchPredictionStatus | None = None
    """What was observed."""
