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
    "streams": (
        "ModelServing",
        {
            "spec.stream": [{end: {"kafka": dict(KAFKA)} for end in ("input", "output", "deadLetter")}],
            "spec.stream.delivery": [ABSENT, "AtLeastOnce", "ExactlyOnce"],
            "spec.stream.input.kafka.topic": ["a"],
            "spec.stream.output.kafka.topic": ["a", "b"],
            "spec.stream.deadLetter.kafka.topic": ["a", "c"],
            "spec.stream.output.kafka.bootstrapServers": ["kafka:9092", "other:9092"],
            "spec.stream.deadLetter.kafka.bootstrapServers": ["kafka:9092", "other:9092"],
        },
    ),
    "windows": (
        "DriftMonitor",
        {
            "spec.window": [{}],
            "spec.window.rows": [ABSENT, 100],
            "spec.window.seconds": [ABSENT, 60],
            "spec.window.allowedLatenessSeconds": [ABSENT, 0, 5],
        },
    ),
    "references": (
        "DriftMonitor",
        {
            "spec.reference": [{}],
            "spec.reference.uri": [ABSENT, "s3://b/k"],
            "spec.reference.firstRows": [ABSENT, 99, 100],
        },
    ),
    "checkpoints": (
        "DriftMonitor",
        {
            "spec.checkpoint": [ABSENT, {"uri": "s3://b/k"}],
            "spec.sinks": [ABSENT, {}, {"alerts": []}, {"objectStore": {"uri": "s3://b"}}],
        },
    ),
    "events": (
        "DriftMonitor",
        {
            "spec.servingRef": [ABSENT, {"name": "iris"}],
            "spec.stream": [ABSENT, {"kafka": KAFKA, "model": "m"}],
        },
    ),
    "shares": (
        "DriftMonitor",
        {"spec.dataDrift": [{"decision": {}}], "spec.dataDrift.decision.minimumEffect": [
            *NUMBERS, "0", "0.", "0.0", ".0", "1.0", "1.01", "0.1234567890", "0.12345678901", "00.1"]},
    ),
    "time series": (
        "DriftMonitor",
        {
            "spec.sinks": [{"timeseries": [{"name": "a"}]}],
            "spec.sinks.timeseries[0].prometheusRemoteWrite": [ABSENT, {"url": "http://h"}],
            "spec.sinks.timeseries[0].influx": [ABSENT, {"url": "http://h", "database": "d"}],
        },
    ),
    "credentials": (
        "DriftMonitor",
        {
            "spec.sinks": [{"alerts": [{"name": "a", "webhook": {"url": "http://h"}}]}],
            "spec.sinks.alerts[0].webhook.bearerTokenSecretRef": [ABSENT, {"name": "t"}],
            "spec.sinks.alerts[0].webhook.basicAuthSecretRef": [ABSENT, {"name": "u"}],
            "spec.sinks.alerts[0].kafka": [ABSENT, KAFKA],
        },
    ),
    "batches": (
        "BatchPrediction",
        {
            "spec.servingRef": [ABSENT, {"name": "iris"}],
            "spec.model": [ABSENT, {"name": "m", "uri": "s3://b/k", "framework": {"name": "sklearn"}}],
        },
    ),
    "schedules": (
        "BatchPrediction",
        {
            "spec.schedule": [ABSENT, "0 2 * * *", "0 24 * * *", "@daily"],
            "spec.timeZone": [ABSENT, "Europe/Berlin"],
            "spec.concurrencyPolicy": [ABSENT, "Forbid", "Replace", "Allow"],
        },
    ),
    "folders": (
        "BatchPrediction",
        {
            "spec.input.uri": ["s3://b/a", "s3://b/a/", "s3://b/a/*.csv", "s3://b/ab/x", "file:///a"],
            "spec.output.uri": ["s3://b", "s3://b/a", "s3://b/a/", "s3://b/a/x", "file:///"],
        },
    ),
    "decimals": ("ModelTest", {"spec.expect": [[{"name": "a", "min": value}] for value in NUMBERS]}),
}  # fmt: skip


def combinations(name: str) -> list[dict]:
    kind, fields = COMBINATIONS[name]
    manifests = []
    for values in itertools.product(*fields.values()):
        manifest = minimal(kind)
        for top in (field.removeprefix("spec.") for field in fields):
            manifest["spec"].pop(top, None)
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
