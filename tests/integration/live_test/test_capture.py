"""The capture round trip against a directory stream and a real broker."""

import pytest

from conftest import provide
from moorage_runtime.config import CaptureConfig, StreamConfig
from moorage_runtime.live_test.probes import tail
from moorage_runtime.streams import Message, open_writer
from parts.kafka import kafka_broker


@pytest.fixture(scope="session")
def kafka():
    yield from provide(kafka_broker)


@pytest.fixture
def stream(tmp_path):
    return StreamConfig(uri=str(tmp_path / "stream"))


@pytest.fixture
def captured(served, tested, stream):
    """Run the test against a server that captures; what an id becomes is up to `copies`."""

    def run(copies=None, ratio=1.0):
        writer = open_writer(stream, 1 << 20)
        try:
            oip = served(writer=writer, copies=copies)
            capture = CaptureConfig(stream=stream, sample_ratio=ratio)
            code, status, _ = tested(oip.url, capture=capture)
        finally:
            writer.close(10)
        return code, next(probe for probe in status.probes if probe.name == "capture_round_trip")

    return run


def test_every_request_is_found(captured, stream):
    writer = open_writer(stream, 1 << 20)
    writer.write([Message(b"something else"), Message(b'{"not": "an event"}')])
    assert writer.flush(10)
    code, probe = captured()
    assert (code, probe.message) == (0, "40 of 40 requests are in the stream")
    writer.close(10)


def test_missing_events_fail(captured):
    code, probe = captured(lambda name: not name.endswith(("-3", "-17")))
    assert code == 1
    assert (
        probe.message
        == "38 of 40 requests are in the stream after 2 s without a new one; at least 40 should be"
    )


def test_an_event_that_is_there_twice_fails(captured):
    code, probe = captured(lambda name: 2 if name.endswith("-39") else 1)
    assert code == 1
    assert "1 are there more than once" in probe.message


def test_a_sampled_stream_may_lack_what_was_not_sampled(captured):
    code, probe = captured(lambda name: int(name.rpartition("-")[2]) % 2 == 0, ratio=0.5)
    assert (code, probe.message) == (0, "20 of 40 requests are in the stream (sampled at 0.5)")


def test_a_sampled_stream_that_stays_empty_fails(captured):
    assert captured(lambda name: 0, ratio=0.5)[0] == 1


@pytest.fixture
def topic(kafka, request):
    name = kafka.create_topic(
        f"capture-{request.node.name[:40].replace('[', '-').replace(']', '')}", partitions=3
    )
    return StreamConfig(uri=f"kafka://{kafka.bootstrap}/{name}")


class TestKafka:
    @pytest.fixture
    def stream(self, topic):
        writer = open_writer(topic, 1 << 20)
        writer.write([Message(b"older than the test", key=str(n).encode()) for n in range(20)])
        assert writer.flush(30)
        writer.close(10)
        return topic

    def test_every_request_is_found(self, captured):
        code, probe = captured()
        assert (code, probe.message) == (0, "40 of 40 requests are in the stream")

    def test_missing_events_fail(self, captured):
        code, probe = captured(lambda name: not name.endswith("-3"))
        assert code == 1
        assert probe.message.startswith("39 of 40")


def test_a_topic_that_appears_during_the_run_is_read_from_its_beginning(kafka, served, tested):
    stream = StreamConfig(uri=f"kafka://{kafka.bootstrap}/late")
    made = []

    def copies(name):
        if not made:
            made.append(kafka.create_topic("late", partitions=2))
        return 1

    writer = open_writer(stream, 1 << 20)
    oip = served(writer=writer, copies=copies)
    code, status, _ = tested(oip.url, capture=CaptureConfig(stream=stream))
    writer.close(10)
    assert code == 0, status.message


def test_a_broker_that_is_not_there_is_an_error(served, tested, monkeypatch):
    monkeypatch.setattr(tail, "TIMEOUT", 1.0)
    stream = StreamConfig(uri="kafka://127.0.0.1:9/capture")
    code, status, _ = tested(served().url, capture=CaptureConfig(stream=stream))
    assert (code, status.verdict) == (2, "Error")
    assert "capture stream: kafka://127.0.0.1:9/capture" in status.message
