"""The real server under load: the events of its HTTP requests are all in its stream, none twice, and it waits for none."""

import asyncio
import json
import sys
import urllib.request
from contextlib import ExitStack

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from moorage_runtime.capture.decode import decode
from moorage_runtime.config import CaptureConfig, HttpConfig, ModelConfig, ServeConfig, StreamConfig
from moorage_runtime.streams.directory import DirectoryReader
from parts import Process, free_port, wait_until
from support.topics import topic_messages

REQUESTS = 150_000
FEW = 3000
CONNECTIONS = 50
PIPELINED = 20


def status(config):
    url = f"http://127.0.0.1:{config.management_port}/moorage/v1/status"
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return json.load(reply)
    except OSError:
        return {"ready": False}


@pytest.fixture
def serve(tmp_path):
    """Start a server that captures to a stream; its config and process."""
    with ExitStack() as stack:

        def start(stream, **http):
            rows, labels = load_iris(return_X_y=True)
            joblib.dump(LogisticRegression(max_iter=1000).fit(rows, labels), tmp_path / "iris.joblib")
            config = ServeConfig(
                name="iris",
                models=[ModelConfig(name="iris", uri=str(tmp_path / "iris.joblib"), framework="sklearn")],
                http=HttpConfig(host="127.0.0.1", port=free_port(), **http),
                management_port=free_port(),
                capture=CaptureConfig(stream=StreamConfig(uri=stream)),
            )
            (tmp_path / "config.json").write_text(config.model_dump_json(by_alias=True))
            command = [sys.executable, "-m", "moorage_runtime", "serve", "--config", tmp_path / "config.json"]
            process = stack.enter_context(Process(command, tmp_path / "serve.log"))
            process.wait_until(lambda: status(config)["ready"], "a ready server")
            return config, process

        yield start


def request(number):
    row = [5.0, 3.0, 1.5, number]
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": row}
    body = json.dumps({"id": f"r{number}", "inputs": [tensor]}).encode()
    head = b"POST /v2/models/iris/infer HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def send(port, numbers):
    """Ask for all numbers on one connection; each answer has its own id."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for begin in range(0, len(numbers), PIPELINED):
        some = numbers[begin : begin + PIPELINED]
        writer.write(b"".join(request(number) for number in some))
        for number in some:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            assert b'"r%d"' % number in body
    writer.close()
    await writer.wait_closed()


async def send_all(config, first, last):
    """Ask for the numbers from `first` to `last` on many connections; each is answered before this returns."""
    await asyncio.gather(
        *(
            send(config.http.port, range(start, last, CONNECTIONS))
            for start in range(first, first + CONNECTIONS)
        )
    )


async def test_every_request_is_captured_once(serve, tmp_path):
    config, process = serve(str(tmp_path / "stream"))
    await send_all(config, 0, REQUESTS)
    wait_until(lambda: status(config)["capture"]["delivered"] == REQUESTS, "delivery of all events")
    counts = status(config)["capture"]
    assert (counts["captured"], counts["dropped"], counts["pending"]) == (REQUESTS, 0, 0)
    assert process.stop() == 0
    reader = DirectoryReader(config.capture.stream.uri, start="earliest")
    seen = set()
    messages = 0
    while records := reader.poll(10_000, 0):
        messages += len(records)
        for one in (one for record in records for one in decode(record.value)):
            number = int(one["id"][1:])
            assert one["inputs"] == [[5.0, 3.0, 1.5, number]]
            assert number not in seen
            seen.add(number)
    assert len(seen) == REQUESTS
    assert messages < REQUESTS


def numbers(kafka, topic):
    """Numbers of the requests in a topic, in order."""
    found = [one for message in topic_messages(kafka.bootstrap, topic) for one in decode(message.value)]
    assert all(one["inputs"] == [[5.0, 3.0, 1.5, int(one["id"][1:])]] for one in found)
    return sorted(int(one["id"][1:]) for one in found)


async def test_every_request_is_in_the_topic_once(serve, kafka):
    topic = kafka.create_topic("server", 3)
    config, process = serve(f"kafka://{kafka.bootstrap}/{topic}")
    await send_all(config, 0, FEW)
    assert process.stop() == 0  # the drain delivers what is left
    assert numbers(kafka, topic) == list(range(FEW))


async def test_no_request_waits_for_a_broker_that_goes_away_and_comes_back(serve, kafka):
    topic = kafka.create_topic("server-broker", 3)
    config, process = serve(f"kafka://{kafka.bootstrap}/{topic}")
    try:
        await asyncio.gather(send_all(config, 0, FEW), asyncio.to_thread(kafka.stop))
        await send_all(config, FEW, 2 * FEW)  # all answered before the broker is back
        wait_until(
            lambda: status(config)["capture"].get("error") is not None, "the broker's fault in the status"
        )
        down = status(config)["capture"]
        assert down["pending"] >= FEW
        assert down["captured"] == down["pending"] + down["delivered"] + down["dropped"]
        assert status(config)["ready"] is True
    finally:
        await asyncio.gather(asyncio.to_thread(kafka.start), send_all(config, 2 * FEW, 3 * FEW))
    wait_until(lambda: status(config)["capture"]["pending"] == 0, "delivery of all")
    counts = status(config)["capture"]
    assert (counts["captured"], counts["delivered"], counts["dropped"]) == (3 * FEW, 3 * FEW, 0)
    assert process.stop() == 0
    assert numbers(kafka, topic) == list(range(3 * FEW))


async def test_a_broker_that_was_never_there_costs_no_answer_and_no_endless_drain(serve):
    config, process = serve(f"kafka://127.0.0.1:{free_port()}/topic", drain_seconds=4)
    await send_all(config, 0, FEW)
    wait_until(lambda: status(config)["capture"].get("error") is not None, "the broker's fault in the status")
    counts = status(config)["capture"]
    assert (counts["captured"], counts["pending"]) == (FEW, FEW)
    assert process.stop() == 0
    assert f'"captureDropped": {FEW}' in process.tail()
