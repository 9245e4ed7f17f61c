"""`moorage events` shows whole requests of one serving, newest last, whatever their format."""

import json

import pytest

from moorage_operator.cli.broker import security
from moorage_runtime.streams.base import Message
from moorage_runtime.streams.directory import DirectoryWriter

CAPTURE = {"kafka": {"bootstrapServers": "kafka:9092", "topic": "iris.capture"}}


def mlrun(number, serving="iris", rows=1):
    return {
        "class": "Pipeline",
        "host": "h",
        "function_uri": f"default/{serving}",
        "model": "m",
        "version": "v3",
        "op": "infer",
        "when": f"2026-11-22 16:00:{number % 60:02d}.{number:06d}+00:00",
        "microsec": 1500,
        "request": {"id": f"r{number}", "inputs": [{"width": 0.5, "height": number}] * rows},
        "resp": {"id": f"r{number}", "outputs": [number] * rows},
    }


def cloudevents(number):
    attributes = {
        "specversion": "1.0", "id": f"c{number}", "model": "m", "namespace": "default", "inferenceservicename": "iris",
        "time": f"2026-11-22T17:00:{number:02d}Z", "source": "s",
    }  # fmt: skip
    tensor = {"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [0.5]}
    return [
        {**attributes, "type": "io.kserve.inference.request", "data": {"inputs": [tensor]}},
        {**attributes, "type": "io.kserve.inference.response", "data": {"outputs": [tensor]}},
    ]


@pytest.fixture
def stream(moorage):
    moorage.serving(capture=CAPTURE)
    writer = DirectoryWriter(moorage.state / "streams" / "iris.capture", 1 << 20)

    def write(*events):
        writer.write([Message(json.dumps(event).encode()) for event in events])
        assert writer.flush(10)

    yield write
    writer.close(10)


def ids(moorage, *words):
    return [
        json.loads(line)["id"] for line in moorage("events", "iris", "-o", "json", *words).stdout.splitlines()
    ]


def test_the_newest_requests_as_a_table(moorage, stream):
    stream(*(mlrun(number) for number in range(5)), mlrun(5, rows=3))
    assert moorage("events", "iris", "--tail", "2").stdout.splitlines() == [
        "TIME                   MODEL   ID   LATENCY   OUTPUTS               INPUTS",
        "2026-11-22T16:00:04Z   m v3    r4   1.50ms    predict=4             width=0.5 height=4",
        "2026-11-22T16:00:05Z   m v3    r5   1.50ms    predict=5 (+2 rows)   width=0.5 height=5 (+2 rows)",
    ]


def test_json_has_a_line_for_each_request(moorage, stream):
    stream(mlrun(1, rows=2))
    (line,) = moorage("events", "iris", "-o", "json").stdout.splitlines()
    event = json.loads(line)
    assert event["inputs"] == [[0.5, 1], [0.5, 1]]
    assert event["features"] == ["width", "height"]
    assert event["outputs"] == {"predict": [1, 1]}
    assert (event["latency_us"], event["model"], event["version"]) == (1500, "m", "v3")


def test_tail_counts_requests_of_this_serving(moorage, stream):
    stream(mlrun(1), mlrun(2), *(mlrun(number, "wine") for number in range(3, 40)))
    assert ids(moorage, "--tail", "1") == ["r2"]
    assert ids(moorage) == ["r1", "r2"]
    assert ids(moorage, "--tail", "0") == []
    assert ids(moorage, "--tail", "-1") == ["r1", "r2"]


def test_halves_of_a_cloudevent_are_one_request(moorage, stream):
    stream(*cloudevents(1), *cloudevents(2), *cloudevents(3)[:1])
    assert ids(moorage, "--tail", "2") == ["c1", "c2"]
    assert ids(moorage, "--tail", "1") == ["c2"]


def test_what_is_no_event_is_counted_and_said(moorage, stream):
    stream({"hello": 1}, mlrun(1), ["x"])
    done = moorage("events", "iris", "-o", "json")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["r1"]
    assert done.stderr.startswith("2 messages are no captured events: ")


def test_following_shows_what_comes(moorage, stream):
    stream(mlrun(1), *cloudevents(1)[:1])
    with moorage.process("events", "iris", "-f", "--tail", "1", "-o", "json", text=True) as following:
        assert json.loads(following.stdout.readline())["id"] == "r1"
        stream(mlrun(2))
        assert json.loads(following.stdout.readline())["id"] == "r2"
        stream(cloudevents(1)[1])
        assert json.loads(following.stdout.readline())["id"] == "c1"
        following.terminate()


def test_a_stream_that_is_not_there_yet(moorage):
    moorage.serving(capture=CAPTURE)
    assert moorage("events", "iris").stderr == 'No events of modelserving "iris" yet\n'


def test_what_has_no_events(moorage):
    moorage.serving()
    assert 'modelserving "iris" has no spec.capture' in moorage("events", "iris", code=1).stderr
    assert "not found" in moorage("events", "wine", code=1).stderr


def test_a_broker_that_does_not_answer_is_named(moorage):
    moorage.serving(capture=CAPTURE)
    done = moorage("events", "iris", "--kafka", "127.0.0.1:1", code=1)
    assert done.stderr.startswith("error: kafka://127.0.0.1:1/iris.capture does not answer")


def test_credentials_of_the_manifest_are_used(tmp_path):
    secret = {"data": {"mechanism": "U0NSQU0tU0hBLTI1Ng==", "username": "dQ==", "password": "cA=="}}
    assert security({}, None, None, tmp_path) == {"security_protocol": "PLAINTEXT"}
    assert security({}, secret, None, tmp_path) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }
    assert security({"tls": {}}, secret, None, tmp_path)["security_protocol"] == "SASL_SSL"


def monitor(**spec):
    watched = {"reference": {"firstRows": 1000}, "window": {"rows": 100}, "checkpoint": {"uri": "s3://d/i"}}
    manifest = {
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "DriftMonitor",
        "metadata": {"name": "watch"},
        "spec": {**watched, **spec},
    }
    return json.dumps(manifest)


def drift_ids(moorage):
    lines = moorage("events", "drift/watch", "-o", "json").stdout.splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_a_drift_monitor_shows_the_events_of_its_serving(moorage, stream):
    stream(mlrun(1), mlrun(2, "wine"))
    moorage("apply", "-f", "-", stdin=monitor(servingRef={"name": "iris"}))
    assert drift_ids(moorage) == ["r1"]
    moorage("apply", "-f", "-", stdin=monitor(servingRef={"name": "iris", "model": "other"}))
    assert drift_ids(moorage) == []


def test_a_drift_monitor_shows_the_events_of_its_stream(moorage, stream):
    stream(mlrun(1), mlrun(2, "wine"))
    moorage("apply", "-f", "-", stdin=monitor(stream={**CAPTURE, "model": "m"}))
    assert drift_ids(moorage) == ["r1", "r2"]


def test_a_drift_monitor_without_its_serving(moorage):
    moorage("apply", "-f", "-", stdin=monitor(servingRef={"name": "gone"}))
    assert 'modelservings.moorage.dev "gone" not found' in moorage("events", "drift/watch", code=1).stderr
