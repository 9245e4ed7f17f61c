"""CEL on the server and Python here are two forms of each rule: every combination of fields gets one answer."""

import copy
import itertools

import pytest

from moorage_api import crd
from parts.apiserver import ApiError
from support.kinds import path
from support.manifests import minimal, put

ABSENT = None
KAFKA = {"bootstrapServers": "kafka:9092", "topic": "t"}
NUMBERS = [
    "1",
    "-1",
    "+1",
    "1.",
    ".5",
    "1.50",
    "1e3",
    "1E-3",
    "1e999",
    "",
    " 1",
    "1\n",
    "NaN",
    "inf",
    "0x1",
    "1_000",
]
NAMES = [
    "a",
    "A",
    "a-b",
    "a_b",
    "a.b",
    "-a",
    ".a",
    "v1",
    "V1",
    "repository",
    "a b",
    "\u00e4",
    "a\n",
    "1",
    "x" * 63,
    "x" * 64,
]
URIS = [
    "s3://b/k", "s3:///k", "s3://b", "S3://b/k", "file:///m", "file://m", "/m", "http://h/m", "http://h", "http://u@h/m",
    "pvc://c/p", "pvc://C/p", "pvc://c", "az://b/k", "s3://b/k y", "s3://b/k\n", "",
]  # fmt: skip
COMBINATIONS = {
    "code": (
        "ModelServing",
        {
            "spec.models[0].code": [{}],
            "spec.models[0].code.uri": [ABSENT, "s3://b/k.zip"],
            "spec.models[0].code.configMapRef": [ABSENT, {"name": "c"}],
        },
    ),
    "python": (
        "ModelServing",
        {
            "spec.models[0].framework.name": ["python", "sklearn"],
            "spec.models[0].pythonClass": [ABSENT, "a:B", "a.b:C", "a", ":B", "a:b:c", "1a:B"],
        },
    ),
    "model names": ("ModelServing", {"spec.models[0].name": NAMES}),
    "object names": ("ModelServing", {"metadata.name": ["a", "a1", "1a", "a-", "a.b", "x" * 40, "x" * 41]}),
    "uris": ("ModelServing", {"spec.models[0].uri": URIS}),
    "ratios": (
        "ModelServing",
        {"spec.capture": [{"kafka": KAFKA}], "spec.capture.sampleRatio": ["0", "1", "1.0", "0.5", "1.1", "2", ".5", "1e-1"]},
    ),
    "quantities": (
        "ModelServing",
        {"spec.pod.resources.limits": [{}], "spec.pod.resources.limits.cpu": [
            0, 1, -1, "1", "0.5", "500m", "1Gi", "1gi", "1G", "1k", "1K", "1Ki", "1e3", "1E", "1u", "-1", "", "one"]},
    ),
    "volumes": (
        "ModelServing",
        {
            "spec.pod.volumes": [ABSENT, [{"name": "a", "emptyDir": {}}], [{"name": "b", "emptyDir": {}}]],
            "spec.pod.volumeMounts": [
                [{"name": "a", "mountPath": path}]
                for path in ("/a", "/etc/moorage", "/etc/moorage/", "/etc/moorage2", "/dev/shm", "/", "a", "/a:b")
            ],
        },
    ),
    "labels": (
        "ModelServing",
        {"spec.pod.labels": [{}, {"a": "b"}, {"moorage.dev/x": "y"}, {"app.kubernetes.io/name": "x"}, {"app.kubernetes.io/part-of": "x"}]},
    ),
    "load": (
        "ModelTest",
        {
            "spec.load": [{}],
            "spec.load.concurrency": [ABSENT, 1],
            "spec.load.requestsPerSecond": [ABSENT, 1],
            "spec.load.durationSeconds": [ABSENT, 1],
        },
    ),
    "trigger": (
        "ModelTest",
        {
            "spec.trigger": [{}],
            "spec.trigger.type": [ABSENT, "Once", "Schedule"],
            "spec.trigger.schedule": [ABSENT, "0 * * * *", "@hourly", "0  0 1 1 *", "TZ=UTC 0 * * * *"],
            "spec.trigger.timeZone": [ABSENT, "Etc/UTC", "UTC", "local time"],
        },
    ),
    "target": (
        "ModelTest",
        {
            "spec.endpoint": [ABSENT, {"url": "http://h", "model": "m"}],
            "spec.servingRef": [ABSENT, {"name": "iris"}],
            "spec.probes": [ABSENT, {}, {"captureRoundTrip": True}, {"offlineSkew": {"uri": "s3://b/k"}}],
        },
    ),
    "bounds": ("ModelTest", {"spec.expect": [[{"name": "a"} | low | high] for low, high in itertools.product(
        [{}, *({"min": value} for value in ("0", "1e2", "-1"))], [{}, *({"max": value} for value in ("0", "99", "-1"))])]}),
    "decimals": ("ModelTest", {"spec.expect": [[{"name": "a", "min": value}] for value in NUMBERS]}),
}  # fmt: skip


def combinations(name: str) -> list[dict]:
    kind, fields = COMBINATIONS[name]
    manifests = []
    for values in itertools.product(*fields.values()):
        manifest = minimal(kind)
        if "spec.servingRef" in fields:
            del manifest["spec"]["servingRef"]
        for field, value in zip(fields, values, strict=True):
            if value is not ABSENT:
                put(manifest, field, copy.deepcopy(value))
        manifests.append(manifest)
    return manifests


@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_server_and_the_ladder_agree(server, name):
    answers = {"good": 0, "bad": 0}
    for manifest in combinations(name):
        here = {error.path for error in crd.validate(manifest)}
        there = refused_fields(server, manifest)
        assert bool(here) == bool(there), (manifest["metadata"], manifest["spec"], here, there)
        assert here <= there, (manifest["metadata"], manifest["spec"], here, there)
        answers["bad" if here else "good"] += 1
    assert min(answers.values()) > 0, answers


def refused_fields(server, manifest: dict) -> set[str]:
    try:
        server.request("POST", f"{path(manifest['kind'])}?dryRun=All&fieldValidation=Strict", manifest)
    except ApiError as error:
        return {cause["field"] for cause in error.causes} - {"<nil>"} or {str(error)}
    return set()
