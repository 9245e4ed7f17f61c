"""The real server under load: the events of 150,000 HTTP requests are all in its stream, none twice."""

import asyncio
import json
import sys
import urllib.request

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from moorage_runtime.capture.decode import decode
from moorage_runtime.config import CaptureConfig, HttpConfig, ModelConfig, ServeConfig, StreamConfig
from moorage_runtime.streams.directory import DirectoryReader
from parts import Process, free_port, wait_until

REQUESTS = 150_000
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
def serving(tmp_path):
    rows, labels = load_iris(return_X_y=True)
    joblib.dump(LogisticRegression(max_iter=1000).fit(rows, labels), tmp_path / "iris.joblib")
    config = ServeConfig(
        name="iris",
        models=[ModelConfig(name="iris", uri=str(tmp_path / "iris.joblib"), framework="sklearn")],
        http=HttpConfig(host="127.0.0.1", port=free_port()),
        management_port=free_port(),
        capture=CaptureConfig(stream=StreamConfig(uri=str(tmp_path / "stream"))),
    )
    (tmp_path / "config.json").write_text(config.model_dump_json(by_alias=True))
    command = [sys.executable, "-m", "moorage_runtime", "serve", "--config", tmp_path / "config.json"]
    with Process(command, tmp_path / "serve.log") as process:
        process.wait_until(lambda: status(config)["ready"], "a ready server")
        yield config, process


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


async def test_every_request_is_captured_once(serving):
    config, process = serving
    await asyncio.gather(
        *(send(config.http.port, range(first, REQUESTS, CONNECTIONS)) for first in range(CONNECTIONS))
    )
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
