"""What local mode stores, and what it refuses, in kubectl's words."""

import pytest

from moorage_operator.local.apiserver.admission import admit
from moorage_operator.local.apiserver.yaml import ManifestError, read_text

SERVING = """
apiVersion: moorage.dev/v1alpha1
kind: ModelServing
metadata: {name: iris}
spec:
  models: [{name: m, uri: "s3://a/b", framework: {name: sklearn, version: "1"}}]
"""


def admitted(text, namespace=None):
    (document,) = read_text(text, "iris.yaml")
    return admit(document, namespace)


def refusal(text, namespace=None):
    with pytest.raises(ManifestError) as error:
        admitted(text, namespace)
    return str(error.value)


def test_an_admitted_object_has_a_namespace_and_its_defaults():
    obj = admitted(SERVING + "  http: {timeoutSeconds: 5}\n")
    assert obj["metadata"] == {"name": "iris", "namespace": "default"}
    assert obj["spec"]["http"]["maxInFlight"] == 1024
    assert obj["spec"]["http"]["timeoutSeconds"] == 5


def test_the_namespace_is_the_manifests_or_the_asked_one():
    assert admitted(SERVING, "team")["metadata"]["namespace"] == "team"
    written = SERVING.replace("{name: iris}", "{name: iris, namespace: a}")
    assert admitted(written)["metadata"]["namespace"] == "a"
    assert 'the namespace from the provided object "a" does not match the namespace "b"' in refusal(
        written, "b"
    )


def test_a_cluster_scoped_object_gets_no_namespace():
    text = "apiVersion: moorage.dev/v1alpha1\nkind: ClusterModelRuntime\nmetadata: {name: x}\nspec: {image: a/b:1}"
    assert "namespace" not in admitted(text, "team")["metadata"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", 'error validating "iris.yaml": error validating data: [apiVersion not set, kind not set]'),
        ("kind: ModelServing", "[apiVersion not set]"),
        ("{kind: ModelServing, apiVersion: v1}", "ModelServing: metadata.name: a name is required"),
        ("{kind: ModelServing, apiVersion: v1, metadata: {generateName: x}}", "a name is required"),
        (
            "{kind: Ingress, apiVersion: v1, metadata: {name: x}}",
            'no matches for kind "Ingress" in version "v1"',
        ),
        (SERVING.replace("moorage.dev/v1alpha1", "moorage.dev/v9"), 'in version "moorage.dev/v9"'),
        (SERVING.replace("models:", "modles:"), 'error validating "iris.yaml": unknown field "spec.modles"'),
        (
            SERVING.replace('uri: "s3://a/b", ', ""),
            'The ModelServing "iris" is invalid: spec.models[0].uri: ',
        ),
        (SERVING.replace('version: "1"', "version: 1.0"), "quote it"),
    ],
)
def test_what_is_wrong_is_named(text, words):
    assert words in refusal(text)


def scheduled(trigger):
    return f"""
apiVersion: moorage.dev/v1alpha1
kind: ModelTest
metadata: {{name: nightly}}
spec:
  servingRef: {{name: iris}}
  dataset: {{uri: "s3://a/b.csv", labelColumn: label}}
  trigger: {{type: Schedule, {trigger}}}
"""


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        ('schedule: "99 * * * *"', "spec.trigger.schedule: must be minute (0-59), hour (0-23)"),
        ('schedule: "0 0 31 2 *"', "spec.trigger.schedule: '0 0 31 2 *' is not a cron expression"),
        ('schedule: "0 9-5 * * *"', "spec.trigger.schedule: '0 9-5 * * *' is not a cron expression"),
        (
            'schedule: "0 0 * * *", timeZone: Mars/Base',
            "spec.trigger.timeZone: there is no time zone 'Mars/Base'",
        ),
        ('schedule: "0 0 * * *", timeZone: Europe', "spec.trigger.timeZone: there is no time zone 'Europe'"),
    ],
)
def test_a_schedule_that_never_comes_is_refused(trigger, words):
    assert f'The ModelTest "nightly" is invalid: {words}' in refusal(scheduled(trigger))


def test_a_schedule_in_kubernetes_words_is_stored():
    stored = admitted(scheduled('schedule: "*/5 8-18 ? jan-feb MON", timeZone: Europe/Berlin'))
    assert stored["spec"]["trigger"]["schedule"] == "*/5 8-18 ? jan-feb MON"


def test_several_faults_are_listed():
    told = refusal(SERVING.replace('uri: "s3://a/b", ', "") + "  replicas: -1\n")
    assert told.startswith('The ModelServing "iris" is invalid:\n* ')
    assert "\n* spec.replicas: " in told


def test_the_object_of_several_is_numbered():
    documents = read_text(SERVING + "---\n{kind: Foo}\n", "iris.yaml")
    with pytest.raises(ManifestError, match=r'error validating "iris.yaml" \(object 2\)'):
        admit(documents[1])


def secret(fields):
    return f"{{apiVersion: v1, kind: Secret, metadata: {{name: s}}, {fields}}}"


def test_plain_text_of_a_secret_is_stored_encoded_and_wins():
    obj = admitted(secret("data: {a: YQ==, b: Yg==}, stringData: {b: new}"))
    assert obj["data"] == {"a": "YQ==", "b": "bmV3"}
    assert "stringData" not in obj


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (secret("data: {a: '*'}"), 'The Secret "s" is invalid: data.a: is not base64'),
        (secret("stringData: {port: 80}"), "stringData.port: must be a string: quote it"),
        (secret("data: [1]"), "data: must be a map"),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {name: A_b}}", "metadata.name: Invalid value: 'A_b'"),
        (
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, binaryData: {a: '*'}}",
            "binaryData.a: is not base64",
        ),
    ],
)
def test_faults_of_core_objects(text, words):
    assert words in refusal(text)


def test_a_config_map_may_hold_any_text():
    obj = admitted("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: '*', b: ''}}")
    assert obj["data"] == {"a": "*", "b": ""}


def test_a_schedule_of_a_batch_prediction_is_checked_too():
    batch = """
apiVersion: moorage.dev/v1alpha1
kind: BatchPrediction
metadata: {name: nightly}
spec:
  servingRef: {name: iris}
  input: {uri: s3://data/all.csv}
  output: {uri: s3://predictions/all}
  schedule: SCHEDULE
  timeZone: ZONE
"""
    stored = admitted(batch.replace("SCHEDULE", "0 2 * * *").replace("ZONE", "Europe/Berlin"))
    assert stored["spec"]["parallelism"] == 1
    said = refusal(batch.replace("SCHEDULE", "0 0 31 2 *").replace("ZONE", "Etc/UTC"))
    assert "spec.schedule: '0 0 31 2 *' is not a cron expression" in said
    said = refusal(batch.replace("SCHEDULE", "0 2 * * *").replace("ZONE", "Mars/Base"))
    assert "spec.timeZone: there is no time zone 'Mars/Base'" in said
