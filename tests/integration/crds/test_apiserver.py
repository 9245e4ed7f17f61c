"""The CRDs in a real API server: schema budget, CEL cost, defaults, subresources and list-maps show only there."""

import json

import pytest
import yaml

from moorage_api import catalogue, crd
from moorage_api.kinds import KINDS
from parts.apiserver import ApiError, ApiServer
from support.kinds import CRD_PATH, path
from support.manifests import bad_manifests, examples, full, minimal

GOOD = [
    *((f"minimal {kind}", minimal(kind)) for kind in KINDS),
    *((f"full {manifest['metadata']['name']} {kind}", manifest) for kind in KINDS for manifest in full(kind)),
    *((f"catalogue {runtime['metadata']['name']}", runtime) for runtime in catalogue.load()),
]
BAD = [bad for bad in bad_manifests() if bad.only != "local"]


def test_every_crd_is_established_without_a_complaint(server: ApiServer):
    for item in server.request("GET", CRD_PATH)["items"]:
        conditions = {condition["type"]: condition["status"] for condition in item["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_manifest_is_refused_at_its_field(server: ApiServer, bad):
    kind = bad.manifest["kind"]
    with pytest.raises(ApiError) as refused:
        server.request("POST", f"{path(kind)}?dryRun=All&fieldValidation=Strict", bad.manifest)
    assert refused.value.code in {400, 422}
    fields = {cause["field"] for cause in refused.value.causes}
    assert bad.field in fields or f'unknown field "{bad.field}"' in str(refused.value), str(refused.value)


@pytest.mark.parametrize(("name", "manifest"), GOOD, ids=[name for name, _ in GOOD])
def test_a_good_manifest_is_applied_and_stored_as_local_mode_stores_it(server: ApiServer, name, manifest):
    kind = manifest["kind"]
    stored = server.apply(path(kind, manifest["metadata"]["name"]), manifest)
    try:
        assert stored["spec"] == crd.apply_defaults(manifest)["spec"]
        again = server.apply(path(kind, manifest["metadata"]["name"]), manifest)
        assert again["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
    finally:
        server.request("DELETE", path(kind, manifest["metadata"]["name"]))


@pytest.mark.parametrize(("file", "text"), examples())
def test_an_example_is_applied_as_it_is_written(server: ApiServer, file, text):
    manifest = yaml.safe_load(text)
    stored = server.apply(path(manifest["kind"], manifest["metadata"]["name"]), text)
    server.request("DELETE", path(manifest["kind"], manifest["metadata"]["name"]))
    assert stored["spec"] == crd.apply_defaults(manifest)["spec"]


@pytest.mark.parametrize("word", ["yes", "On", "no", "1.10", "1e3", "0x10", "7", "~", "true"])
def test_an_unquoted_word_that_yaml_reads_as_something_else_is_refused(server: ApiServer, word):
    text = yaml.safe_dump(minimal("ModelServing")).replace("version: '1'", f"version: {word}")
    manifest = yaml.safe_load(text)
    refused = {error.path for error in crd.validate(manifest)}
    if manifest["spec"]["models"][0]["framework"]["version"] is None:
        server.request("POST", path("ModelServing") + "?dryRun=All", text, "application/yaml")
        assert refused == set()
        return
    with pytest.raises(ApiError) as error:
        server.request("POST", path("ModelServing") + "?dryRun=All", text, "application/yaml")
    assert {cause["field"] for cause in error.value.causes} >= refused == {"spec.models[0].framework.version"}


@pytest.fixture
def serving(server: ApiServer):
    yield server.apply(path("ModelServing", "iris"), minimal("ModelServing"))
    server.request("DELETE", path("ModelServing", "iris"))


STATUS = {
    "observedGeneration": 1,
    "url": "http://iris.default.svc",
    "replicas": 1,
    "readyReplicas": 1,
    "selector": "moorage.dev/name=iris",
    "conditions": [
        {
            "type": kind,
            "status": "True",
            "reason": "Reconciled",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": 1,
        }
        for kind in ("Ready", "Available")
    ],
}


def test_spec_and_status_are_written_apart(server: ApiServer, serving):
    body = {**minimal("ModelServing"), "status": STATUS}
    written = server.apply(path("ModelServing", "iris") + "/status", body, "operator")
    assert written["status"] == STATUS
    assert written["metadata"]["generation"] == 1
    server.apply(
        path("ModelServing", "iris"), {**minimal("ModelServing"), "status": {"url": "http://elsewhere"}}
    )
    assert server.request("GET", path("ModelServing", "iris"))["status"] == STATUS


def test_scale_reads_and_writes_replicas(server: ApiServer, serving):
    manifest = minimal("ModelServing")
    server.apply(path("ModelServing", "iris") + "/status", {**manifest, "status": STATUS}, "operator")
    manifest["spec"]["replicas"] = 1
    server.apply(path("ModelServing", "iris"), manifest)
    scale = server.request("GET", path("ModelServing", "iris") + "/scale")
    assert scale["status"] == {"replicas": 1, "selector": "moorage.dev/name=iris"}
    scale["spec"] = {"replicas": 3}
    server.request("PUT", path("ModelServing", "iris") + "/scale", scale)
    assert server.request("GET", path("ModelServing", "iris"))["spec"]["replicas"] == 3


def test_two_managers_own_different_models(server: ApiServer, serving):
    other = minimal("ModelServing")
    other["spec"]["models"] = [{"name": "wine", "uri": "s3://models/wine/v1", "framework": {"name": "onnx"}}]
    both = server.apply(path("ModelServing", "iris"), other, "another-team")
    assert [model["name"] for model in both["spec"]["models"]] == ["iris", "wine"]
    other["spec"]["models"].append(
        {**minimal("ModelServing")["spec"]["models"][0], "uri": "s3://models/iris/v4"}
    )
    with pytest.raises(ApiError, match="conflict") as conflict:
        server.apply(path("ModelServing", "iris"), other, "another-team")
    assert [cause["field"] for cause in conflict.value.causes] == ['.spec.models[name="iris"].uri']


def test_columns_answer_first(server: ApiServer, serving):
    server.apply(
        path("ModelServing", "iris") + "/status", {**minimal("ModelServing"), "status": STATUS}, "operator"
    )
    table = server.request("GET", path("ModelServing"), accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    shown = [column["name"] for column in table["columnDefinitions"] if column["priority"] == 0]
    assert shown == ["Name", "Ready", "URL", "Replicas", "Reason", "Age"]
    row = dict(
        zip([column["name"] for column in table["columnDefinitions"]], table["rows"][0]["cells"], strict=True)
    )
    assert row["Ready"] == "True"
    assert row["URL"] == "http://iris.default.svc"
    assert row["Replicas"] == 1


TIME = "2026-01-01T00:00:00Z"
DRIFT = {
    "observedGeneration": 1,
    "conditions": [
        {"type": kind, "status": status, "reason": reason, "message": "petal_length", "lastTransitionTime": TIME,
         "observedGeneration": 1}
        for kind, status, reason in (
            ("Ready", "True", "Reconciled"), ("DataDrift", "True", "DriftDetected"),
            ("PredictionDrift", "False", "NoDrift"), ("ConceptDrift", "Unknown", "WaitingForWindow"),
        )
    ],
    "drift": "Detected",
    "features": [
        {"name": "petal_length", "role": role, "statistic": "tvd", "value": "0.41", "pValue": "1e-99", "state": "Detected"}
        for role in ("feature", "prediction")
    ],
    "lastWindow": {"start": TIME, "end": "2026-01-01T00:10:00.123456Z", "rows": 1000},
    "windows": 12,
    "lag": 4_000_000_000,
    "revision": "a1b2c3",
}  # fmt: skip
BATCH = {
    "observedGeneration": 1,
    "conditions": [{**DRIFT["conditions"][0], "status": "False", "reason": "JobRunning"}],
    "rowsTotal": 5_000_000_000, "rowsDone": 120_000, "fragmentsTotal": 8, "fragmentsDone": 1,
    "startedAt": TIME, "finishedAt": TIME, "estimatedFinishAt": "2026-01-01T00:00:40Z", "lastScheduleAt": TIME,
    "run": "63ddd894f50e1c70", "outputUri": "s3://predictions/iris/63ddd894f50e1c70/", "revision": "a1b2c3",
}  # fmt: skip
SHOWN = {
    "DriftMonitor": {
        "Drift": "Detected", "Ready": "True", "Serving": "iris", "Windows": 12, "Lag": 4_000_000_000,
        "Data": "DriftDetected", "Prediction": "NoDrift", "Concept": "WaitingForWindow",
    },
    "BatchPrediction": {
        "Ready": "False", "Done": 120_000, "Rows": 5_000_000_000, "Reason": "JobRunning",
        "Finish": "2026-01-01T00:00:40Z", "Output": "s3://predictions/iris/63ddd894f50e1c70/",
    },
}  # fmt: skip


@pytest.mark.parametrize(("kind", "status"), [("DriftMonitor", DRIFT), ("BatchPrediction", BATCH)])
def test_a_status_is_kept_as_it_is_written_and_its_columns_answer_first(server: ApiServer, kind, status):
    manifest = minimal(kind)
    where = path(kind, manifest["metadata"]["name"])
    server.apply(where, manifest)
    try:
        written = server.apply(f"{where}/status", {**manifest, "status": status}, "operator")
        table = server.request("GET", where, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    finally:
        server.request("DELETE", where)
    assert written["status"] == status
    names = [column["name"] for column in table["columnDefinitions"]]
    row = dict(zip(names, table["rows"][0]["cells"], strict=True))
    assert {name: row[name] for name in SHOWN[kind]} == SHOWN[kind]
    assert next(iter(SHOWN[kind])) == names[1], "the answer comes first"


def test_the_catalogue_prints_all_that_a_runtime_reads(server: ApiServer):
    runtime = full("ClusterModelRuntime")[0]
    server.apply(path("ClusterModelRuntime", "full"), runtime)
    table = server.request(
        "GET", path("ClusterModelRuntime", "full"), accept="application/json;as=Table;v=v1;g=meta.k8s.io"
    )
    server.request("DELETE", path("ClusterModelRuntime", "full"))
    assert json.loads(table["rows"][0]["cells"][1]) == runtime["spec"]["frameworks"]


def test_a_full_house_of_models_and_features_fits(server: ApiServer):
    manifest = minimal("ModelServing")
    features = [{"name": f"feature_{number:04}", "type": "float64"} for number in range(4096)]
    manifest["spec"]["models"] = [
        {
            "name": f"model-{number}",
            "uri": "s3://models/m",
            "framework": {"name": "sklearn"},
            **({"schema": {"features": features}} if number < 2 else {}),
        }
        for number in range(32)
    ]
    stored = server.request("POST", path("ModelServing") + "?dryRun=All&fieldValidation=Strict", manifest)
    assert len(stored["spec"]["models"][1]["schema"]["features"]) == 4096
    assert crd.validate(manifest) == []


def test_the_official_client_reaches_the_same_objects(server: ApiServer, serving):
    from kubernetes import client

    with server.client() as api:
        listed = client.CustomObjectsApi(api).list_namespaced_custom_object(
            group="moorage.dev", version="v1alpha1", namespace="default", plural="modelservings"
        )
    assert [item["metadata"]["name"] for item in listed["items"]] == ["iris"]
