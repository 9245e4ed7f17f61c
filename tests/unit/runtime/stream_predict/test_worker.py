"""The whole worker on directory streams, without a server: what goes in, what comes out, what is refused."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from moorage_runtime.config import StreamPredictConfig
from moorage_runtime.stream_predict.build import BadStreamsError, plan
from moorage_runtime.stream_predict.worker import Worker
from moorage_runtime.streams import Message, open_writer
from moorage_runtime.streams.segments import segments
from parts import wait_until

ROWS = np.random.default_rng(1).normal(size=(100, 3))
ROW = [0.5, -1.0, 2.0]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.joblib"
    joblib.dump(LogisticRegression().fit(ROWS, (ROWS.sum(axis=1) > 0).astype(int)), path)
    return path


@pytest.fixture
def config(tmp_path, model):
    def make(**changes):
        document = {
            "models": [{"name": "m", "uri": str(model), "framework": "sklearn", "version": "v1"}],
            "input": {"uri": str(tmp_path / "in")},
            "output": {"uri": str(tmp_path / "out")},
            "deadLetter": {"uri": str(tmp_path / "dead")},
            "managementPort": None,
        }
        return StreamPredictConfig.model_validate(document | changes)

    return make


def write(config, *values):
    writer = open_writer(config.input, 64 << 20)
    writer.write(
        [Message(value if isinstance(value, bytes) else json.dumps(value).encode()) for value in values]
    )
    writer.close(10)


def lines(stream):
    folder = Path(stream.uri)
    return [
        json.loads(line) for name in segments(folder) for line in (folder / name).read_bytes().splitlines()
    ]


def run(config, count):
    """The output records and dead letters of a worker that is stopped once there are `count` of both."""
    stop = threading.Event()
    worker = Worker(config, plan(config), stop, lambda *_, **__: None)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_until(lambda: len(lines(config.output)) + len(lines(config.dead_letter)) >= count, "output", 20)
    finally:
        stop.set()
        thread.join(20)
    return worker, lines(config.output), lines(config.dead_letter)


def test_every_form_of_a_record_is_predicted_alike(config):
    made = config()
    event = {"request": {"id": "e1", "inputs": [ROW]}, "op": "infer", "resp": {"outputs": [9]}, "model": "m"}
    tensor = {"name": "x", "shape": [2, 3], "datatype": "FP64", "data": [*ROW, *ROW]}
    batched = {
        "headers": ["request", "when"],
        "values": [[{"instances": [ROW]}, ""], [{"inputs": [ROW]}, ""]],
    }
    records = [
        ROW,
        {"x0": 0.5, "x1": -1.0, "x2": 2.0},
        [ROW, ROW],
        {"inputs": [tensor], "id": "o1"},
        {"instances": [ROW]},
        {"inputs": ROW},
        event,
        batched,
    ]
    write(made, *records)
    _, found, dead = run(made, len(records))
    assert dead == []
    assert [one["input"] for one in found] == records
    (answer,) = LogisticRegression().fit(ROWS, (ROWS.sum(axis=1) > 0).astype(int)).predict([ROW]).tolist()
    one, two = [answer], [answer, answer]
    assert [each["prediction"] for each in found] == [answer, answer, two, two, one, one, one, two]
    assert [found[3]["id"], found[6]["id"]] == ["o1", "e1"]
    assert {(each["model"], each["version"]) for each in found} == {("m", "v1")}


def test_poison_is_a_dead_letter_with_its_place_and_the_rest_goes_on(config):
    made = config()
    write(made, ROW, b'{"x0": 1', b"\xff\xfe", [1, 2], b"1,2,3", {"inputs": [ROW], "model": "other"}, ROW)
    worker, found, dead = run(made, 7)
    assert len(found) == 2
    reasons = sorted(one["reason"] for one in dead)
    assert reasons == ["BadInput", "NotJson", "NotJson", "NotJson", "UnknownModel"]
    assert {one.get("value", one.get("valueBase64")) for one in dead} >= {'{"x0": 1', "//4=", "1,2,3"}
    assert all(one["source"]["stream"] == "in" for one in dead)
    assert (worker.metrics.produced_total, worker.metrics.dead_lettered_total) == (2, 5)


def test_a_later_worker_goes_on_where_the_first_stopped(config):
    made = config()
    write(made, ROW)
    run(made, 1)
    write(made, ROW, ROW)
    _, found, _ = run(made, 3)
    assert len(found) == 3
    assert len({one["id"] for one in found}) == 3


def test_what_is_predicted_is_captured(config, tmp_path):
    made = config(capture={"stream": {"uri": str(tmp_path / "captured")}})
    write(made, ROW, [ROW, ROW])
    run(made, 2)
    events = [
        json.loads(line)
        for name in segments(tmp_path / "captured")
        for line in (tmp_path / "captured" / name).read_bytes().splitlines()
    ]
    assert sum(sum(event["requests"]["rows"]) for event in events) == 3
    assert {operation for event in events for operation in event["requests"]["operation"]} == {"stream"}


def test_exactly_once_on_a_directory_stream_is_refused_with_the_field(config):
    with pytest.raises(BadStreamsError, match="delivery: ExactlyOnce needs Kafka's transactions, and input"):
        plan(config(delivery="ExactlyOnce"))


def test_an_output_that_is_the_input_is_refused(config, tmp_path):
    with pytest.raises(BadStreamsError, match="output: is the input itself"):
        plan(config(output={"uri": str(tmp_path / "in")}))


def test_a_transaction_over_two_clusters_is_refused(config):
    streams = {"input": {"uri": "kafka://a:1/i"}, "output": {"uri": "kafka://a:1/o"}}
    with pytest.raises(BadStreamsError, match="deadLetter is on another one"):
        plan(config(delivery="ExactlyOnce", deadLetter={"uri": "kafka://b:1/d"}, **streams))


def test_a_model_that_fails_to_load_is_told_and_the_process_stays(config, tmp_path):
    (tmp_path / "bad.joblib").write_bytes(b"no pickle")
    made = config(models=[{"name": "m", "uri": str(tmp_path / "bad.joblib"), "framework": "sklearn"}])
    stop = threading.Event()
    worker = Worker(made, plan(made), stop, lambda *_, **__: None)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        wait_until(lambda: worker.status().models[0].state == "Failed", "the failure", 20)
        assert not worker.status().ready
        assert "bad.joblib" in worker.status().error
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(20)


def test_the_command_ends_well_on_sigterm_and_refuses_with_2(config, tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(config().model_dump_json(by_alias=True))
    bad.write_text(config(delivery="ExactlyOnce").model_dump_json(by_alias=True))
    command = [sys.executable, "-m", "moorage_runtime", "stream", "--config"]
    refused = subprocess.run([*command, bad], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith("moorage-runtime: delivery: ExactlyOnce")
    with subprocess.Popen([*command, good], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if json.loads(line)["message"] == "ready" or "consuming" in line:
                process.send_signal(signal.SIGTERM)
                break
        assert process.wait(20) == 0
