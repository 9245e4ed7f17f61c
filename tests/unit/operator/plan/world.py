"""What the plan's tests share: resources, and an API server's part in the story as plain functions."""

import copy
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from moorage_api.catalogue import load
from moorage_operator.plan import Catalogue, Object, Observed, Plan, Ref, Report, plan
from moorage_runtime.config import (
    BatchPredictStatus,
    CaptureStatus,
    DriftStatus,
    ModelStatus,
    ServeStatus,
    StreamPredictStatus,
    TestStatus,
)

CATALOGUE = Catalogue.of(load())
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = datetime(2026, 1, 2, 4, 0, 0, tzinfo=UTC)
MODEL = {"name": "iris", "uri": "s3://models/iris", "framework": {"name": "sklearn", "version": "1"}}


def resource(kind: str, name: str, spec: Object, **metadata: object) -> Object:
    return {
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "ml", "uid": f"uid-{name}", "generation": 1, **metadata},
        "spec": spec,
    }


def serving(name: str = "iris", **spec: object) -> Object:
    return resource("ModelServing", name, {"models": [MODEL], **spec})


def model_test(name: str = "iris-live", **spec: object) -> Object:
    defaults = {
        "servingRef": {"name": "iris"},
        "dataset": {"uri": "s3://data/iris.csv", "labelColumn": "y"},
    }
    return resource("ModelTest", name, {**defaults, **spec})


def drift_monitor(name: str = "iris", **spec: object) -> Object:
    defaults = {
        "servingRef": {"name": "iris"},
        "reference": {"uri": "s3://data/iris.parquet"},
        "window": {"rows": 1000},
        "sinks": {"objectStore": {"uri": "s3://drift/iris"}},
    }
    return resource("DriftMonitor", name, {**defaults, **spec})


def batch_prediction(name: str = "backlog", **spec: object) -> Object:
    defaults = {
        "model": MODEL,
        "input": {"uri": "s3://data/backlog.parquet"},
        "output": {"uri": "s3://predictions/backlog"},
    }
    return resource("BatchPrediction", name, {**defaults, **spec})


def edited(found: Object, **spec: object) -> Object:
    """As `kubectl apply` of a changed spec: the generation counts up, the status stays."""
    metadata = {**found["metadata"], "generation": found["metadata"]["generation"] + 1}
    return {**found, "metadata": metadata, "spec": {**found["spec"], **spec}}


def with_status(found: Object, made: Plan) -> Object:
    return {**found, "status": copy.deepcopy(made.status)}


def applied(made: Plan, owned: Sequence[Object] = ()) -> list[Object]:
    """The owned objects after the plan: planned fields win, fields of others stay, the rest is deleted."""
    if made.children is None:
        return list(owned)
    before = {key(child): child for child in owned}
    return [_merged(before.get(key(child), {}), child) for child in made.children]


def key(child: Object) -> tuple[str, str]:
    return child["kind"], child["metadata"]["name"]


def child(made: Plan | Iterable[Object], kind: str, name: str | None = None) -> Object:
    children = (made.children or ()) if isinstance(made, Plan) else made
    (found,) = [
        each for each in children if each["kind"] == kind and name in (None, each["metadata"]["name"])
    ]
    return found


def kinds(made: Plan) -> list[str]:
    return sorted(each["kind"] for each in made.children or ())


def rolled_out(
    owned: Iterable[Object], *, total: int = 1, updated: int = 1, ready: int = 1, name: str | None = None
) -> list[Object]:
    """The owned objects after the Deployment's controller wrote its status; of all of them without a `name`."""
    counts = {
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
    }
    return [
        {**each, "status": counts}
        if each["kind"] == "Deployment" and name in (None, each["metadata"]["name"])
        else each
        for each in owned
    ]


def all_rolled_out(owned: Iterable[Object]) -> list[Object]:
    """The owned objects once every Deployment has the pods that it asks for."""
    done = list(owned)
    for each in done:
        if each["kind"] == "Deployment":
            pods = each["spec"].get("replicas", 1)
            name = each["metadata"]["name"]
            done = rolled_out(done, total=pods, updated=pods, ready=pods, name=name)
    return done


def serve_report(
    revision: str, *models: Object, pod: str = "iris-1", ready: bool = True, capture_error: str | None = None
) -> Report:
    told = ServeStatus(
        name="iris",
        namespace="ml",
        revision=revision,
        ready=ready,
        models=[ModelStatus.model_validate({"name": "iris", "state": "Ready", **each}) for each in models],
        capture=CaptureStatus(error=capture_error),
    )
    return Report(owner="iris", pod=pod, revision=revision, ready=ready, status=told)


def run_report(owner: str, verdict: str = "Passed", revision: str = "", **fields: object) -> Report:
    told = TestStatus.model_validate(
        {
            "name": "iris-live",
            "namespace": "ml",
            "revision": revision,
            "verdict": verdict,
            "message": "",
            "finishedAt": "2026-01-02T03:00:00Z",
            **fields,
        }
    )
    return Report(owner=owner, pod=f"{owner}-x", revision=revision, ready=False, status=told)


def drift_report(revision: str, *, pod: str = "iris-drift-1", ready: bool = True, **fields: object) -> Report:
    told = DriftStatus.model_validate(
        {"name": "iris", "namespace": "ml", "revision": revision, "ready": ready, **fields}
    )
    return Report(owner="iris-drift", pod=pod, revision=revision, ready=ready, status=told)


def stream_report(
    revision: str, *, pod: str = "iris-stream-1", ready: bool = True, **fields: object
) -> Report:
    said = {"name": "iris", "namespace": "ml", "revision": revision, "ready": ready, "models": [], **fields}
    told = StreamPredictStatus.model_validate(said)
    return Report(owner="iris-stream", pod=pod, revision=revision, ready=ready, status=told)


def batch_report(
    owner: str, index: int = 0, *, pod: str = "", revision: str = "", **fields: object
) -> Report:
    said = {
        "name": "backlog",
        "namespace": "ml",
        "revision": revision,
        "index": index,
        "run": "run-1",
        **fields,
    }
    told = BatchPredictStatus.model_validate(said)
    name = pod or f"{owner}-{index}"
    return Report(owner=owner, pod=name, revision=revision, ready=True, status=told)


def ready_serving(found: Object | None = None) -> Object:
    """A ModelServing whose one revision is rolled out, with the status that its plan gives it."""
    found = found or serving()
    owned = all_rolled_out(applied(plan(found, CATALOGUE, Observed(now=NOW))))
    return with_status(found, plan(found, CATALOGUE, Observed(owned=owned, now=NOW)))


def seeing(*found: Object, owned: Sequence[Object] = (), **fields: object) -> Observed:
    """An observation with these resources as what is referenced."""
    referenced = {
        Ref(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]): each for each in found
    }
    return Observed(owned=owned, referenced=referenced, **{"now": NOW, **fields})


def condition(made: Plan, kind: str) -> Object:
    (found,) = [each for each in made.status["conditions"] if each["type"] == kind]
    return found


def truths(made: Plan) -> dict[str, str]:
    return {each["type"]: each["status"] for each in made.status["conditions"]}


def _merged(before: Object, planned: Object) -> Object:
    result = dict(before)
    for name, value in planned.items():
        both = isinstance(value, dict) and isinstance(before.get(name), dict)
        result[name] = _merged(before[name], value) if both else copy.deepcopy(value)
    return result
