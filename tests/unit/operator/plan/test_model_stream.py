"""What a ModelServing's plan makes of `spec.stream`."""

import json

import pytest

from moorage_api.catalogue import load
from moorage_operator.plan import Catalogue, Observed, Report, plan
from unit.operator.plan.world import (
    CATALOGUE,
    LATER,
    NOW,
    all_rolled_out,
    applied,
    child,
    condition,
    edited,
    resource,
    rolled_out,
    serve_report,
    serving,
    stream_report,
    truths,
    with_status,
)


def kafka(topic, **more):
    return {"kafka": {"bootstrapServers": "kafka:9092", "topic": topic, **more}}


STREAM = {"input": kafka("in"), "output": kafka("out"), "deadLetter": kafka("dead")}


def seen(found, owned=(), catalogue=CATALOGUE, **fields):
    return plan(found, catalogue, Observed(owned=owned, **{"now": NOW, **fields}))


def config_of(made):
    (found,) = [
        each
        for each in made.children
        if each["kind"] == "ConfigMap" and each["metadata"]["name"].startswith("iris-stream-")
    ]
    return json.loads(found["data"]["config.json"])


def revision_of(made):
    template = child(made, "Deployment", "iris-stream")["spec"]["template"]
    return template["metadata"]["labels"]["moorage.dev/revision"]


@pytest.fixture
def streaming():
    """(resource with status, its owned objects) with both Deployments rolled out."""
    found = serving(stream=STREAM)
    owned = all_rolled_out(applied(seen(found)))
    return with_status(found, seen(found, owned)), owned


def names(made, kind):
    return sorted(each["metadata"]["name"] for each in made.children if each["kind"] == kind)


def test_a_stream_is_a_deployment_of_its_own_that_the_service_does_not_see():
    made = seen(serving(stream={**STREAM, "replicas": 3}))
    assert names(made, "Deployment") == ["iris", "iris-stream"]
    assert names(made, "NetworkPolicy") == ["iris", "iris-stream"]
    stream = child(made, "Deployment", "iris-stream")["spec"]
    assert stream["replicas"] == 3
    assert stream["template"]["spec"]["containers"][0]["args"][0] == "stream"
    labels = stream["template"]["metadata"]["labels"]
    assert stream["selector"]["matchLabels"].items() <= labels.items()
    for selector in (
        child(made, "Service")["spec"]["selector"],
        child(made, "Deployment", "iris")["spec"]["selector"]["matchLabels"],
    ):
        assert not selector.items() <= labels.items()


def test_the_worker_is_told_its_topics_and_captures_as_the_server_does():
    capture = {**kafka("seen"), "format": "mlrun-v2"}
    made = seen(serving(stream={**STREAM, "delivery": "ExactlyOnce"}, capture=capture))
    told = config_of(made)
    assert [told[key]["uri"] for key in ("input", "output", "deadLetter")] == [
        f"kafka://kafka:9092/{topic}" for topic in ("in", "out", "dead")
    ]
    assert told["delivery"] == "ExactlyOnce"
    assert told["group"] == "moorage.ml.iris"
    assert told["capture"] == {"stream": {"uri": "kafka://kafka:9092/seen"}, "format": "mlrun-v2"}
    assert told["models"][0]["uri"] == "s3://models/iris"


def test_secrets_of_all_topics_are_mounted_once():
    stream = {
        "input": kafka("in", tls={"caSecretRef": {"name": "ca"}}, authSecretRef={"name": "reader"}),
        "output": kafka("out", tls={"caSecretRef": {"name": "ca"}}, authSecretRef={"name": "writer"}),
        "deadLetter": kafka("dead", authSecretRef={"name": "writer"}),
    }
    made = seen(serving(stream=stream))
    volumes = child(made, "Deployment", "iris-stream")["spec"]["template"]["spec"]["volumes"]
    assert [each["secret"]["secretName"] for each in volumes if "secret" in each] == [
        "ca",
        "reader",
        "writer",
    ]
    assert config_of(made)["input"] == {
        "uri": "kafka://kafka:9092/in",
        "tls": True,
        "caDir": "/var/run/moorage/secrets/ca",
        "authDir": "/var/run/moorage/secrets/reader",
    }


def test_neither_rolls_because_of_the_other():
    alone, both = seen(serving()), seen(serving(stream=STREAM))
    assert child(both, "Deployment", "iris") == child(alone, "Deployment")
    assert alone.status["revision"] == both.status["revision"]
    other = seen(serving(stream={**STREAM, "output": kafka("elsewhere")}))
    assert other.status["revision"] == both.status["revision"]
    assert revision_of(other) != revision_of(both)
    assert revision_of(seen(serving(stream={**STREAM, "replicas": 2}))) == revision_of(both)
    assert revision_of(seen(serving(stream=STREAM, http={"timeoutSeconds": 9}))) == revision_of(both)


def test_it_is_ready_when_both_are(streaming):
    found, owned = streaming
    assert condition(seen(found, owned), "Ready")["status"] == "True"
    made = seen(found, rolled_out(owned, ready=0, name="iris-stream"))
    assert truths(made) == {"Available": "True", "Ready": "False", "Reconciling": "True", "Stalled": "False"}
    assert condition(made, "Ready")["message"].startswith("spec.stream: rolling out revision")
    made = seen(found, rolled_out(owned, ready=0, name="iris"))
    assert condition(made, "Ready")["status"] == "False"


def test_what_the_workers_count_is_added_up_and_rounded(streaming):
    found, owned = streaming
    revision = revision_of(seen(found, owned))
    numbers = [
        {"lag": 1234, "recordsPerSecond": 51234.5, "deadLettered": 3},
        {"lag": 11, "recordsPerSecond": 49000.0, "deadLettered": 4},
    ]
    reports = [stream_report(revision, pod=f"p{index}", **each) for index, each in enumerate(numbers)]
    made = seen(found, owned, reports=reports)
    assert made.status["stream"] == {
        "replicas": 1, "readyReplicas": 1, "lag": 1200, "recordsPerSecond": "100000", "deadLettered": 7
    }  # fmt: skip
    later = seen(with_status(found, made), owned, now=LATER)
    assert later.status["stream"] == made.status["stream"], "a restart forgets nothing"


def test_a_stream_that_cannot_be_read_is_not_ready_in_the_brokers_words(streaming):
    found, owned = streaming
    report = stream_report(
        revision_of(seen(found, owned)),
        ready=False,
        error="kafka:9092: no such topic in",
        reason="StreamFailed",
    )
    made = seen(found, owned, reports=[report])
    assert truths(made) == {"Available": "True", "Ready": "False", "Reconciling": "True", "Stalled": "False"}
    assert condition(made, "Ready")["reason"] == "StreamFailed"
    assert condition(made, "Ready")["message"] == "spec.stream: kafka:9092: no such topic in"


def test_a_worker_that_starts_has_not_failed(streaming):
    found, owned = streaming
    report = stream_report(revision_of(seen(found, owned)), ready=False, error="model iris is loading")
    made = seen(found, owned, reports=[report])
    assert condition(made, "Ready")["reason"] == "Progressing"
    assert condition(made, "Ready")["message"] == "spec.stream: model iris is loading"


def test_a_model_that_a_worker_cannot_load_stalls(streaming):
    found, owned = streaming
    failed = {"name": "iris", "state": "Failed", "reason": "DigestMismatch", "message": "another artifact"}
    report = stream_report(revision_of(seen(found, owned)), ready=False, models=[failed])
    made = seen(found, owned, reports=[report])
    assert condition(made, "Stalled")["reason"] == "DigestMismatch"
    assert condition(made, "Ready")["message"] == "spec.stream: model iris: another artifact"


def test_the_servers_own_trouble_is_told_first(streaming):
    found, owned = streaming
    failed = {"state": "Failed", "reason": "ModelLoadFailed", "message": "broken pickle"}
    reports = [
        serve_report(found["status"]["revision"], failed, ready=False),
        stream_report(revision_of(seen(found, owned)), ready=False, error="no broker", reason="StreamFailed"),
    ]
    made = seen(found, owned, reports=reports)
    assert condition(made, "Ready")["reason"] == "ModelLoadFailed"


def test_a_pod_in_trouble_is_told(streaming):
    found, owned = streaming
    revision = revision_of(seen(found, owned))
    pod = Report("iris-stream", "p", revision, ready=False, trouble=("CrashLoop", "exit code 1"))
    made = seen(found, rolled_out(owned, ready=0, name="iris-stream"), reports=[pod])
    assert condition(made, "Ready")["reason"] == "CrashLoop"
    assert condition(made, "Ready")["message"] == "spec.stream: exit code 1"


def test_a_stream_of_no_workers_is_ready():
    found = serving(stream={**STREAM, "replicas": 0})
    made = seen(found, all_rolled_out(applied(seen(found))))
    assert condition(made, "Ready")["status"] == "True"
    assert condition(made, "Ready")["message"] == "spec.stream.replicas is 0"


def test_capture_that_fails_is_noted_while_predictions_go_on(streaming):
    found, owned = streaming
    report = stream_report(revision_of(seen(found, owned)), capture={"error": "no broker"})
    made = seen(found, owned, reports=[report])
    assert condition(made, "Ready")["status"] == "True"
    assert condition(made, "Ready")["message"] == "records are predicted, but not captured: no broker"


def test_a_removed_stream_takes_its_children_along(streaming):
    found, owned = streaming
    found = edited(found)
    del found["spec"]["stream"]
    made = seen(found, owned)
    assert names(made, "Deployment") == ["iris"]
    assert names(made, "ConfigMap") == [f"iris-{made.status['revision']}"]
    assert "stream" not in made.status


def test_old_configs_stay_until_their_own_rollout_is_complete(streaming):
    found, owned = streaming
    before = revision_of(seen(found, owned))
    found = edited(found, stream={**STREAM, "output": kafka("elsewhere")})
    made = seen(found, owned)
    after, server = revision_of(made), made.status["revision"]
    assert names(made, "ConfigMap") == sorted(
        [f"iris-{server}", f"iris-stream-{before}", f"iris-stream-{after}"]
    )
    owned = rolled_out(applied(made, owned))
    assert names(seen(found, owned), "ConfigMap") == [f"iris-{server}", f"iris-stream-{after}"]


def test_a_runtime_that_only_serves_is_refused_with_what_can_stream(streaming):
    found, owned = streaming
    spec = {"roles": ["serve"], "image": "x:1", "frameworks": [{"name": "sklearn"}]}
    catalogue = Catalogue.of([*load(), resource("ModelRuntime", "own", spec)])
    made = seen(found, owned, catalogue)
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "NoSupportingRuntime"
    assert condition(made, "Ready")["message"] == (
        "spec.stream: the runtime own, which serves the models, does not have the role stream; "
        "the catalogue has onnx (onnx 1), python (python 3), sklearn (sklearn 1)"
    )
    assert made.status["stream"]["readyReplicas"] == 1, "what runs is still reported"


def test_somebody_elses_deployment_of_the_streams_name_is_not_touched():
    other = child(seen(serving(stream=STREAM)), "Deployment", "iris-stream")
    made = seen(serving(stream=STREAM), foreign=[other])
    assert made.children is None
    assert "Deployment ml/iris-stream" in condition(made, "Stalled")["message"]
