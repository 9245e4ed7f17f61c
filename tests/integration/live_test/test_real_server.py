"""The tester as its own process against Moorage's own server: what a ModelTest's Job does."""

import hashlib
import json
import subprocess
import sys
import urllib.request
import xml.etree.ElementTree as ET

import joblib
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from conftest import provide
from moorage_runtime.config import (
    TERMINATION_LOG_ENV,
    CaptureConfig,
    DatasetConfig,
    ExpectConfig,
    HttpConfig,
    LoadConfig,
    ModelConfig,
    ServeConfig,
    SkewConfig,
    StorageConfig,
    StreamConfig,
    TestConfig,
    TestStatus,
)
from parts import Process, free_port
from parts.s3 import s3_server

RUNTIME = [sys.executable, "-m", "moorage_runtime"]


@pytest.fixture(scope="session")
def s3():
    yield from provide(s3_server)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A server with a good and a mislabelled model, a stream and a data set."""
    folder = tmp_path_factory.mktemp("site")
    data = load_iris(as_frame=True)
    columns = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    features = data.data.set_axis(columns, axis=1)
    models = []
    for name, target in (("good", data.target), ("swapped", data.target.map({0: 1, 1: 0, 2: 2}))):
        fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, target)
        joblib.dump(fitted, folder / f"{name}.joblib")
        models.append(
            ModelConfig(name=name, uri=str(folder / f"{name}.joblib"), framework="sklearn", version="v3")
        )
    pd.DataFrame(features).assign(species=data.target).to_parquet(folder / "held-out.parquet")
    port = free_port()
    config = ServeConfig(
        name="iris",
        revision="r7",
        models=models,
        http=HttpConfig(host="127.0.0.1", port=port),
        management_port=free_port(),
        capture=CaptureConfig(stream=StreamConfig(uri=str(folder / "stream"))),
    )
    file = folder / "serve.json"
    file.write_text(config.model_dump_json(by_alias=True))

    def ready():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=2) as reply:
                return reply.status == 200
        except OSError:
            return False

    with Process([*RUNTIME, "serve", "--config", file], folder / "serve.log") as server:
        server.wait_until(ready, "the server")
        yield folder, f"http://127.0.0.1:{port}"


@pytest.fixture
def job(site, tmp_path):
    """Run the test as a Job would: its exit code, last words and output."""
    folder, url = site

    def run(model, env=None, **fields):
        fields = {
            "expected_digest": hashlib.sha256((folder / f"{model}.joblib").read_bytes()).hexdigest(),
            "dataset": DatasetConfig(
                uri=str(folder / "held-out.parquet"), label_column="species", rows=100, seed=7
            ),
            "load": LoadConfig(concurrency=8),
            "expect": [ExpectConfig(name="accuracy", min=0.9), ExpectConfig(name="errors", max=0)],
            **fields,
        }
        config = TestConfig(name="iris-live", url=url, model=model, **fields)
        (tmp_path / "test.json").write_text(config.model_dump_json(by_alias=True))
        done = subprocess.run(
            [*RUNTIME, "test", "--config", tmp_path / "test.json"],
            env={"PATH": "/usr/bin:/bin", TERMINATION_LOG_ENV: str(tmp_path / "last-words"), **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done, TestStatus.model_validate_json((tmp_path / "last-words").read_bytes())

    return run


def test_every_check_passes_on_a_good_model(job, site):
    folder, _ = site
    done, status = job(
        "good",
        negative=True,
        capture=CaptureConfig(stream=StreamConfig(uri=str(folder / "stream"))),
        skew=SkewConfig(model=ModelConfig(name="good", uri=str(folder / "good.joblib"), framework="sklearn")),
    )
    assert (done.returncode, status.verdict) == (0, "Passed"), status.message
    assert {probe.name for probe in status.probes} >= {
        "digest",
        "unchanged",
        "offline_skew",
        "capture_round_trip",
        "negative_malformed_json",
        "negative_missing_feature",
        "negative_still_serving",
    }
    assert status.serving_revision == "r7"
    assert "100 of 100 requests are in the stream" in done.stdout
    assert "roc_auc" in done.stdout


def test_swapped_labels_and_skew_are_found(job, site):
    folder, _ = site
    good = ModelConfig(name="good", uri=str(folder / "good.joblib"), framework="sklearn")
    done, status = job("swapped", skew=SkewConfig(model=good))
    assert (done.returncode, status.verdict) == (1, "Failed")
    assert "accuracy" in status.message
    assert "offline_skew" in status.message


def test_another_digest_than_the_pinned_one_is_found(job, site):
    folder, _ = site
    pinned = hashlib.sha256((folder / "swapped.joblib").read_bytes()).hexdigest()
    done, status = job("good", expected_digest=pinned)
    assert done.returncode == 1
    assert f"expected {pinned}" in status.message
    assert "no digest" not in status.message


def test_an_open_loop_run_ends_with_a_verdict(job):
    done, status = job("good", load=LoadConfig(requests_per_second=100, duration_seconds=2))
    assert done.returncode == 0, status.message
    assert next(metric.value for metric in status.metrics if metric.name == "total_tests") == 200


def test_reports_go_to_object_storage(job, s3):
    bucket = s3.bucket("reports")
    storage = StorageConfig(endpoint=s3.endpoint, region=s3.region)
    done, status = job("good", report_uri="s3://reports/iris", storage=storage, env=s3.env)
    assert done.returncode == 0, status.message
    assert status.report_uri.startswith("s3://reports/iris/iris-live-")
    folder = bucket / status.report_uri.removeprefix("s3://reports/")
    assert json.loads((folder / "report.json").read_bytes())["verdict"] == "Passed"
    assert ET.parse(folder / "junit.xml").getroot().find("testsuite").get("failures") == "0"
    assert "<svg" in (folder / "report.html").read_text()


def test_sigterm_ends_a_run_with_last_words(site, tmp_path):
    folder, url = site
    dataset = DatasetConfig(uri=str(folder / "held-out.parquet"), label_column="species")
    load = LoadConfig(requests_per_second=50, duration_seconds=600)
    config = TestConfig(url=url, model="good", dataset=dataset, load=load)
    (tmp_path / "test.json").write_text(config.model_dump_json(by_alias=True))

    def captured():
        return sum(segment.stat().st_size for segment in (folder / "stream").rglob("*.jsonl"))

    before = captured()
    words = tmp_path / "last-words"
    command = [*RUNTIME, "test", "--config", tmp_path / "test.json"]
    with Process(command, tmp_path / "log", env={TERMINATION_LOG_ENV: str(words)}) as process:
        process.wait_until(lambda: captured() > before, "the first request")
        assert process.stop() == 2
    assert TestStatus.model_validate_json(words.read_bytes()).message == "stopped by a signal before it ended"
    assert "Traceback" not in process.tail()
