"""The events of 150,000 requests are all in the stream, none twice: four formats, both kinds of stream."""

import numpy as np
import pytest

from moorage_runtime.capture import open_capture
from moorage_runtime.capture.decode import decode
from moorage_runtime.config import CaptureConfig, StreamConfig
from moorage_runtime.streams.directory import DirectoryReader
from support.events import event, source
from support.topics import topic_messages

REQUESTS = 150_000
FORMATS = ["native", "mlrun-v1", "mlrun-v2", "cloudevents"]
PARTITIONS = 3


def capture_all(uri, form):
    """Capture in ticks of 1 to 64 requests; each request's row and answer tell its number."""
    config = CaptureConfig(stream=StreamConfig(uri=uri), format=form, buffer_bytes=1 << 30)
    capture = open_capture(config)
    rows = np.arange(REQUESTS, dtype=np.float64).reshape(-1, 1) + np.array([0, 0.25, 0.5, 0.75])
    answers = np.arange(REQUESTS) % 3
    iris = source()
    number, size = 0, 1
    while number < REQUESTS:
        for at in range(number, min(number + size, REQUESTS)):
            capture.record(
                event(iris, f"r{at}", rows[at : at + 1], {"predict": answers[at : at + 1]}, latency=at * 1000)
            )
        capture.flush_tick()
        number, size = number + size, size % 64 + 1
    capture.close(120)
    status = capture.status()
    assert (status.captured, status.delivered, status.dropped, status.pending) == (REQUESTS, REQUESTS, 0, 0)
    assert status.error is None


def check(decoded):
    """Every request once, with its own row and answer (of a CloudEvent: each half once)."""
    inputs, outputs = set(), set()
    for one in decoded:
        number = int(one["id"][1:])
        if one["inputs"] is not None:
            assert one["inputs"] == [[number, number + 0.25, number + 0.5, number + 0.75]]
            assert number not in inputs
            inputs.add(number)
        if one["outputs"] is not None:
            assert one["outputs"] == {"predict": [number % 3]}
            assert one["latency_us"] == number
            assert number not in outputs
            outputs.add(number)
    assert len(inputs) == len(outputs) == REQUESTS


@pytest.mark.parametrize("form", FORMATS)
def test_in_a_directory(tmp_path, form):
    capture_all(str(tmp_path), form)
    reader = DirectoryReader(tmp_path, "check", "earliest")

    def events():
        while records := reader.poll(10_000, 0):
            for record in records:
                yield from decode(record.value)

    check(events())
    assert reader.skipped == 0
    reader.close()


@pytest.mark.parametrize("form", FORMATS)
def test_in_kafka(kafka, form):
    topic = kafka.create_topic(f"complete-{form}", PARTITIONS)
    capture_all(f"kafka://{kafka.bootstrap}/{topic}", form)
    check(
        one
        for message in topic_messages(kafka.bootstrap, topic)
        for one in decode(message.value, message.headers)
    )
