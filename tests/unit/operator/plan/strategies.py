"""Legal resources: anything that the ladder lets through."""

from hypothesis import strategies as st

from unit.operator.plan.world import resource

RESOURCE_NAME = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
OBJECT_NAME = st.one_of(
    st.sampled_from(["kafka", "a.b", "x" * 253, "0-numbers.first"]),
    st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,70}[a-z0-9])?", fullmatch=True),
)
MODEL_NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", fullmatch=True).filter(
    lambda name: name not in ("v1", "v2", "metrics", "repository")
)
CLAIM = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?", fullmatch=True)
URI = st.one_of(
    st.sampled_from(["s3://b/k", "file:///models/a", "https://h/x", "http://h:1/x"]),
    CLAIM.map(lambda claim: f"pvc://{claim}/path/model"),
)
REF = st.fixed_dictionaries({"name": OBJECT_NAME})
DECIMAL = st.sampled_from(["0", "0.9", "1e3", "0.000001"])


def fields(required, **optional):
    return st.fixed_dictionaries(required, optional=optional)


KAFKA = fields(
    {
        "bootstrapServers": st.sampled_from(["k:9092", "a:1,b:2,c:3"]),
        "topic": st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True),
    },
    tls=fields({}, caSecretRef=REF),
    authSecretRef=REF,
)
CODE = st.one_of(st.fixed_dictionaries({"configMapRef": REF}), st.fixed_dictionaries({"uri": URI}))
MODEL = fields(
    {
        "name": MODEL_NAME,
        "uri": URI,
        "framework": fields({"name": st.just("sklearn")}, version=st.sampled_from(["1", "1.7", "1.7.2"])),
    },
    version=st.sampled_from(["v1", "2026.01"]),
    sha256=st.just("0f" * 32),
    code=CODE,
    schema=st.just({"features": [{"name": "ü", "type": "float64"}]}),
    parameters=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=2),
)
STORAGE = fields(
    {}, endpoint=st.just("https://s3.example.com"), region=st.just("eu"), credentialsSecretRef=REF
)
POD = fields(
    {},
    resources=st.just({"limits": {"cpu": 1, "memory": "1Gi"}}),
    nodeSelector=st.just({"a": "b"}),
    tolerations=st.just([{"operator": "Exists"}]),
    labels=st.dictionaries(st.sampled_from(["team", "app"]), st.sampled_from(["a", "b"])),
    annotations=st.just({"note": "x"}),
    env=st.just([{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
    serviceAccountName=OBJECT_NAME,
    fsGroup=st.integers(0, 9),
)
USER_LABELS = st.dictionaries(
    st.sampled_from(["app.kubernetes.io/instance", "argocd.argoproj.io/instance", "mine"]), st.just("user")
)


def _metadata(kind, name, spec, labels):
    return resource(kind, name, spec, labels=labels)


def topic(name):
    """A topic of this name, reached like any other."""
    return KAFKA.map(lambda kafka: {**kafka, "bootstrapServers": "k:9092", "topic": name})


def fixed(name):
    return st.fixed_dictionaries({"kafka": topic(name)})


STREAM = fields(
    {
        "input": fields({"kafka": topic("in")}, consumerGroup=st.just("team.g")),
        "output": fixed("out"),
        "deadLetter": fixed("dead"),
    },
    delivery=st.sampled_from(["AtLeastOnce", "ExactlyOnce"]),
    replicas=st.integers(0, 3),
)
SERVING_SPEC = fields(
    {"models": st.lists(MODEL, min_size=1, max_size=3, unique_by=lambda model: model["name"])},
    replicas=st.integers(0, 4),
    http=fields(
        {}, timeoutSeconds=st.integers(1, 3600), readyWhen=st.sampled_from(["AllModels", "AnyModel"])
    ),
    capture=fields({"kafka": KAFKA}, sampleRatio=st.sampled_from(["0", "0.5", "1.0"])),
    stream=STREAM,
    storage=STORAGE,
    pod=POD,
)
SERVING = st.builds(_metadata, st.just("ModelServing"), RESOURCE_NAME, SERVING_SPEC, USER_LABELS)
ENDPOINT = fields(
    {"url": st.just("http://elsewhere"), "model": MODEL_NAME}, bearerTokenSecretRef=REF, caSecretRef=REF
)


@st.composite
def model_tests(draw):
    """(a ModelTest, the resources that it refers to)."""
    spec = draw(
        fields(
            {"dataset": fields({"uri": URI, "labelColumn": st.just("y")}, rows=st.integers(1, 9))},
            load=st.sampled_from([{"concurrency": 2}, {"requestsPerSecond": 5, "durationSeconds": 2}, {}]),
            expect=st.just([{"name": "accuracy", "min": "0.9"}]),
            trigger=st.sampled_from([{"type": "Once"}, {"type": "Schedule", "schedule": "0 * * * *"}]),
            report=st.fixed_dictionaries({"uri": CLAIM.map(lambda claim: f"pvc://{claim}/reports")}),
            storage=STORAGE,
            pod=POD,
        )
    )
    name, labels = draw(RESOURCE_NAME), draw(USER_LABELS)
    if draw(st.booleans()):
        spec["endpoint"] = draw(ENDPOINT)
        return _metadata("ModelTest", name, spec, labels), []
    subject = draw(SERVING)
    model = draw(st.sampled_from(subject["spec"]["models"]))
    spec["servingRef"] = {"name": subject["metadata"]["name"], "model": model["name"]}
    spec["probes"] = {
        "negative": draw(st.booleans()),
        "captureRoundTrip": "capture" in subject["spec"],
        **draw(fields({}, offlineSkew=st.fixed_dictionaries({"uri": URI, "tolerance": DECIMAL}))),
    }
    subject["spec"].pop("replicas", None)
    return _metadata("ModelTest", name, spec, labels), [subject]


ADDRESS = st.just("https://sink.example.com/write")
HTTP_TARGET = st.one_of(
    fields({"url": ADDRESS}, bearerTokenSecretRef=REF, caSecretRef=REF),
    fields({"url": ADDRESS, "basicAuthSecretRef": REF}, caSecretRef=REF),
)
FOLDER = st.one_of(
    st.sampled_from(["s3://b", "s3://b/k/", "file:///data"]), CLAIM.map(lambda claim: f"pvc://{claim}")
)
OUTPUT = st.sampled_from(["s3://predictions", "file:///predictions/a/", "pvc://predictions/b"])
SINKS = fields(
    {"objectStore": fields({"uri": FOLDER}, rotate=st.just({"rows": 500}))},
    timeseries=st.lists(
        st.one_of(
            st.fixed_dictionaries({"prometheusRemoteWrite": HTTP_TARGET}),
            st.fixed_dictionaries({"influx": HTTP_TARGET.map(lambda target: {**target, "database": "d"})}),
        ),
        max_size=2,
    ).map(lambda listed: [{"name": f"t{index}", **each} for index, each in enumerate(listed)]),
    alerts=st.lists(
        st.one_of(st.fixed_dictionaries({"webhook": HTTP_TARGET}), st.fixed_dictionaries({"kafka": KAFKA})),
        max_size=2,
    ).map(lambda listed: [{"name": f"a{index}", **each} for index, each in enumerate(listed)]),
)
CONCEPT_DRIFT = st.fixed_dictionaries(
    {
        "labels": fields({"kafka": KAFKA}, keyField=st.just("id")),
        "detectors": st.just(
            [{"name": "ddm", "type": "DDM"}, {"name": "a", "type": "ADWIN", "parameters": {}}]
        ),
    }
)
DRIFT_SPEC = fields(
    {
        "reference": st.one_of(
            st.fixed_dictionaries({"uri": URI}), st.fixed_dictionaries({"firstRows": st.integers(100, 999)})
        ),
        "window": st.sampled_from(
            [{"rows": 50}, {"seconds": 1}, {"seconds": 9, "allowedLatenessSeconds": 0}]
        ),
        "sinks": SINKS,
    },
    startFrom=st.sampled_from(["Latest", "Earliest"]),
    dataDrift=st.just({"statistics": ["psi"], "decision": {"minimumEffect": ".5"}}),
    predictionDrift=st.just({}),
    conceptDrift=CONCEPT_DRIFT,
    checkpoint=st.fixed_dictionaries({"uri": FOLDER}),
    replicas=st.integers(0, 1),
    storage=STORAGE,
    pod=POD,
)
BATCH_SPEC = fields(
    {
        "input": fields({"uri": URI}, format=st.just("csv"), columns=st.just({"a": "b"})),
        "output": fields({"uri": OUTPUT}, keep=st.just(["id"])),
    },
    parallelism=st.integers(1, 40),
    suspend=st.booleans(),
    pod=POD,
)


@st.composite
def drift_monitors(draw):
    """(a DriftMonitor, the resources that it refers to)."""
    spec, name, labels = draw(DRIFT_SPEC), draw(RESOURCE_NAME), draw(USER_LABELS)
    if draw(st.booleans()):
        spec["stream"] = {"kafka": draw(KAFKA), "model": draw(MODEL_NAME)}
        return _metadata("DriftMonitor", name, spec, labels), []
    subject = draw(SERVING)
    model = draw(st.sampled_from(subject["spec"]["models"]))
    spec["servingRef"] = {"name": subject["metadata"]["name"], "model": model["name"]}
    subject["spec"]["capture"] = {"kafka": draw(KAFKA)}
    return _metadata("DriftMonitor", name, spec, labels), [subject]


@st.composite
def batch_predictions(draw):
    """(a BatchPrediction, the resources that it refers to)."""
    spec, name, labels = draw(BATCH_SPEC), draw(RESOURCE_NAME), draw(USER_LABELS)
    spec["storage"] = draw(STORAGE)
    if draw(st.booleans()):
        spec["schedule"] = "0 2 * * *"
        spec |= draw(
            fields({}, timeZone=st.just("Etc/UTC"), concurrencyPolicy=st.sampled_from(["Forbid", "Replace"]))
        )
    if draw(st.booleans()):
        spec["model"] = draw(MODEL)
        return _metadata("BatchPrediction", name, spec, labels), []
    subject = draw(SERVING)
    model = draw(st.sampled_from(subject["spec"]["models"]))
    spec["servingRef"] = {"name": subject["metadata"]["name"], "model": model["name"]}
    return _metadata("BatchPrediction", name, spec, labels), [subject]


CASES = st.one_of(
    SERVING.map(lambda found: (found, [])), model_tests(), drift_monitors(), batch_predictions()
)
