"""What a ModelServing's plan makes of what happens to it."""

import json

import pytest

from moorage_operator.plan import Observed, Report, plan, references
from unit.operator.plan.world import (
    CATALOGUE,
    LATER,
    MODEL,
    NOW,
    applied,
    child,
    condition,
    edited,
    kinds,
    ready_serving,
    rolled_out,
    serve_report,
    serving,
    truths,
    with_status,
)


def seen(found, owned=(), **fields):
    return plan(found, CATALOGUE, Observed(owned=owned, **{"now": NOW, **fields}))


def config_of(made):
    return json.loads(child(made, "ConfigMap")["data"]["config.json"])


@pytest.fixture
def serving_well():
    """(resource with status, its owned objects) of a rolled-out ModelServing."""
    found = serving()
    owned = rolled_out(applied(seen(found)))
    return with_status(found, seen(found, owned)), owned


def test_a_new_serving_gets_its_children_and_is_being_reconciled():
    made = seen(serving())
    assert kinds(made) == ["ConfigMap", "Deployment", "NetworkPolicy", "Service"]
    assert truths(made) == {
        "Available": "False", "Ready": "False", "Reconciling": "True", "Stalled": "False"
    }  # fmt: skip
    assert made.status["models"] == [{"name": "iris", "framework": "sklearn", "state": "Loading"}]
    assert references(serving()) == ()


def test_a_finished_rollout_is_ready_with_what_the_pods_report(serving_well):
    found, owned = serving_well
    revision = found["status"]["revision"]
    report = serve_report(revision, {"digest": "d" * 64, "predictor": "sklearn"})
    made = seen(found, owned, reports=[report])
    assert truths(made) == {"Available": "True", "Ready": "True", "Reconciling": "False", "Stalled": "False"}
    assert made.status["models"] == [
        {"name": "iris", "framework": "sklearn", "digest": "d" * 64, "predictor": "sklearn", "state": "Ready"}
    ]
    assert made.status["url"] == made.status["address"]["url"] == "http://iris.ml.svc"
    assert (made.status["replicas"], made.status["readyReplicas"]) == (1, 1)
    assert made.status["runtime"] == "sklearn"
    assert made.status["selector"] == "app.kubernetes.io/name=modelserving,moorage.dev/name=iris"


def test_a_bad_revision_is_not_ready_while_the_old_one_still_answers(serving_well):
    found, owned = serving_well
    old = found["status"]["revision"]
    found = edited(found, models=[{**MODEL, "uri": "s3://models/broken"}])
    made = seen(found, owned)
    new = made.status["revision"]
    assert new != old
    owned = rolled_out(applied(made, owned), total=2, updated=1, ready=1)
    failed = {"state": "Failed", "reason": "ModelLoadFailed", "message": "s3://models/broken: no such object"}
    reports = [
        serve_report(old, {"digest": "a" * 64}, pod="old"),
        serve_report(new, failed, pod="new", ready=False),
    ]
    made = seen(with_status(found, made), owned, reports=reports)
    assert truths(made) == {"Available": "True", "Ready": "False", "Reconciling": "False", "Stalled": "True"}
    assert condition(made, "Ready")["reason"] == "ModelLoadFailed"
    assert condition(made, "Ready")["message"] == "model iris: s3://models/broken: no such object"
    assert made.status["models"][0]["state"] == "Failed"
    assert "digest" not in made.status["models"][0], "that of the old revision is not the new one's"
    maps = {each["metadata"]["name"] for each in made.children if each["kind"] == "ConfigMap"}
    assert maps == {f"iris-{old}", f"iris-{new}"}, "an old pod must still be able to restart"


def test_the_old_config_goes_when_the_rollout_is_complete(serving_well):
    found, owned = serving_well
    found = edited(found, models=[{**MODEL, "uri": "s3://models/v2"}])
    made = seen(found, owned)
    owned = rolled_out(applied(made, owned))
    made = seen(found, owned)
    assert [each["metadata"]["name"] for each in made.children if each["kind"] == "ConfigMap"] == [
        f"iris-{made.status['revision']}"
    ]
    assert condition(made, "Ready")["status"] == "True"


def test_a_deployments_status_about_an_older_spec_is_not_believed(serving_well):
    found, owned = serving_well
    for each in owned:
        if each["kind"] == "Deployment":
            each["metadata"]["generation"] = 2
            each["status"]["observedGeneration"] = 1
    assert condition(seen(found, owned), "Ready")["reason"] == "Progressing"


def test_the_revision_depends_on_what_the_pods_are_and_not_on_how_many():
    revision = seen(serving()).status["revision"]
    assert seen(serving(replicas=7)).status["revision"] == revision
    assert seen(serving(http={"timeoutSeconds": 30})).status["revision"] == revision, "a default written out"
    assert seen(serving(http={"timeoutSeconds": 31})).status["revision"] != revision
    assert seen(serving(pod={"nodeSelector": {"disk": "ssd"}})).status["revision"] != revision


def test_replicas_are_left_to_an_autoscaler_once_the_deployment_exists():
    made = seen(serving())
    assert child(made, "Deployment")["spec"]["replicas"] == 1
    owned = applied(made)
    child(owned, "Deployment")["spec"]["replicas"] = 5
    made = seen(serving(), rolled_out(owned, total=5, updated=5, ready=5))
    assert "replicas" not in child(made, "Deployment")["spec"]
    assert condition(made, "Ready")["status"] == "True"
    assert "PodDisruptionBudget" in kinds(made)


def test_a_manifest_that_says_how_many_wins_over_what_exists():
    owned = applied(seen(serving()))
    made = seen(serving(replicas=3), rolled_out(owned))
    assert child(made, "Deployment")["spec"]["replicas"] == 3
    assert condition(made, "Ready")["status"] == "False", "one of three is not what was asked for"
    assert child(made, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_zero_replicas_are_ready_and_not_available():
    found = serving(replicas=0)
    owned = applied(seen(found))
    made = seen(found, rolled_out(owned, total=1, updated=1, ready=1))
    assert condition(made, "Ready")["status"] == "False", "still scaling down"
    made = seen(found, rolled_out(owned, total=0, updated=0, ready=0))
    assert condition(made, "Ready")["status"] == "True"
    assert condition(made, "Ready")["reason"] == "ScaledToZero"
    assert condition(made, "Available")["status"] == "False"
    assert "models" not in made.status


def test_pods_with_different_artifacts_are_a_mismatch():
    found = serving(replicas=2)
    owned = rolled_out(applied(seen(found)), total=2, updated=2, ready=2)
    revision = seen(found).status["revision"]
    reports = [serve_report(revision, {"digest": letter * 64}, pod=letter) for letter in "ab"]
    made = seen(found, owned, reports=reports)
    assert condition(made, "Ready")["reason"] == "DigestMismatch"
    assert made.status["models"][0]["reason"] == "DigestMismatch"
    assert "digest" not in made.status["models"][0]


def test_one_failed_model_is_tolerated_where_any_is_enough():
    models = [MODEL, {**MODEL, "name": "other"}]
    failed = {"name": "other", "state": "Failed", "reason": "ModelLoadFailed", "message": "broken pickle"}
    for ready_when, ready in (("AnyModel", "True"), ("AllModels", "False")):
        found = serving(models=models, http={"readyWhen": ready_when})
        owned = rolled_out(applied(seen(found)))
        report = serve_report(seen(found).status["revision"], {}, failed)
        made = seen(found, owned, reports=[report])
        assert condition(made, "Ready")["status"] == ready
        assert condition(made, "Ready")["message"] == "model other: broken pickle"
        assert [model["state"] for model in made.status["models"]] == ["Ready", "Failed"]


@pytest.mark.parametrize(
    ("trouble", "reason", "message", "stalled"),
    [
        (("CrashLoop", "exit code 1"), "CrashLoop", "exit code 1", "False"),
        (("NotRunnableLocally", "image x:1"), "NotRunnableLocally", "image x:1", "True"),
        (
            ("ImagePullBackOff", "x:1 not found"),
            "MinimumReplicasUnavailable",
            "ImagePullBackOff: x:1 not found",
            "False",
        ),
    ],
)
def test_trouble_of_pods_is_told_by_its_reason(trouble, reason, message, stalled):
    found = serving()
    revision = seen(found).status["revision"]
    report = Report(owner="iris", pod="iris-1", revision=revision, ready=False, trouble=trouble)
    made = seen(found, rolled_out(applied(seen(found)), ready=0), reports=[report])
    ready = condition(made, "Ready")
    assert (ready["reason"], ready["message"]) == (reason, message)
    assert condition(made, "Stalled")["status"] == stalled


@pytest.mark.parametrize(
    ("written", "stalled", "word"),
    [
        (
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
            "True",
            "deadline",
        ),
        (
            {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"},
            "False",
            "exceeded quota",
        ),
    ],
)
def test_what_the_deployment_says_of_itself_is_passed_on(written, stalled, word):
    found = serving()
    owned = rolled_out(applied(seen(found)), total=0, updated=0, ready=0)
    child(owned, "Deployment")["status"]["conditions"] = [written]
    made = seen(found, owned)
    assert condition(made, "Stalled")["status"] == stalled
    assert word in condition(made, "Ready")["message"]


def test_a_failing_capture_is_said_and_takes_no_prediction_away(serving_well):
    found, owned = serving_well
    report = serve_report(found["status"]["revision"], {}, capture_error="kafka:9092: refused")
    made = seen(found, owned, reports=[report])
    assert condition(made, "Ready")["status"] == "True"
    assert "kafka:9092: refused" in condition(made, "Ready")["message"]
    made = seen(found, rolled_out(owned, ready=0), reports=[report])
    assert condition(made, "Ready")["reason"] == "CaptureFailed"


def test_an_invalid_edit_names_the_field_and_leaves_what_runs_alone(serving_well):
    found, owned = serving_well
    bad = edited(found, models=[{**MODEL, "uri": "ftp://models/iris"}], replicas=-1)
    made = seen(bad, owned)
    assert made.children is None
    assert truths(made) == {"Available": "True", "Ready": "False", "Reconciling": "False", "Stalled": "True"}
    message = condition(made, "Stalled")["message"]
    assert condition(made, "Stalled")["reason"] == "InvalidSpec"
    assert "spec.models[0].uri" in message
    assert "spec.replicas" in message
    assert made.status["observedGeneration"] == 2
    assert made.status["revision"] == found["status"]["revision"], "what runs, not what cannot be read"
    assert made.status["readyReplicas"] == 1
    assert made.status["runtime"] == "sklearn"


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"pod": {"env": [{"name": "SERVING_MODEL_iris", "value": "/x"}]}}, "spec.pod.env[0].name"),
        ({"pod": {"volumes": [{"name": "moorage-x", "emptyDir": {}}]}}, "spec.pod.volumes[0].name"),
        ({"models": [{**MODEL, "uri": "pvc://UPPER/x"}]}, "spec.models[0].uri"),
        ({"models": [{**MODEL, "code": {"uri": "pvc://a-/x"}}]}, "spec.models[0].code.uri"),
    ],
)
def test_what_no_schema_can_see_is_refused_with_its_path(spec, path):
    made = seen(serving(**spec))
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "InvalidSpec"
    assert condition(made, "Stalled")["message"].startswith(f"{path}: ")


def test_a_pause_stops_every_write_and_says_so(serving_well):
    found, owned = serving_well
    found["metadata"]["annotations"] = {"moorage.dev/reconcile": "paused"}
    made = seen(found, owned)
    assert made.children is None
    assert condition(made, "Ready")["status"] == "True", "what runs is still what was asked for"
    made = seen(edited(found, models=[{**MODEL, "uri": "s3://models/v2"}]), owned)
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "Paused"


def test_somebody_elses_object_is_named_and_not_touched():
    other = {"kind": "Service", "metadata": {"name": "iris", "namespace": "ml"}}
    made = seen(serving(), foreign=[other])
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "NameConflict"
    assert "Service ml/iris" in condition(made, "Stalled")["message"]
    unrelated = {"kind": "Service", "metadata": {"name": "other", "namespace": "ml"}}
    assert seen(serving(), foreign=[unrelated]).children is not None


def test_a_missing_runtime_never_takes_a_running_serving_down(serving_well):
    found, owned = serving_well
    found = edited(found, models=[{**MODEL, "framework": {"name": "torch"}}])
    made = seen(found, owned)
    assert made.children is None
    assert condition(made, "Ready")["reason"] == "NoSupportingRuntime"
    assert condition(made, "Available")["status"] == "True"


def test_secrets_are_mounted_or_referenced_and_the_config_says_only_where():
    kafka = {
        "bootstrapServers": "a:1,b:2",
        "topic": "t",
        "tls": {"caSecretRef": {"name": "ca"}},
        "authSecretRef": {"name": "user"},
    }
    found = serving(capture={"kafka": kafka}, storage={"credentialsSecretRef": {"name": "keys"}})
    made = seen(found)
    assert config_of(made)["capture"]["stream"] == {
        "uri": "kafka://a:1,b:2/t",
        "tls": True,
        "caDir": "/var/run/moorage/secrets/ca",
        "authDir": "/var/run/moorage/secrets/user",
    }
    spec = child(made, "Deployment")["spec"]["template"]["spec"]
    mounted = {
        volume["secret"]["secretName"]: mount["mountPath"]
        for volume in spec["volumes"]
        for mount in spec["containers"][0]["volumeMounts"]
        if "secret" in volume and mount["name"] == volume["name"]
    }
    assert mounted == {"ca": "/var/run/moorage/secrets/ca", "user": "/var/run/moorage/secrets/user"}
    assert spec["containers"][0]["envFrom"] == [{"secretRef": {"name": "keys"}}]


def test_a_users_own_mount_takes_the_place_of_the_cache():
    pod = {
        "volumes": [{"name": "fast", "csi": {"driver": "fast.example.com"}}],
        "volumeMounts": [{"name": "fast", "mountPath": "/var/cache/moorage"}],
    }
    spec = child(seen(serving(pod=pod)), "Deployment")["spec"]["template"]["spec"]
    paths = [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]]
    assert paths.count("/var/cache/moorage") == 1
    assert {mount["name"] for mount in spec["containers"][0]["volumeMounts"]} == {
        volume["name"] for volume in spec["volumes"]
    }


def test_a_custom_image_is_probed_by_the_open_inference_protocol():
    team = {
        "kind": "ModelRuntime",
        "metadata": {"name": "triton", "namespace": "ml"},
        "spec": {
            "image": "triton:25",
            "command": ["tritonserver"],
            "frameworks": [{"name": "sklearn"}],
            "env": [{"name": "A", "value": "runtime"}, {"name": "B", "value": "runtime"}],
        },
    }
    catalogue = type(CATALOGUE).of([team])
    found = serving(pod={"env": [{"name": "A", "value": "user"}]})
    container = child(plan(found, catalogue, Observed()), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ][0]
    assert container["command"] == ["tritonserver"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8080}
    assert container["env"] == [{"name": "A", "value": "user"}, {"name": "B", "value": "runtime"}]


def test_accepted_requests_have_time_to_end_before_the_pod_is_killed():
    made = seen(serving(http={"timeoutSeconds": 90}))
    assert config_of(made)["http"]["drainSeconds"] == 90
    spec = child(made, "Deployment")["spec"]["template"]["spec"]
    before = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > before + 90


def test_transition_times_stay_until_the_condition_changes():
    found = ready_serving()
    owned = rolled_out(applied(seen(found)))
    made = seen(found, owned, now=LATER)
    assert made.status == found["status"]
    made = seen(found, rolled_out(owned, ready=0), now=LATER)
    assert condition(made, "Ready")["lastTransitionTime"] == "2026-01-02T04:00:00Z"
    assert condition(made, "Stalled")["lastTransitionTime"] == "2026-01-02T03:04:05Z"


def test_models_of_one_claim_share_its_volume():
    models = [{**MODEL, "name": name, "uri": f"pvc://models/{name}"} for name in "ab"]
    spec = child(seen(serving(models=models)), "Deployment")["spec"]["template"]["spec"]
    assert [each for each in spec["volumes"] if "persistentVolumeClaim" in each] == [
        {"name": "moorage-claim-models", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}}
    ]
