"""The commands on a running `moorage up`, with real parts on both sides of it."""

import json

import pytest

from parts import wait_until


def test_from_a_manifest_to_an_answer_and_back_to_nothing(moorage):
    moorage.up()
    ready = moorage("wait", "--for=condition=Ready", "mserve/iris", "--timeout=90s")
    assert ready.stdout == "modelserving.moorage.dev/iris condition met\n"
    answer = moorage("predict", "iris", "--data", "[[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]")
    assert answer.stdout.split() == ["0", "2"]
    for dialect in ("v1", "mlrun"):
        assert (
            moorage("predict", "iris", "--data", "[5.1, 3.5, 1.4, 0.2]", "--dialect", dialect).stdout == "0\n"
        )
    refused = moorage("predict", "iris", "--data", "[1, 2]", code=1)
    assert refused.stderr.startswith("Error from server (400 Bad Request): ")
    assert "model loaded" in moorage("logs", "iris").stdout
    assert "iris_v1   Ready" in moorage("describe", "mserve", "iris").stdout
    pods = json.loads(moorage("get", "pods", "-o", "json").stdout)["items"]
    assert moorage("get", "pods", "--no-headers").stdout.split()[:3] == [
        pods[0]["metadata"]["name"],
        "1/1",
        "Running",
    ]
    assert moorage("delete", "mserve", "iris").stdout == 'modelserving.moorage.dev "iris" deleted\n'
    for pod in pods:
        moorage("wait", "--for=delete", f"pod/{pod['metadata']['name']}", "--timeout=60s")
    assert moorage("get", "all").stderr == "No resources found in default namespace\n"
    assert moorage("down").stdout.startswith("stopped process ")
    assert moorage.process.stop() == 0
    moorage("down", "--purge")
    assert not (moorage.state / "store").exists()


def test_a_second_up_there_is_refused_and_keeps_what_the_first_recorded(moorage):
    moorage.up()
    recorded = (moorage.state / "run" / "up.json").read_text()
    refused = moorage("up", "--kafka", "127.0.0.1:1", code=1)
    assert "moorage up is running already" in refused.stderr
    assert (moorage.state / "run" / "up.json").read_text() == recorded
    assert json.loads(recorded) == {"kafka": None, "objectStore": None}


@pytest.mark.parametrize("form", ["native", "mlrun-v1", "mlrun-v2", "cloudevents"])
def test_captured_requests_of_a_directory_stream(moorage, form):
    moorage.write(form)
    moorage.up()
    moorage("wait", "--for=condition=Ready", "mserve/iris", "--timeout=90s")
    rows = moorage.send(20)
    wait_until(lambda: len(moorage.events("--tail", "-1")) == 20, "20 events")
    assert [event["inputs"] for event in moorage.events("--tail", "-1")] == [[row] for row in rows]
    (newest,) = moorage.events("--tail", "1")
    assert (newest["inputs"], newest["model"]) == ([rows[-1]], "iris_v1")


@pytest.mark.parametrize("form", ["native", "cloudevents"])
def test_captured_requests_of_a_real_broker(moorage, kafka, form):
    moorage.write(form)
    manifest = moorage.manifest.read_text().replace("iris.capture", f"iris.{form}")
    moorage.manifest.write_text(manifest)
    kafka.create_topic(f"iris.{form}", partitions=3)
    moorage.up("--kafka", kafka.bootstrap)
    moorage("wait", "--for=condition=Ready", "mserve/iris", "--timeout=90s")
    rows = moorage.send(20)
    wait_until(lambda: len(moorage.events("--tail", "-1")) == 20, "20 events")
    assert sorted(event["inputs"][0] for event in moorage.events("--tail", "-1")) == rows
    assert len(moorage.events("--tail", "3")) == 3
    assert not (moorage.state / "streams").exists()
