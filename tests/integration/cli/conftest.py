"""A real model behind a real `moorage up`, driven by the command line as a person would."""

import json
import os
import subprocess
import sys
import urllib.request

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from conftest import provide
from parts import Process
from parts.kafka import kafka_broker

PROGRAM = [sys.executable, "-m", "moorage_operator.cli"]
TOPIC = "iris.capture"
SERVING = f"""
apiVersion: moorage.dev/v1alpha1
kind: ModelServing
metadata: {{name: iris}}
spec:
  models:
    - {{name: iris_v1, uri: "s3://models/iris", framework: {{name: sklearn, version: "1"}}}}
  capture:
    kafka: {{bootstrapServers: "kafka:9092", topic: {TOPIC}}}
    format: FORMAT
"""


@pytest.fixture(scope="session")
def kafka():
    yield from provide(kafka_broker)


class Moorage:
    """Commands on one state folder, and the `up` that runs there."""

    def __init__(self, folder):
        self.state, self.manifest = folder / "state", folder / "iris.yaml"
        self.env = {**os.environ, "MOORAGE_STATE": str(self.state)}
        model = self.state / "objects" / "models" / "iris" / "model.joblib"
        model.parent.mkdir(parents=True)
        rows, labels = load_iris(return_X_y=True)
        joblib.dump(LogisticRegression(max_iter=1000).fit(rows, labels), model)
        self.process = None

    def __call__(self, *words, code=0):
        done = subprocess.run(
            [*PROGRAM, *words], env=self.env, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done

    def write(self, form="native"):
        unfinished = self.manifest.with_suffix(".unfinished")
        unfinished.write_text(SERVING.replace("FORMAT", form))
        unfinished.replace(self.manifest)

    def up(self, *options):
        words = [*PROGRAM, "up", "-f", self.manifest, *options]
        self.process = Process(words, self.state.with_suffix(".log"), env={"MOORAGE_STATE": str(self.state)})
        self.process.wait_until((self.state / "run" / "up.json").exists, "up.json")
        self.process.wait_until(lambda: "iris created" in self.process.tail(), "the manifest is applied")

    def events(self, *options):
        return [
            json.loads(line) for line in self("events", "iris", "-o", "json", *options).stdout.splitlines()
        ]

    def send(self, count):
        """Requests numbered 0 to count - 1, one row each; what was asked."""
        url = json.loads(self("get", "mserve", "iris", "-o", "json").stdout)["status"]["url"]
        rows = [[5.0 + number / 100, 3.5, 1.4, 0.2] for number in range(count)]
        for row in rows:
            body = json.dumps({"instances": [row]}).encode()
            urllib.request.urlopen(f"{url}/v1/models/iris_v1:predict", body, timeout=30).close()
        return rows


@pytest.fixture
def moorage(tmp_path):
    moorage = Moorage(tmp_path)
    moorage.write()
    yield moorage
    if moorage.process is not None:
        moorage.process.stop()
