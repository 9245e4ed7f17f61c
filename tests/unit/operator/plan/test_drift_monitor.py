"""What a DriftMonitor's plan makes of its serving and of what its worker reports."""

import json

import pytest

from moorage_operator.plan import Ref, Report, plan, references
from unit.operator.plan.world import (
    CATALOGUE,
    LATER,
    MODEL,
    all_rolled_out,
    applied,
    child,
    condition,
    drift_monitor,
    drift_report,
    edited,
    kinds,
    rolled_out,
    seeing,
    serving,
    truths,
    with_status,
)

CAPTURE = {"kafka": {"bootstrapServers": "kafka:9092", "topic": "iris", "authSecretRef": {"name": "user"}}}
SERVING = serving(capture=CAPTURE)
LABELS = {"kafka": {"bootstrapServers": "kafka:9092", "topic": "labels", "authSecretRef": {"name": "labels"}}}
CONCEPT = {"labels": LABELS, "detectors": [{"name": "ddm", "type": "DDM"}]}


def seen(found, *referenced, **fields):
    return plan(found, CATALOGUE, seeing(*referenced, **fields))


def config_of(made):
    return json.loads(child(made, "ConfigMap")["data"]["config.json"])


def watching(found=None, **fields):
    """(the monitor with status, its owned objects, its revision) once its worker is ready."""
    found = found or drift_monitor(**fields)
    owned = all_rolled_out(applied(seen(found, SERVING)))
    made = seen(found, SERVING, owned=owned)
    return with_status(found, made), owned, made.status["revision"]


DETECTED = {
    "drift": "Detected",
    "data": {"state": "Detected", "message": "petal_length, petal_width"},
    "features": [
        {"name": "petal_length", "value": 0.61234567, "pValue": 1e-200, "state": "Detected"},
        {"name": "sepal_length", "value": 0.0, "pValue": 0.98765, "state": "None"},
    ],
    "lastWindow": {"start": "2026-01-02T03:00:00Z", "end": "2026-01-02T03:01:00Z", "rows": 1000},
    "windows": 12,
    "lag": 1234,
}


def test_it_reads_its_serving():
    assert references(drift_monitor()) == (Ref("ModelServing", "ml", "iris"),)
    stream = {"kafka": CAPTURE["kafka"], "model": "m"}
    assert references(drift_monitor(servingRef=None, stream=stream)) == ()


def test_its_worker_reads_the_captured_events_whether_the_serving_is_ready_or_not():
    schema = {
        "features": [{"name": "petal", "type": "float64"}],
        "outputs": [{"name": "species", "type": "int64"}],
    }
    subject = serving(capture=CAPTURE, models=[{**MODEL, "schema": schema}])
    made = seen(drift_monitor(), subject)
    assert kinds(made) == ["ConfigMap", "Deployment", "NetworkPolicy"]
    told = config_of(made)
    assert told["stream"]["uri"] == "kafka://kafka:9092/iris"
    assert (told["model"], told["features"], told["outputs"]) == (
        "iris",
        schema["features"],
        schema["outputs"],
    )
    assert told["checkpointUri"] == "s3://drift/iris/_checkpoint/"
    deployment = child(made, "Deployment")
    assert deployment["metadata"]["name"] == "iris-drift"
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment["spec"]["replicas"] == 1
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert [each["secret"]["secretName"] for each in volumes if "secret" in each] == ["user"]


def test_before_the_first_window_only_what_is_watched_is_unknown():
    made = seen(drift_monitor(conceptDrift=CONCEPT), SERVING)
    assert truths(made) == {
        "Ready": "False", "Reconciling": "True", "Stalled": "False",
        "DataDrift": "Unknown", "ConceptDrift": "Unknown",
    }  # fmt: skip
    assert condition(made, "DataDrift")["reason"] == "WaitingForWindow"
    assert "drift" not in made.status


@pytest.mark.parametrize(
    ("subject", "reason", "words"),
    [
        ([], "ReferenceNotFound", "ModelServing ml/iris does not exist"),
        ([serving(models=[])], "WaitingForServing", "has an invalid spec"),
        (
            [serving(capture=CAPTURE, models=[{**MODEL, "name": "rose"}, MODEL])],
            "ReferenceNotFound",
            "has no model tulip; it has rose, iris",
        ),
    ],
)
def test_what_is_missing_is_waited_for_and_what_runs_goes_on(subject, reason, words):
    found, owned, revision = watching()
    found = edited(found, servingRef={"name": "iris", "model": "tulip"})
    made = seen(found, *subject, owned=owned, reports=[drift_report(revision, **DETECTED)])
    assert made.children is None
    assert condition(made, "Reconciling")["reason"] == reason
    assert words in condition(made, "Ready")["message"]
    assert (made.status["drift"], made.status["revision"]) == ("Detected", revision)


@pytest.mark.parametrize(
    ("spec", "subject", "message"),
    [
        (
            {},
            serving(),
            "spec.servingRef: ModelServing iris has no spec.capture, so there is nothing to read",
        ),
        (
            {},
            serving(capture={**CAPTURE, "format": "cloudevents"}),
            (
                "spec.servingRef: ModelServing iris captures events as cloudevents; "
                "drift reads native, mlrun-v1, mlrun-v2"
            ),
        ),
        (
            {},
            serving(capture=CAPTURE, models=[MODEL, {**MODEL, "name": "b"}]),
            "spec.servingRef.model: ModelServing iris has iris, b; name one of them",
        ),
        ({"window": {}}, SERVING, "spec.window: exactly one of rows and seconds"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_its_path(spec, subject, message):
    made = seen(drift_monitor(**spec), subject)
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "InvalidSpec"
    assert condition(made, "Ready")["message"] == message


def test_a_detected_drift_is_told_with_its_features():
    found, owned, revision = watching()
    made = seen(found, SERVING, owned=owned, reports=[drift_report(revision, **DETECTED)])
    assert truths(made) == {
        "Ready": "True", "Reconciling": "False", "Stalled": "False", "DataDrift": "True"
    }  # fmt: skip
    assert condition(made, "DataDrift")["reason"] == "DriftDetected"
    assert condition(made, "DataDrift")["message"] == "petal_length, petal_width"
    assert made.status["drift"] == "Detected"
    assert made.status["features"] == [
        {"name": "petal_length", "role": "feature", "statistic": "tvd",
         "value": "0.6123", "pValue": "0", "state": "Detected"},
        {"name": "sepal_length", "role": "feature", "statistic": "tvd",
         "value": "0", "pValue": "0.99", "state": "None"},
    ]  # fmt: skip
    assert made.status["lastWindow"] == DETECTED["lastWindow"]
    assert (made.status["windows"], made.status["lag"]) == (12, 1200)


@pytest.mark.parametrize(
    ("state", "truth", "reason"),
    [
        ("Unknown", "Unknown", "WaitingForWindow"),
        ("None", "False", "NoDrift"),
        ("Possible", "False", "DriftPossible"),
        ("Detected", "True", "DriftDetected"),
    ],
)
def test_each_aspect_has_its_condition(state, truth, reason):
    found, owned, revision = watching(predictionDrift={}, conceptDrift=CONCEPT)
    report = drift_report(revision, prediction={"state": state}, concept={"state": state})
    made = seen(found, SERVING, owned=owned, reports=[report])
    for kind in ("PredictionDrift", "ConceptDrift"):
        assert (condition(made, kind)["status"], condition(made, kind)["reason"]) == (truth, reason)
    assert condition(made, "DataDrift")["status"] == "Unknown"


def test_a_restart_forgets_nothing():
    found, owned, revision = watching()
    found = with_status(
        found, seen(found, SERVING, owned=owned, reports=[drift_report(revision, **DETECTED)])
    )
    down = seen(found, SERVING, owned=rolled_out(owned, total=1, updated=1, ready=0), now=LATER)
    assert condition(down, "Ready")["status"] == "False"
    assert condition(down, "DataDrift") in found["status"]["conditions"]
    for field in ("drift", "features", "lastWindow", "windows", "lag"):
        assert down.status[field] == found["status"][field]
    back = drift_report(revision, drift="None", data={"state": "None"}, windows=13)
    made = seen(with_status(found, down), SERVING, owned=owned, reports=[back], now=LATER)
    assert (made.status["drift"], condition(made, "DataDrift")["status"]) == ("None", "False")
    assert "features" not in made.status


def test_a_worker_of_an_older_revision_does_not_speak_for_the_new_one():
    found, owned, revision = watching()
    found = edited(found, window={"rows": 50})
    made = seen(found, SERVING, owned=owned, reports=[drift_report(revision, **DETECTED)])
    assert made.status["revision"] != revision
    assert condition(made, "DataDrift")["status"] == "Unknown"


@pytest.mark.parametrize(
    ("reason", "stalled"),
    [("ReferenceFailed", "True"), ("StreamFailed", "False"), ("CheckpointFailed", "False")],
)
def test_a_worker_that_does_not_consume_says_why(reason, stalled):
    found, owned, revision = watching()
    words = "s3://data/iris.parquet: needs 400 rows, has 12"
    report = drift_report(revision, ready=False, error=words, reason=reason)
    made = seen(found, SERVING, owned=owned, reports=[report])
    assert (condition(made, "Ready")["status"], condition(made, "Ready")["reason"]) == ("False", reason)
    assert condition(made, "Ready")["message"] == words
    assert condition(made, "Stalled")["status"] == stalled


def test_a_worker_that_starts_has_not_failed():
    found, owned, revision = watching()
    report = drift_report(revision, ready=False, error="starting")
    made = seen(found, SERVING, owned=owned, reports=[report])
    assert (condition(made, "Ready")["reason"], condition(made, "Ready")["message"]) == (
        "Progressing",
        "starting",
    )


def test_results_that_cannot_be_delivered_are_noted():
    found, owned, revision = watching()
    sinks = [
        {"name": "victoria", "error": "connection refused", "pending": 7},
        {"name": "hook", "delivered": 1},
    ]
    made = seen(found, SERVING, owned=owned, reports=[drift_report(revision, sinks=sinks)])
    assert condition(made, "Ready")["status"] == "True"
    assert condition(made, "Ready")["message"] == (
        "drift is judged, but results wait for victoria: connection refused"
    )


def test_a_monitor_of_no_workers_is_ready_and_remembers():
    found, owned, revision = watching()
    found = with_status(
        found, seen(found, SERVING, owned=owned, reports=[drift_report(revision, **DETECTED)])
    )
    found = edited(found, replicas=0)
    made = seen(found, SERVING, owned=owned)
    assert child(made, "Deployment")["spec"]["replicas"] == 0
    assert condition(made, "Ready")["reason"] == "Progressing", "still scaling down"
    made = seen(found, SERVING, owned=all_rolled_out(applied(made, owned)))
    assert (condition(made, "Ready")["status"], condition(made, "Ready")["reason"]) == (
        "True",
        "ScaledToZero",
    )
    assert made.status["drift"] == "Detected"
    assert made.status["revision"] == revision, "how many there are is no part of what they are"


def test_the_config_of_the_old_revision_stays_until_the_new_one_is_ready():
    found, owned, revision = watching()
    found = edited(found, window={"rows": 50})
    made = seen(found, SERVING, owned=owned)
    owned = applied(made, owned)
    maps = {each["metadata"]["name"] for each in owned if each["kind"] == "ConfigMap"}
    assert maps == {f"iris-drift-{revision}", f"iris-drift-{made.status['revision']}"}
    made = seen(found, SERVING, owned=all_rolled_out(owned))
    assert child(made, "ConfigMap")["metadata"]["name"] == f"iris-drift-{made.status['revision']}"


def test_secrets_of_every_sink_are_mounted_and_named_by_folder_only():
    target = {
        "url": "http://tsdb/write",
        "basicAuthSecretRef": {"name": "basic"},
        "caSecretRef": {"name": "ca"},
    }
    sinks = {
        "timeseries": [
            {"name": "vm", "prometheusRemoteWrite": target},
            {"name": "influx", "influx": {"url": "http://influx", "database": "d"}},
        ],
        "alerts": [
            {"name": "hook", "webhook": {"url": "http://hook", "bearerTokenSecretRef": {"name": "token"}}},
            {"name": "topic", "kafka": {**CAPTURE["kafka"], "authSecretRef": {"name": "alerts"}}},
        ],
    }
    storage = {"credentialsSecretRef": {"name": "keys"}}
    checkpoint = {"uri": "pvc://state/drift"}
    spec = {"sinks": sinks, "storage": storage, "checkpoint": checkpoint, "conceptDrift": CONCEPT}
    made = seen(drift_monitor(**spec), SERVING)
    pod = child(made, "Deployment")["spec"]["template"]["spec"]
    secrets = {each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
    assert secrets == {"user", "labels", "alerts", "basic", "ca", "token"}
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "keys"}}]
    (claim,) = [each for each in pod["containers"][0]["volumeMounts"] if "pvc" in each["mountPath"]]
    assert "readOnly" not in claim
    told = config_of(made)
    assert told["checkpointUri"] == "pvc://state/drift"
    assert told["timeseries"] == [
        {
            "name": "vm",
            "protocol": "prometheusRemoteWrite",
            "target": {
                "url": "http://tsdb/write",
                "basicAuthDir": "/var/run/moorage/secrets/basic",
                "caDir": "/var/run/moorage/secrets/ca",
            },
        },
        {"name": "influx", "protocol": "influx", "target": {"url": "http://influx"}, "database": "d"},
    ]
    assert told["alerts"][0]["webhook"]["tokenDir"] == "/var/run/moorage/secrets/token"
    assert told["alerts"][1]["stream"]["authDir"] == "/var/run/moorage/secrets/alerts"


def test_a_changed_topic_of_the_serving_starts_a_new_revision():
    _, owned, revision = watching()
    moved = serving(capture={"kafka": {**CAPTURE["kafka"], "topic": "elsewhere"}})
    made = seen(drift_monitor(), moved, owned=owned)
    assert made.status["revision"] != revision


def test_a_pod_in_trouble_is_told():
    found, owned, revision = watching()
    pod = Report("iris-drift", "p", revision, ready=False, trouble=("CrashLoop", "exit code 1"))
    made = seen(found, SERVING, owned=rolled_out(owned, ready=0), reports=[pod])
    assert condition(made, "Ready")["reason"] == "CrashLoop"


def test_a_pause_touches_nothing():
    found = drift_monitor()
    found["metadata"]["annotations"] = {"moorage.dev/reconcile": "paused"}
    for made in (seen(found, SERVING), seen(found)):
        assert made.children is None
        assert condition(made, "Stalled")["reason"] == "Paused"


def test_a_spec_that_becomes_wrong_keeps_what_was_known():
    found, owned, revision = watching(predictionDrift={})
    found = with_status(
        found, seen(found, SERVING, owned=owned, reports=[drift_report(revision, **DETECTED)])
    )
    made = seen(edited(found, window={}), SERVING, owned=owned)
    assert made.children is None
    assert condition(made, "Stalled")["reason"] == "InvalidSpec"
    assert condition(made, "DataDrift")["status"] == "True"
    assert (made.status["drift"], made.status["revision"]) == ("Detected", revision)
