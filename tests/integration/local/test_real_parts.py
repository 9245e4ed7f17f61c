"""The example as it is, on a real object store and a real broker in place of the folders."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import provide
from parts.kafka import kafka_broker
from parts.s3 import s3_server

EXAMPLE = Path(__file__).parents[3] / "examples" / "iris"
TOPIC = "iris.capture"


@pytest.fixture(scope="module")
def s3():
    yield from provide(s3_server)


@pytest.fixture(scope="module")
def kafka():
    yield from provide(kafka_broker)


def train(to, env=None):
    subprocess.run(
        [sys.executable, EXAMPLE / "train.py", "--to", str(to)],
        env={**os.environ, **(env or {})},
        check=True,
        capture_output=True,
    )


def events(state):
    command = [sys.executable, "-m", "moorage_operator.cli", "events", "iris", "--tail", "-1", "-o", "json"]
    done = subprocess.run(
        [*command, "--state", str(state)], check=True, capture_output=True, text=True, timeout=60
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_model_data_and_report_live_in_a_real_object_store(up, s3):
    for bucket in ("models", "data", "reports", "predictions", "drift"):
        s3.bucket(bucket)
    env = {**s3.env, "AWS_REGION": s3.region}
    train("s3://", {**env, "AWS_ENDPOINT_URL": s3.endpoint})
    running = up(EXAMPLE / "manifests", images=None, object_store=s3.endpoint, env=env)
    running.wait_condition("ModelTest", "iris-live", "Ready", ("True", "TestPassed"))
    status = running.get("ModelTest", "iris-live")["status"]
    assert status["verdict"] == "Passed"
    assert status["reportUri"].startswith("s3://reports/iris/")
    report = s3.root / status["reportUri"].removeprefix("s3://")
    assert {".json", ".xml", ".html"} <= {file.suffix for file in report.iterdir()}
    assert not (running.state / "objects").exists()
    assert all(value not in "".join(_stored(running.state)) for value in s3.env.values())


def test_what_is_captured_is_read_back_from_a_real_broker(up, kafka, tmp_path):
    for topic in (TOPIC, "iris.in", "iris.out", "iris.dead", "iris.labels"):
        kafka.create_topic(topic, partitions=3)
    train(tmp_path / "objects")
    running = up(
        EXAMPLE / "manifests", images=None, kafka=kafka.bootstrap, object_store=str(tmp_path / "objects")
    )
    running.wait_condition("ModelTest", "iris-live", "Ready", ("True", "TestPassed"))
    assert not (running.state / "streams").exists()
    captured = events(running.state)
    assert {event["serving"] for event in captured} == {"iris"}
    assert len({event["id"] for event in captured}) >= 50
    assert all(event["features"][0] == "sepal_length" for event in captured)


def _stored(state):
    return [path.read_text() for path in (state / "store").rglob("*.json")]
