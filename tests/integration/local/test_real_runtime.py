"""`moorage up` with the real `moorage-runtime` and a real model."""

import json
import threading
import urllib.request

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

FLOWER = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture(scope="module")
def model():
    rows, species = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=1000).fit(rows, species)


@pytest.fixture
def published(tmp_path, model):
    """Write model and test set where the manifests' addresses lead in an embedded object store."""
    objects = tmp_path / "state" / "objects"
    (objects / "models/iris/v1").mkdir(parents=True)
    (objects / "models/iris/v2").mkdir(parents=True)
    (objects / "data").mkdir()
    joblib.dump(model, objects / "models/iris/v1/model.joblib")
    (objects / "models/iris/v2/model.joblib").write_bytes(b"this is no model")
    rows, species = load_iris(return_X_y=True)
    lines = [",".join(map(str, [*row, label])) for row, label in zip(rows, species, strict=True)]
    (objects / "data/iris.csv").write_text("\n".join(["a,b,c,d,label", *lines]) + "\n")
    return objects


def manifests(tmp_path, version="v1", replicas=1):
    folder = tmp_path / "manifests"
    folder.mkdir(exist_ok=True)
    (folder / "serving.yaml").write_text(f"""\
apiVersion: moorage.dev/v1alpha1
kind: ModelServing
metadata: {{name: iris}}
spec:
  replicas: {replicas}
  models:
    - name: iris
      uri: s3://models/iris/{version}
      framework: {{name: sklearn}}
      version: {version}
      schema: {{features: [{", ".join(f"{{name: {name}, type: float64}}" for name in "abcd")}]}}
  capture: {{kafka: {{bootstrapServers: "kafka:9092", topic: iris.capture}}}}
""")
    (folder / "test.yaml").write_text("""\
apiVersion: moorage.dev/v1alpha1
kind: ModelTest
metadata: {name: live}
spec:
  servingRef: {name: iris}
  dataset: {uri: "s3://data/iris.csv", labelColumn: label, rows: 50}
  expect: [{name: accuracy, min: "0.9"}, {name: errors, max: "0"}]
""")
    return folder


def predict(running):
    url = running.get("ModelServing", "iris")["status"]["url"]
    body = json.dumps({"instances": [FLOWER]}).encode()
    request = urllib.request.Request(
        f"{url}/v1/models/iris:predict", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)["predictions"]


def test_from_manifest_to_verdict_and_a_broken_model_keeps_the_former_one_serving(
    up, published, tmp_path, model
):
    running = up(manifests(tmp_path), images=None)
    running.wait_condition("ModelServing", "iris", "Ready", ("True", "Reconciled"))
    assert predict(running) == model.predict([FLOWER]).tolist()
    running.wait_condition("ModelTest", "live", "Ready", ("True", "TestPassed"))
    assert running.get("ModelTest", "live")["status"]["verdict"] == "Passed"
    events = [path.read_text() for path in (running.state / "streams/iris.capture").glob("*.jsonl")]
    assert sum(map(len, events)) > 0
    status = running.get("ModelServing", "iris")["status"]
    manifests(tmp_path, version="v2")
    running.wait_condition("ModelServing", "iris", "Ready", ("False", "ModelLoadFailed"))
    assert running.condition("ModelServing", "iris", "Available") == ("True", "MinimumReplicasAvailable")
    assert running.get("ModelServing", "iris")["status"]["revision"] != status["revision"]
    assert predict(running) == model.predict([FLOWER]).tolist()


def test_no_request_fails_while_a_revision_rolls_out(up, published, tmp_path):
    published.joinpath("models/iris/v2/model.joblib").write_bytes(
        published.joinpath("models/iris/v1/model.joblib").read_bytes()
    )
    running = up(manifests(tmp_path, replicas=2), images=None)
    running.wait_condition("ModelServing", "iris", "Ready", ("True", "Reconciled"))
    failures, answers, stop = [], [], threading.Event()

    def client():
        while not stop.is_set():
            try:
                answers.append(predict(running))
            except Exception as error:  # noqa: BLE001 - every fault is what the test looks for
                failures.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    before = running.get("ModelServing", "iris")["status"]["revision"]
    manifests(tmp_path, version="v2", replicas=2)
    running.wait_until(
        lambda: running.get("ModelServing", "iris")["status"]["revision"] != before, "a new revision"
    )
    running.wait_condition("ModelServing", "iris", "Ready", ("True", "Reconciled"))
    running.wait_until(lambda: len(running.pids()) == 2, "the end of the former pods")
    stop.set()
    thread.join()
    assert failures == []
    assert len(answers) > 10
