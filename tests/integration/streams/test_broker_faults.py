"""A broker that goes away and comes back: nothing that fits the buffer is lost, the rest is counted, nobody waits."""

import threading

import numpy as np

from moorage_runtime.capture import open_capture
from moorage_runtime.capture.decode import decode
from moorage_runtime.config import CaptureConfig, StreamConfig
from parts import free_port, wait_until
from support.events import event, source
from support.topics import topic_messages

IRIS = source()


def open_to(address, topic, buffer_bytes=64 << 20):
    uri = f"kafka://{address}/{topic}"
    return open_capture(CaptureConfig(stream=StreamConfig(uri=uri), buffer_bytes=buffer_bytes))


def record(capture, first, last, per_tick=20):
    """Each call returns at once, whatever the broker does: nothing here waits."""
    for number in range(first, last):
        capture.record(event(IRIS, f"r{number}", outputs={"predict": np.array([number])}))
        if number % per_tick == per_tick - 1:
            capture.flush_tick()
    capture.flush_tick()


def add_up(status):
    return status.captured == status.delivered + status.dropped + status.pending


def ids(kafka, topic):
    return [one["id"] for message in topic_messages(kafka.bootstrap, topic) for one in decode(message.value)]


def test_nothing_is_lost_when_the_broker_stops_and_starts_under_load(kafka):
    topic = kafka.create_topic("stopped", 3)
    capture = open_to(kafka.bootstrap, topic)
    record(capture, 0, 5000)
    try:
        stopping = threading.Thread(target=kafka.stop)
        stopping.start()
        record(capture, 5000, 20_000)
        stopping.join()
        record(capture, 20_000, 30_000)
        status = capture.status()
        assert status.pending >= 10_000
        assert status.dropped == 0
        assert add_up(status)
        wait_until(lambda: capture.status().error is not None, "the broker's fault in the status")
        assert topic in capture.status().error
    finally:
        stopping.join()
        starting = threading.Thread(target=kafka.start)
        starting.start()
        record(capture, 30_000, 40_000)
        starting.join()
    wait_until(lambda: capture.status().pending == 0, "delivery of all")
    wait_until(lambda: capture.status().error is None, "the end of the fault in the status")
    capture.close(30)
    status = capture.status()
    assert (status.captured, status.delivered, status.dropped) == (40_000, 40_000, 0)
    found = ids(kafka, topic)
    assert len(found) == 40_000
    assert set(found) == {f"r{number}" for number in range(40_000)}


def test_what_finds_no_room_is_counted_exactly(kafka):
    topic = kafka.create_topic("small-buffer", 1)
    capture = open_to(kafka.bootstrap, topic, buffer_bytes=256 << 10)
    record(capture, 0, 100)
    wait_until(lambda: capture.status().pending == 0, "the first deliveries")
    kafka.stop()
    try:
        record(capture, 100, 20_100)
        status = capture.status()
        assert status.dropped > 0
        assert status.pending > 0
        assert add_up(status)
    finally:
        kafka.start()
    wait_until(lambda: capture.status().pending == 0, "delivery of what found room")
    record(capture, 20_100, 20_200)
    capture.close(30)
    status = capture.status()
    assert status.captured == 20_200 == status.delivered + status.dropped
    found = ids(kafka, topic)
    assert len(found) == len(set(found)) == status.delivered
    assert {f"r{number}" for number in range(20_100, 20_200)} <= set(found)


def test_a_server_starts_without_its_broker_and_what_stays_at_the_close_is_dropped():
    capture = open_to(f"127.0.0.1:{free_port()}", "nowhere")
    record(capture, 0, 1000)
    wait_until(lambda: capture.status().error is not None, "the fault in the status")
    assert "refused" in capture.status().error
    assert capture.status().pending == 1000
    capture.close(0.1)
    status = capture.status()
    assert (status.captured, status.delivered, status.dropped, status.pending) == (1000, 0, 1000, 0)


def test_a_message_that_the_broker_cannot_take_is_dropped_alone(kafka):
    topic = kafka.create_topic("large", 1)
    uri = f"kafka://{kafka.bootstrap}/{topic}"
    capture = open_capture(CaptureConfig(stream=StreamConfig(uri=uri), format="cloudevents"))
    large = event(source(features=("pixels",)), "large", np.random.default_rng(1).random((1, 100_000)))
    for one in (event(IRIS, "a"), large, event(IRIS, "b")):
        capture.record(one)
    capture.flush_tick()
    capture.close(30)
    status = capture.status()
    assert (status.captured, status.delivered, status.dropped) == (3, 2, 1)
    assert "too large" in status.error
    found = [one.key for one in topic_messages(kafka.bootstrap, topic)]
    assert found == [b"a", b"a", b"b", b"b"]


def test_a_missing_topic_is_told_and_its_events_wait_for_it(kafka):
    capture = open_to(kafka.bootstrap, "comes-late")
    record(capture, 0, 10)
    wait_until(lambda: capture.status().error is not None, "the missing topic in the status")
    assert "comes-late" in capture.status().error
    assert "nknown topic" in capture.status().error
    assert capture.status().pending == 10
    kafka.create_topic("comes-late")
    wait_until(lambda: capture.status().delivered == 10, "delivery")
    wait_until(lambda: capture.status().error is None, "the end of the fault")
    capture.close(10)
