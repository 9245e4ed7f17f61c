"""ModelServing: one or more models behind an HTTP endpoint, with an optional capture of what it sees."""

from typing import Annotated, Literal

from pydantic import Field

from moorage_api.base import ApiEnum, ApiModel, ListMap, Rule
from moorage_api.pod import Pod
from moorage_api.shared import (
    Condition,
    Decimal,
    FreeForm,
    Kafka,
    LocalRef,
    Name,
    ObjectMeta,
    Storage,
    Text,
    Uri,
)

ModelName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
RESERVED_MODEL_NAMES = ("v1", "v2", "metrics", "repository")
"""Names that would hide a path of the server."""


class ServingRef(ApiModel):
    """A model of a ModelServing in the same namespace."""

    name: Name
    """Name of the ModelServing."""
    model: ModelName | None = None
    """Name of the model; may be left out where there is only one."""


class Framework(ApiModel):
    """The library that the model was saved with; it picks the runtime."""

    name: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """sklearn, onnx or python, or any name that a ModelRuntime lists."""
    version: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[0-9]+(\.[0-9]+){0,3}$")] | None = (
        None
    )
    """Dotted prefix, quoted: "1" fits 1.7.2."""


class Code(ApiModel):
    """Python that the model needs: exactly one of the two."""

    rules = (
        Rule(
            "has(self.uri) != has(self.configMapRef)",
            lambda code: (code.uri is None) != (code.config_map_ref is None),
            "exactly one of uri and configMapRef",
        ),
    )

    uri: Uri | None = None
    """A .zip, .whl, .py file or a folder."""
    config_map_ref: LocalRef | None = None
    """A ConfigMap whose keys are file names."""


class Tensor(ApiModel):
    """A named column of a model's input or output."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """The column's name."""
    type: Literal[
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "string",
    ]
    """Type of one element."""
    shape: Annotated[list[Annotated[int, Field(ge=-1, le=2147483647)]], Field(max_length=8)] | None = None
    """Shape of one row's value; absent for a scalar, -1 for a variable dimension."""


class ModelSchema(ApiModel):
    """Names and types, where the artifact does not carry them."""

    features: Annotated[list[Tensor], Field(max_length=4096), ListMap("name")] | None = None
    """Input columns in the order in which the model takes them."""
    outputs: Annotated[list[Tensor], Field(max_length=256), ListMap("name")] | None = None
    """Output columns."""


class Model(ApiModel):
    """One model and where it comes from."""

    rules = (
        Rule(
            "!(self.name in ['v1', 'v2', 'metrics', 'repository'])",
            lambda model: model.name not in RESERVED_MODEL_NAMES,
            "v1, v2, metrics and repository are paths of the server",
            "name",
        ),
        Rule(
            "(self.framework.name == 'python') == has(self.pythonClass)",
            lambda model: (model.framework.name == "python") == (model.python_class is not None),
            "framework python needs pythonClass, and no other framework takes it",
            "pythonClass",
        ),
    )

    name: ModelName
    """The name in the URL."""
    uri: Uri
    """s3://, http(s)://, pvc://CLAIM/PATH or file:/// of a file or a folder."""
    framework: Framework
    """What the model was saved with."""
    version: (
        Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None
    ) = None
    """The user's own version of the model; part of replies and events."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)] | None = None
    """Digest that the artifact must have; a mismatch refuses to load."""
    code: Code | None = None
    """Python that the model needs."""
    python_class: (
        Annotated[
            str,
            Field(
                max_length=253,
                pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$",
            ),
        ]
        | None
    ) = None
    """MODULE:CLASS for framework python."""
    schema_: Annotated[ModelSchema | None, Field(alias="schema")] = None
    """Names and types of inputs and outputs."""
    parameters: FreeForm | None = None
    """Passed to the model's class or loader as they are."""


class ReadyWhen(ApiEnum):
    """When a pod counts as ready."""

    ALL_MODELS = "AllModels"
    ANY_MODEL = "AnyModel"


class Http(ApiModel):
    """Limits of the HTTP server."""

    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """A request that takes longer is answered 504."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=1073741824)] = 16777216
    """A larger body is answered 413."""
    max_in_flight: Annotated[int, Field(ge=1, le=65536)] = 1024
    """Beyond it a request is answered 503 with Retry-After."""
    ready_when: ReadyWhen = ReadyWhen.ALL_MODELS
    """Whether one failed model keeps the pod unready."""


class CaptureFormat(ApiEnum):
    """How captured events are written."""

    NATIVE = "native"
    MLRUN_V1 = "mlrun-v1"
    MLRUN_V2 = "mlrun-v2"
    CLOUDEVENTS = "cloudevents"


class Capture(ApiModel):
    """Where requests and predictions are written to."""

    kafka: Kafka
    """The topic."""
    format: CaptureFormat = CaptureFormat.NATIVE
    """Encoding of the events."""
    sample_ratio: Annotated[str, Field(max_length=8, pattern=r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$")] = "1.0"
    """Share of requests that are captured, 0 to 1, quoted."""


class StreamInput(ApiModel):
    """Where records come from: JSON rows, Open Inference bodies or MLRun events, told apart by themselves."""

    kafka: Kafka
    """The topic."""
    consumer_group: (
        Annotated[str, Field(min_length=1, max_length=249, pattern=r"^[A-Za-z0-9._-]+$")] | None
    ) = None
    """Name of the consumer group; moorage.NAMESPACE.NAME without it."""


class StreamOutput(ApiModel):
    """Where records go to."""

    kafka: Kafka
    """The topic."""


class Delivery(ApiEnum):
    """What a restart may do to the output."""

    AT_LEAST_ONCE = "AtLeastOnce"
    EXACTLY_ONCE = "ExactlyOnce"


def _where(kafka: Kafka) -> tuple[str, str]:
    return kafka.bootstrap_servers, kafka.topic


def _in_one_cluster(*topics: Kafka) -> bool:
    return len({kafka.bootstrap_servers for kafka in topics}) == 1


class Stream(ApiModel):
    """Predict from a topic to a topic."""

    rules = (
        Rule(
            "self.input.kafka.topic != self.output.kafka.topic "
            "|| self.input.kafka.bootstrapServers != self.output.kafka.bootstrapServers",
            lambda stream: _where(stream.input.kafka) != _where(stream.output.kafka),
            "is the input's topic: what is written would be read again",
            "output",
        ),
        Rule(
            "self.input.kafka.topic != self.deadLetter.kafka.topic "
            "|| self.input.kafka.bootstrapServers != self.deadLetter.kafka.bootstrapServers",
            lambda stream: _where(stream.input.kafka) != _where(stream.dead_letter.kafka),
            "is the input's topic: what is refused would be read again",
            "deadLetter",
        ),
        Rule(
            "!has(self.delivery) || self.delivery != 'ExactlyOnce' "
            "|| (self.input.kafka.bootstrapServers == self.output.kafka.bootstrapServers "
            "&& self.input.kafka.bootstrapServers == self.deadLetter.kafka.bootstrapServers)",
            lambda stream: (
                stream.delivery is not Delivery.EXACTLY_ONCE
                or _in_one_cluster(stream.input.kafka, stream.output.kafka, stream.dead_letter.kafka)
            ),
            "a transaction needs one cluster: ExactlyOnce takes the same bootstrapServers everywhere",
            "delivery",
        ),
    )

    input: StreamInput
    """Records to predict."""
    output: StreamOutput
    """Input and prediction."""
    dead_letter: StreamOutput
    """Records that cannot be predicted, as they came, with the error in a header."""
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    """ExactlyOnce uses Kafka transactions; consumers read it with isolation.level=read_committed."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Members of the consumer group; beyond the topic's partitions they are idle."""


class ModelServingSpec(ApiModel):
    """The desired endpoint."""

    models: Annotated[list[Model], Field(min_length=1, max_length=32), ListMap("name")]
    """Models served side by side; all must fit one runtime."""
    runtime: (
        Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
        | None
    ) = None
    """A ModelRuntime or ClusterModelRuntime by name; otherwise the frameworks decide."""
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Pods; without it 1, or what an autoscaler says. 0 scales to zero."""
    http: Http = Http()
    """Limits of the HTTP server."""
    capture: Capture | None = None
    """Where requests and predictions are written to."""
    stream: Stream | None = None
    """Predict from a topic to a topic, beside the endpoint."""
    storage: Storage | None = None
    """Object storage that models and code come from."""
    pod: Pod | None = None
    """Settings of the pods."""


class ModelState(ApiModel):
    """One model as the pods report it."""

    name: ModelName
    """Name of the model."""
    version: Text | None = None
    """The user's own version."""
    digest: Text | None = None
    """SHA-256 of the artifact that is loaded."""
    framework: Text | None = None
    """What the model was saved with."""
    predictor: Text | None = None
    """What answers: sklearn, onnxruntime, python …"""
    state: Literal["Ready", "Loading", "Failed"]
    """Life of the model."""
    reason: Text | None = None
    """Why it failed, as one CamelCase word."""
    message: Text | None = None
    """Why it failed, for a person."""


class Address(ApiModel):
    """Addressable, as KServe and Knative have it."""

    url: Text
    """Base URL inside the cluster."""


class StreamState(ApiModel):
    """The stream's workers; numbers are rounded and written at most every 30 s."""

    replicas: int | None = None
    """Pods that exist."""
    ready_replicas: int | None = None
    """Pods that consume."""
    lag: int | None = None
    """Records behind the end of the input."""
    records_per_second: Decimal | None = None
    """Records predicted."""
    dead_lettered: int | None = None
    """Records that could not be predicted, since the pods started."""


class ModelServingStatus(ApiModel):
    """What was observed."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16), ListMap("type")] = []
    """Ready, Reconciling, Stalled and Available."""
    url: Text | None = None
    """Base URL of the endpoint."""
    address: Address | None = None
    """The same, where KServe and Knative look for it."""
    models: Annotated[list[ModelState], Field(max_length=32), ListMap("name")] = []
    """The models as the pods report them."""
    runtime: Text | None = None
    """The ModelRuntime or ClusterModelRuntime that was chosen."""
    revision: Text | None = None
    """Hash of the desired pods."""
    replicas: int | None = None
    """Pods that exist."""
    ready_replicas: int | None = None
    """Pods that answer predictions."""
    selector: Text | None = None
    """Label selector of the pods, for the scale subresource."""
    stream: StreamState | None = None
    """The workers of spec.stream."""


class ModelServing(ApiModel):
    """One or more models behind an HTTP endpoint, with an optional capture of what it sees."""

    metadata: ObjectMeta
    """Name and namespace."""
    spec: ModelServingSpec
    """The desired endpoint."""
    status: ModelServingStatus | None = None
    """What was observed."""
