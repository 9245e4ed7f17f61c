"""From a pod template to a process."""

import base64
import json
from pathlib import Path

import pytest

from moorage_operator.local.kubelet.addresses import Places
from moorage_operator.local.kubelet.identity import with_index
from moorage_operator.local.kubelet.launch import CannotStart, compose

FOLDER = Path("/pods/p")
IMAGES = {"ghcr.io/moorage/runtime-": ("python", "-m", "moorage_runtime")}
CONFIG = {
    "name": "iris",
    "models": [{"name": "m", "uri": "s3://b/k", "framework": "sklearn"}],
    "capture": {"stream": {"uri": "kafka://k:1/t", "authDir": "/var/run/moorage/secrets/user"}},
}


def template(*, volumes=(), mounts=(), **container):
    return {
        "metadata": {"labels": {"moorage.dev/revision": "r1"}},
        "spec": {
            "terminationGracePeriodSeconds": 40,
            "containers": [
                {
                    "name": "runtime",
                    "image": "ghcr.io/moorage/runtime-sklearn:0.1.0",
                    "args": ["serve", "--config", "/etc/moorage/config.json"],
                    "volumeMounts": [
                        {"name": "config", "mountPath": "/etc/moorage"},
                        {"name": "tmp", "mountPath": "/tmp"},
                        *mounts,
                    ],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8082}, "periodSeconds": 2},
                    **container,
                }
            ],
            "volumes": [
                {"name": "config", "configMap": {"name": "iris-r1"}},
                {"name": "tmp", "emptyDir": {}},
                *volumes,
            ],
        },
    }


def config_map(name="iris-r1", **data):
    return {
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data or {"config.json": json.dumps(CONFIG)},
    }


def secret(name, **data):
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"kind": "Secret", "metadata": {"name": name}, "data": encoded}


def launch(made, *objects, **places):
    held = {(each["kind"], each["metadata"]["name"]): each for each in (config_map(), *objects)}
    return compose(
        made,
        pod="p",
        folder=FOLDER,
        places=Places(state=Path("/state"), http_port=8080, management_port=9001, **places),
        lookup=lambda kind, name: held.get((kind, name)),
        images=IMAGES,
        inherited={"PATH": "/bin", "TMPDIR": "/elsewhere"},
    )


def test_command_files_and_environment():
    made = launch(template(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(X)$$(A)"}]))
    config_file = FOLDER / "volumes/config/config.json"
    assert made.command == ("python", "-m", "moorage_runtime", "serve", "--config", str(config_file))
    config = json.loads(made.files[config_file])
    assert config["models"][0]["uri"] == "/state/objects/b/k"
    assert config["http"]["port"] == 8080
    assert config["managementPort"] == 9001
    assert made.env["A"] == "1"
    assert made.env["B"] == "1$(X)$(A)"
    assert made.env["PATH"] == "/bin"
    assert made.env["TMPDIR"] == str(FOLDER / "volumes/tmp")
    assert made.env["MOORAGE_TERMINATION_LOG"] == str(FOLDER / "termination-log")
    assert made.grace == 40
    assert Path("/state/streams/t") in made.folders
    assert made.readiness.path == "/ready"
    assert made.liveness is None


def test_addresses_in_the_environment_are_those_of_this_machine():
    env = [
        {"name": "INFERENCE_STREAM", "value": "kafka://k:1/t"},
        {"name": "DATA", "value": "/etc/moorage/x"},
    ]
    made = launch(template(env=env))
    assert made.env["INFERENCE_STREAM"] == "/state/streams/t"
    assert made.env["DATA"] == str(FOLDER / "volumes/config/x")


def test_secrets_and_config_maps_become_files_and_environment():
    made = launch(
        template(
            volumes=[
                {"name": "s", "secret": {"secretName": "token", "items": [{"key": "word", "path": "a/b"}]}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "models"}},
            ],
            mounts=[
                {"name": "s", "mountPath": "/s"},
                {"name": "c", "mountPath": "/models", "subPath": "sub"},
            ],
            envFrom=[{"secretRef": {"name": "token"}, "prefix": "T_"}, {"configMapRef": {"name": "flags"}}],
            env=[
                {"name": "W", "valueFrom": {"secretKeyRef": {"name": "token", "key": "word"}}},
                {"name": "N", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": True}}},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {
                    "name": "R",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['moorage.dev/revision']"}},
                },
                {"name": "M", "value": "/models/m"},
            ],
        ),
        secret("token", word="sesame"),
        config_map("flags", FLAG="on"),
    )
    assert made.files[FOLDER / "volumes/s/a/b"] == b"sesame"
    assert {key: made.env.get(key) for key in ("T_word", "FLAG", "W", "N", "POD", "R", "M")} == {
        "T_word": "sesame",
        "FLAG": "on",
        "W": "sesame",
        "N": None,
        "POD": "p",
        "R": "r1",
        "M": "/state/volumes/models/sub/m",
    }


AUTH = {
    "volumes": [{"name": "u", "secret": {"secretName": "user"}}],
    "mounts": [{"name": "u", "mountPath": "/var/run/moorage/secrets/user"}],
}


def test_a_secret_for_what_a_folder_replaces_is_not_asked_for():
    made = launch(template(**AUTH, envFrom=[{"secretRef": {"name": "s3"}}]))
    assert "authDir" not in json.loads(made.files[FOLDER / "volumes/config/config.json"])["capture"]["stream"]


@pytest.mark.parametrize(
    ("made", "places", "reason", "message"),
    [
        (template(**AUTH), {"kafka": "h:1"}, "CreateContainerConfigError", "Secret user not found"),
        (
            template(envFrom=[{"secretRef": {"name": "s3"}}]),
            {"object_store": "http://h:1"},
            "CreateContainerConfigError",
            "Secret s3 not found",
        ),
        (
            template(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "iris-r1", "key": "no"}}}]),
            {},
            "CreateContainerConfigError",
            "ConfigMap iris-r1 has no key no",
        ),
        (
            template(
                volumes=[{"name": "v", "configMap": {"name": "gone"}}],
                mounts=[{"name": "v", "mountPath": "/v"}],
            ),
            {},
            "CreateContainerConfigError",
            "ConfigMap gone not found",
        ),
        (template(image="other:1"), {}, "NotRunnableLocally", "image other:1 needs a container"),
        (template(command=["sh"]), {}, "NotRunnableLocally", "command sh of"),
        (
            template(volumes=[{"name": "v", "csi": {}}], mounts=[{"name": "v", "mountPath": "/v"}]),
            {},
            "NotRunnableLocally",
            "volume v",
        ),
        (
            template(env=[{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]),
            {},
            "NotRunnableLocally",
            "env A",
        ),
    ],
)
def test_what_cannot_start_says_why(made, places, reason, message):
    with pytest.raises(CannotStart, match=message) as refusal:
        launch(made, **places)
    assert refusal.value.reason == reason


def test_a_config_that_leaves_its_folder_cannot_start():
    bad = {**CONFIG, "models": [{**CONFIG["models"][0], "uri": "s3://b/../../k"}]}
    with pytest.raises(CannotStart, match=r"s3://b/\.\./\.\./k"):
        launch(template(), config_map(**{"config.json": json.dumps(bad)}))


BATCH = {
    "name": "all",
    "model": CONFIG["models"][0],
    "input": {"uri": "s3://data/2026/*.parquet"},
    "outputUri": "s3://predictions/all",
    "cacheDir": "/tmp/cache",
}


def test_a_worker_of_an_indexed_job_is_told_its_index_and_its_management_port():
    made = launch(
        with_index(template(args=["batch", "--config", "/etc/moorage/config.json"]), 7),
        config_map(**{"config.json": json.dumps(BATCH)}),
    )
    config = json.loads(made.files[FOLDER / "volumes/config/config.json"])
    assert made.env["JOB_COMPLETION_INDEX"] == "7"
    assert (config["host"], config["managementPort"], made.managed) == ("127.0.0.1", 9001, True)
    assert config["input"]["uri"] == "/state/objects/data/2026/*.parquet"
    assert config["outputUri"] == "/state/objects/predictions/all"
    assert config["cacheDir"] == str(FOLDER / "volumes/tmp/cache")
