"""What the plan makes, on a real API server: accepted, admitted under `restricted`, and silent the second time."""

from pathlib import Path

import pytest
import yaml

from conftest import provide
from moorage_api.catalogue import load
from moorage_operator.plan import Catalogue, Observed, Ref, plan, references
from parts.apiserver import kube_apiserver
from support.kinds import install, path

ROOT = Path(__file__).parents[3]
CATALOGUE = Catalogue.of(load())
PATHS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
}
MANIFESTS = [
    {
        **document,
        "metadata": {
            "namespace": "default",
            "uid": f"uid-{document['metadata']['name']}",
            "generation": 1,
            **document["metadata"],
        },
    }
    for path in [
        *ROOT.glob("tests/unit/operator/plan/manifests/*.yaml"),
        *ROOT.glob("examples/*/manifests/*.yaml"),
    ]
    for document in yaml.safe_load_all(path.read_text())
]


@pytest.fixture(scope="module")
def server():
    for api in provide(kube_apiserver):
        install(api)
        for name in {each["metadata"]["namespace"] for each in MANIFESTS}:
            labels = {"pod-security.kubernetes.io/enforce": "restricted"}
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            api.apply(f"/api/v1/namespaces/{name}", body, force=True)
        api.request(
            "POST",
            "/apis/node.k8s.io/v1/runtimeclasses",
            {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": "gvisor"},
                "handler": "runsc",
            },
        )
        api.request(
            "POST",
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": "high"},
                "value": 5,
            },
        )
        yield api


def ready(manifest):
    status = {
        "observedGeneration": 1,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Reconciled"}],
    }
    return {**manifest, "status": status}


SERVINGS = {
    Ref("ModelServing", each["metadata"]["namespace"], each["metadata"]["name"]): ready(each)
    for each in MANIFESTS
    if each["kind"] == "ModelServing"
}


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: each["metadata"]["name"])
def test_children_are_accepted_and_a_second_plan_writes_nothing(server, manifest):
    def observed(owned):
        return Observed(owned=owned, referenced={ref: SERVINGS[ref] for ref in references(manifest)})

    def applied(child):
        path = PATHS[child["kind"]].format(child["metadata"]["namespace"])
        found = server.apply(f"{path}/{child['metadata']['name']}", child, "moorage", force=True)
        return {"apiVersion": child["apiVersion"], "kind": child["kind"], **found}

    first = plan(manifest, CATALOGUE, observed([]))
    assert first.children
    owned = []
    for child in first.children:
        path = PATHS[child["kind"]].format(child["metadata"]["namespace"])
        query = "?fieldManager=moorage&fieldValidation=Strict"
        made = server.request("POST", path + query, child)
        owned.append({"apiVersion": child["apiVersion"], "kind": child["kind"], **made})
    # the first apply moves the fields' ownership from the creation to the manager; from then on nothing changes
    once = [applied(child) for child in plan(manifest, CATALOGUE, observed(owned)).children]
    assert [each["metadata"].get("generation") for each in once] == [
        each["metadata"].get("generation") for each in owned
    ]
    again = plan({**manifest, "status": first.status}, CATALOGUE, observed(once))
    twice = [applied(child) for child in again.children]
    assert [each["metadata"]["resourceVersion"] for each in twice] == [
        each["metadata"]["resourceVersion"] for each in once
    ]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: each["metadata"]["name"])
def test_pods_are_admitted_under_restricted_pod_security(server, manifest):
    made = plan(
        manifest, CATALOGUE, Observed(referenced={ref: SERVINGS[ref] for ref in references(manifest)})
    )
    for child in made.children:
        if child["kind"] not in ("Deployment", "Job", "CronJob"):
            continue
        spec = child["spec"]["jobTemplate"]["spec"] if child["kind"] == "CronJob" else child["spec"]
        pod = {"apiVersion": "v1", "kind": "Pod", **spec["template"]}
        pod["metadata"] = {**pod["metadata"], "name": child["metadata"]["name"]}
        namespace = child["metadata"]["namespace"]
        server.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", pod)


def test_an_autoscaler_keeps_the_replicas_that_it_set(server):
    manifest = {
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "ModelServing",
        "metadata": {"name": "scaled", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {"models": [{"name": "m", "uri": "s3://m/m", "framework": {"name": "onnx"}}]},
    }
    path = "/apis/apps/v1/namespaces/default/deployments"
    (first,) = [
        each for each in plan(manifest, CATALOGUE, Observed()).children if each["kind"] == "Deployment"
    ]
    server.request("POST", path + "?fieldManager=moorage", first)
    scale = {"spec": {"replicas": 5}}
    server.request("PATCH", f"{path}/scaled/scale?fieldManager=hpa", scale, "application/merge-patch+json")
    owned = [{"apiVersion": "apps/v1", "kind": "Deployment", **server.request("GET", f"{path}/scaled")}]
    for _ in range(2):
        (next_,) = [
            each
            for each in plan(manifest, CATALOGUE, Observed(owned=owned)).children
            if each["kind"] == "Deployment"
        ]
        assert server.apply(f"{path}/scaled", next_, "moorage", force=True)["spec"]["replicas"] == 5


def created(server, manifest):
    """Its children as the server holds them."""
    owned = []
    for each in plan(manifest, CATALOGUE, Observed()).children:
        where = PATHS[each["kind"]].format(each["metadata"]["namespace"])
        made = server.request("POST", f"{where}?fieldManager=moorage", each)
        owned.append({"apiVersion": each["apiVersion"], "kind": each["kind"], **made})
    return owned


def test_a_job_is_suspended_and_resumed_without_a_new_one(server):
    manifest = {
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "BatchPrediction",
        "metadata": {"name": "held", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {
            "model": {"name": "m", "uri": "s3://m/m", "framework": {"name": "onnx"}},
            "input": {"uri": "s3://data/in"},
            "output": {"uri": "s3://out"},
            "parallelism": 3,
        },
    }
    owned = created(server, manifest)
    (job,) = [each for each in owned if each["kind"] == "Job"]
    where = f"{PATHS['Job'].format('default')}/{job['metadata']['name']}"
    for suspend in (True, False):
        manifest["spec"]["suspend"] = suspend
        (wanted,) = [
            each
            for each in plan(manifest, CATALOGUE, Observed(owned=owned)).children
            if each["kind"] == "Job"
        ]
        found = server.apply(where, wanted, "moorage", force=True)
        assert (found["metadata"]["uid"], found["spec"]["suspend"]) == (job["metadata"]["uid"], suspend)


def test_a_stream_that_is_added_does_not_roll_what_serves(server):
    topic = {"kafka": {"bootstrapServers": "kafka:9092", "topic": "in"}}
    manifest = {
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "ModelServing",
        "metadata": {"name": "grown", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {"models": [{"name": "m", "uri": "s3://m/m", "framework": {"name": "onnx"}}]},
    }
    owned = created(server, manifest)
    (before,) = [each for each in owned if each["kind"] == "Deployment"]
    manifest["spec"]["stream"] = {
        "input": topic,
        "output": {"kafka": {**topic["kafka"], "topic": "out"}},
        "deadLetter": {"kafka": {**topic["kafka"], "topic": "dead"}},
    }
    made = plan(manifest, CATALOGUE, Observed(owned=owned))
    generations = {}
    for each in made.children:
        if each["kind"] == "Deployment":
            where = f"{PATHS['Deployment'].format('default')}/{each['metadata']['name']}"
            found = server.apply(where, each, "moorage", force=True)
            generations[each["metadata"]["name"]] = found["metadata"]["generation"]
    assert generations == {"grown": before["metadata"]["generation"], "grown-stream": 1}


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: each["metadata"]["name"])
def test_the_status_fits_the_schema_of_its_kind(server, manifest):
    meta = {key: value for key, value in manifest["metadata"].items() if key != "uid"}
    where = path(manifest["kind"], meta["name"]).replace("default", meta["namespace"], 1)
    server.apply(where, {**manifest, "metadata": meta}, "user", force=True)
    observed = Observed(referenced={ref: SERVINGS[ref] for ref in references(manifest)})
    status = plan(manifest, CATALOGUE, observed).status
    body = {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": meta["name"]},
        "status": status,
    }
    kept = server.apply(f"{where}/status", body, "moorage", force=True)["status"]
    assert kept == status
