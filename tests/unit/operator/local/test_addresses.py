"""Where each kind of address lies on one machine."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from moorage_operator.local.kubelet.addresses import (
    AddressError,
    Places,
    locate,
    locate_address,
    stream_folders,
)
from moorage_runtime.config import (
    AlertConfig,
    CaptureConfig,
    ConceptDriftConfig,
    DatasetConfig,
    DetectorConfig,
    DriftConfig,
    HttpTargetConfig,
    LabelsConfig,
    ModelConfig,
    ObjectStoreConfig,
    ReferenceConfig,
    ServeConfig,
    SkewConfig,
    StorageConfig,
    StreamConfig,
    StreamPredictConfig,
    TestConfig,
    TimeseriesConfig,
)

PLACES = Places(
    state=Path("/state"),
    namespace="ml",
    services={("ml", "iris"): {80: 8080}, ("other", "iris"): {80: 8081}},
    mounts={
        "/etc/moorage": Path("/pod/config"),
        "/var/run/moorage/secrets/s3": Path("/pod/s3"),
        "/data": Path("/d"),
    },
    scratch={"/tmp": Path("/pod/tmp"), "/var/cache/moorage": Path("/pod/cache")},
)
KAFKA = replace(PLACES, kafka="127.0.0.1:9092")
SERVER = replace(PLACES, object_store="http://127.0.0.1:9000")
FOLDER = replace(PLACES, object_store="file:///mnt/objects")


@pytest.mark.parametrize(
    ("address", "places", "here"),
    [
        ("s3://models/iris/v3", PLACES, "/state/objects/models/iris/v3"),
        ("s3://reports/iris/", PLACES, "/state/objects/reports/iris/"),
        ("s3://bucket", PLACES, "/state/objects/bucket"),
        ("s3://models/iris/v3", SERVER, "s3://models/iris/v3"),
        ("s3://models/iris/v3", FOLDER, "/mnt/objects/models/iris/v3"),
        ("s3://models/iris/v3", replace(PLACES, object_store="/mnt/objects"), "/mnt/objects/models/iris/v3"),
        ("kafka://kafka:9092/iris.capture", PLACES, "/state/streams/iris.capture"),
        ("kafka://a:1,b:2/iris.capture", PLACES, "/state/streams/iris.capture"),
        ("kafka://a:1,b:2/iris.capture", KAFKA, "kafka://127.0.0.1:9092/iris.capture"),
        ("pvc://claim/models/a.onnx", PLACES, "/state/volumes/claim/models/a.onnx"),
        ("pvc://claim", PLACES, "/state/volumes/claim"),
        ("http://iris.ml.svc", PLACES, "http://127.0.0.1:8080"),
        ("http://iris.ml.svc:80/v2/models", PLACES, "http://127.0.0.1:8080/v2/models"),
        ("http://iris.ml.svc.cluster.local", PLACES, "http://127.0.0.1:8080"),
        ("http://iris.ml.svc.cluster.local./", PLACES, "http://127.0.0.1:8080/"),
        ("http://iris", PLACES, "http://127.0.0.1:8080"),
        ("http://iris.other", PLACES, "http://127.0.0.1:8081"),
        ("http://iris.ml.svc:9999", PLACES, "http://iris.ml.svc:9999"),
        ("http://rose.ml.svc", PLACES, "http://rose.ml.svc"),
        ("https://example.com/model.onnx?x=1", PLACES, "https://example.com/model.onnx?x=1"),
        ("http://127.0.0.1:9000/a", PLACES, "http://127.0.0.1:9000/a"),
        ("file:///srv/model.joblib", PLACES, "file:///srv/model.joblib"),
        ("file:///tmp/model.joblib", PLACES, "file:///tmp/model.joblib"),
        ("file:///data/model.joblib", PLACES, "file:///d/model.joblib"),
        ("file:///database/model.joblib", PLACES, "file:///database/model.joblib"),
        ("/etc/moorage/code/m", PLACES, "/pod/config/code/m"),
        ("/etc/moorage", PLACES, "/pod/config"),
        ("gs://bucket/key", PLACES, "gs://bucket/key"),
        ("relative/path", PLACES, "relative/path"),
        ("INFO", PLACES, "INFO"),
    ],
)
def test_address(address, places, here):
    assert locate_address(address, places) == here


@pytest.mark.parametrize("address", ["s3://models/../../etc/passwd", "pvc://c/../x", "kafka://k:1/.."])
def test_an_address_cannot_leave_its_folder(address):
    with pytest.raises(AddressError, match=re.escape("'..'")):
        locate_address(address, PLACES)


def test_the_longest_mount_wins():
    places = replace(PLACES, mounts={"/etc/moorage": Path("/a"), "/etc/moorage/code/m": Path("/b")})
    assert locate_address("/etc/moorage/code/m/x.py", places) == "/b/x.py"
    assert locate_address("/etc/moorage/code/n/x.py", places) == "/a/code/n/x.py"


def serve_config():
    return ServeConfig(
        models=[
            ModelConfig(
                name="m",
                uri="s3://models/m",
                framework="python",
                code_uri="/etc/moorage/code/m",
                parameters={"uri": "s3://stays/as-it-is"},
            )
        ],
        capture=CaptureConfig(
            stream=StreamConfig(
                uri="kafka://k:9092/t",
                tls=True,
                ca_dir="/var/run/moorage/secrets/ca",
                auth_dir="/var/run/moorage/secrets/s3",
            )
        ),
        storage=StorageConfig(endpoint="http://minio.ml.svc:9000", region="eu"),
        cache_dir="/var/cache/moorage",
    )


def test_a_serve_config_moves_as_a_whole():
    moved = locate(serve_config(), replace(PLACES, http_port=8080, management_port=9001))
    assert moved.models[0].uri == "/state/objects/models/m"
    assert moved.models[0].code_uri == "/pod/config/code/m"
    assert moved.models[0].parameters == {"uri": "s3://stays/as-it-is"}
    assert moved.capture.stream == StreamConfig(uri="/state/streams/t")
    assert moved.storage == StorageConfig(endpoint=None, region="eu")
    assert moved.cache_dir == "/pod/cache"
    assert (moved.http.host, moved.http.port, moved.management_port) == ("127.0.0.1", 8080, 9001)


def test_a_broker_of_ones_own_replaces_the_address_and_keeps_credentials():
    moved = locate(serve_config(), KAFKA)
    assert moved.capture.stream.uri == "kafka://127.0.0.1:9092/t"
    assert moved.capture.stream.tls
    assert moved.capture.stream.auth_dir == "/pod/s3"


def test_an_object_store_of_ones_own_becomes_the_endpoint():
    moved = locate(serve_config(), SERVER)
    assert moved.storage.endpoint == "http://127.0.0.1:9000"
    assert moved.models[0].uri == "s3://models/m"


def test_a_test_config_moves_as_a_whole():
    config = TestConfig(
        url="http://iris.ml.svc",
        model="m",
        dataset=DatasetConfig(uri="s3://data/test.parquet", label_column="y"),
        skew=SkewConfig(model=ModelConfig(name="m", uri="pvc://c/m", framework="onnx")),
        report_uri="s3://reports/",
        token_dir="/var/run/moorage/secrets/s3",
    )
    moved = locate(config, PLACES)
    assert moved.url == "http://127.0.0.1:8080"
    assert moved.dataset.uri == "/state/objects/data/test.parquet"
    assert moved.skew.model.uri == "/state/volumes/c/m"
    assert moved.report_uri == "/state/objects/reports/"
    assert moved.token_dir == "/pod/s3"
    assert config.url == "http://iris.ml.svc"


SECRETS = "/var/run/moorage/secrets"


def drift_config():
    return DriftConfig(
        model="m",
        stream=StreamConfig(uri="kafka://k:9092/iris.capture", tls=True, auth_dir=f"{SECRETS}/s3"),
        reference=ReferenceConfig(uri="s3://data/train.parquet"),
        concept_drift=ConceptDriftConfig(
            labels=LabelsConfig(stream=StreamConfig(uri="kafka://k:9092/iris.labels")),
            detectors=[DetectorConfig(name="ddm", type="DDM", parameters={"uri": "s3://stays"})],
        ),
        timeseries=[
            TimeseriesConfig(
                name="v",
                protocol="prometheusRemoteWrite",
                target=HttpTargetConfig(url="http://victoria:8428/api/v1/write", token_dir=f"{SECRETS}/s3"),
            )
        ],
        object_store=ObjectStoreConfig(uri="s3://drift/iris/"),
        alerts=[
            AlertConfig(name="hook", webhook=HttpTargetConfig(url="http://iris.ml.svc/hook")),
            AlertConfig(name="topic", stream=StreamConfig(uri="kafka://k:9092/alerts")),
        ],
        checkpoint_uri="s3://drift/iris/_checkpoint/",
    )


def test_a_drift_config_moves_as_a_whole():
    moved = locate(drift_config(), replace(PLACES, http_port=8080, management_port=9001))
    assert (moved.host, moved.management_port) == ("127.0.0.1", 9001)
    assert moved.stream == StreamConfig(uri="/state/streams/iris.capture")
    assert moved.reference.uri == "/state/objects/data/train.parquet"
    assert moved.concept_drift.labels.stream.uri == "/state/streams/iris.labels"
    assert moved.concept_drift.detectors[0].parameters == {"uri": "s3://stays"}
    assert moved.timeseries[0].target == HttpTargetConfig(
        url="http://victoria:8428/api/v1/write", token_dir="/pod/s3"
    )
    assert moved.object_store.uri == "/state/objects/drift/iris/"
    assert [alert.webhook and alert.webhook.url for alert in moved.alerts] == [
        "http://127.0.0.1:8080/hook",
        None,
    ]
    assert moved.alerts[1].stream.uri == "/state/streams/alerts"
    assert moved.checkpoint_uri == "/state/objects/drift/iris/_checkpoint/"


def test_directory_streams_of_a_config_are_known_and_topics_are_none():
    moved = locate(drift_config(), PLACES)
    names = [folder.name for folder in stream_folders(moved)]
    assert sorted(names) == ["alerts", "iris.capture", "iris.labels"]
    assert stream_folders(locate(drift_config(), KAFKA)) == []


def test_a_stream_config_moves_as_a_whole():
    topics = {end: StreamConfig(uri=f"kafka://k:9092/iris.{end}", tls=True) for end in ("in", "out", "dead")}
    config = StreamPredictConfig(
        models=[ModelConfig(name="m", uri="pvc://claim/m", framework="sklearn")],
        input=topics["in"],
        output=topics["out"],
        dead_letter=topics["dead"],
        delivery="ExactlyOnce",
    )
    moved = locate(config, replace(PLACES, management_port=9001))
    assert [end.uri for end in (moved.input, moved.output, moved.dead_letter)] == [
        "/state/streams/iris.in",
        "/state/streams/iris.out",
        "/state/streams/iris.dead",
    ]
    assert (moved.host, moved.management_port, moved.models[0].uri) == (
        "127.0.0.1",
        9001,
        "/state/volumes/claim/m",
    )
    assert locate(config, KAFKA).output.tls
