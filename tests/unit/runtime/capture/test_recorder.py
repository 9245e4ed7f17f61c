"""Capture takes all or a sample, never raises, and its counts always add up."""

import threading

import numpy as np
import pytest

from moorage_runtime.capture import Capture, open_capture
from moorage_runtime.capture.decode import decode
from moorage_runtime.capture.formats import encoder
from moorage_runtime.capture.recorder import LARGE
from moorage_runtime.config import CaptureConfig, StreamConfig
from moorage_runtime.streams import StreamError, WriterStats
from moorage_runtime.streams.directory import DirectoryReader
from support.events import event, source


class Kept:
    """A writer that keeps everything pending."""

    structured = False

    def __init__(self):
        self.messages = []

    @property
    def stats(self):
        return WriterStats(pending=sum(message.events for message in self.messages))

    def write(self, messages):
        self.messages += messages

    def flush(self, timeout):
        return False

    def close(self, timeout):
        pass


def capture(kept, ratio=1.0, draws=()):
    return Capture(kept, encoder("native", structured=False), ratio, iter(draws).__next__)


def test_events_of_a_tick_leave_together():
    kept = Kept()
    recording = capture(kept)
    for number in range(5):
        recording.record(event(WHOSE, str(number)))
    assert recording.status().captured == recording.status().pending == 5
    assert kept.messages == []
    recording.flush_tick()
    assert [message.events for message in kept.messages] == [5]
    recording.flush_tick()
    assert len(kept.messages) == 1


WHOSE = source()


def test_the_sample_ratio_is_a_chance_per_request():
    kept = Kept()
    recording = capture(kept, 0.25, [0.1, 0.25, 0.9, 0.2])
    for identity in "abcd":
        recording.record(event(WHOSE, identity))
    recording.flush_tick()
    assert [one["id"] for one in decode(kept.messages[0].value)] == ["a", "d"]
    assert recording.status().captured == 2


def test_an_event_that_cannot_be_encoded_is_dropped_alone_and_told():
    kept = Kept()
    recording = capture(kept)
    for identity in "abc":
        recording.record(event(WHOSE, identity))
    recording.record(event(WHOSE, "d", inputs=np.array(1.0)))
    recording.flush_tick()
    status = recording.status()
    assert (status.captured, status.pending, status.dropped) == (4, 3, 1)
    assert "iris_v1 could not be encoded" in status.error
    assert {one["id"] for message in kept.messages for one in decode(message.value)} == {"a", "b", "c"}


def test_without_ticks_the_memory_is_bounded(monkeypatch):
    monkeypatch.setattr("moorage_runtime.capture.recorder.MOST_WAITING", 10)
    kept = Kept()
    recording = capture(kept)
    for number in range(25):
        recording.record(event(WHOSE, str(number)))
    recording.flush_tick()
    status = recording.status()
    assert (status.captured, status.pending, status.dropped) == (25, 10, 15)


def test_close_writes_what_the_last_tick_left(tmp_path):
    config = CaptureConfig(stream=StreamConfig(uri=str(tmp_path / "stream")))
    recording = open_capture(config)
    recording.record(event(WHOSE, "last"))
    recording.close(10)
    (record,) = DirectoryReader(tmp_path / "stream", start="earliest").poll(10, 0)
    assert decode(record.value)[0]["id"] == "last"
    assert recording.status().delivered == 1


def test_an_unwritable_stream_is_named_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamError, match="file/stream"):
        open_capture(CaptureConfig(stream=StreamConfig(uri=str(tmp_path / "file" / "stream"))))


def large(identity, rows=LARGE):
    return event(WHOSE, identity, np.ones((rows, 4)), {"predict": np.zeros(rows, np.int64)})


@pytest.mark.parametrize("form", ["native", "mlrun-v1", "mlrun-v2", "cloudevents"])
def test_a_large_event_is_encoded_off_the_callers_thread_and_arrives_whole(tmp_path, form):
    threads = set()
    config = CaptureConfig(stream=StreamConfig(uri=str(tmp_path)), format=form)
    recording = open_capture(config)
    encode = recording._encode

    def spy(events):
        threads.update((each.request_id, threading.current_thread()) for each in events)
        return encode(events)

    recording._encode = spy
    recording.record(event(WHOSE, "small"))
    recording.record(large("large"))
    recording.flush_tick()
    recording.close(60)
    here = {identity for identity, thread in threads if thread is threading.current_thread()}
    assert here == {"small"}
    status = recording.status()
    assert (status.captured, status.delivered, status.dropped, status.pending) == (2, 2, 0, 0)
    reader = DirectoryReader(tmp_path, start="earliest")
    found = []
    while records := reader.poll(1000, 0):
        found += [one for record in records for one in decode(record.value) if one["id"] == "large"]
    rows = [row for one in found if one["inputs"] is not None for row in one["inputs"]]
    answers = [answer for one in found if one["outputs"] is not None for answer in one["outputs"]["predict"]]
    assert (len(rows), len(answers)) == (LARGE, LARGE)
    assert rows[0] == rows[-1] == [1, 1, 1, 1]


def test_large_events_wait_within_the_buffers_bound_and_add_up():
    kept = Kept()
    one = large("a")
    size = 8 * (one.inputs.size + one.outputs["predict"].size)
    native = encoder("native", structured=False)
    gate = threading.Event()

    def encode(events):
        gate.wait(10)
        return native(events)

    recording = Capture(kept, encode, buffer_bytes=2 * size)
    for identity in "abcde":
        recording.record(large(identity))
    recording.flush_tick()
    status = recording.status()
    assert (status.captured, status.dropped, status.pending) == (5, 3, 2)
    gate.set()
    recording.close(30)
    status = recording.status()
    assert (status.captured, status.dropped, status.pending) == (5, 3, 2)
    assert sum(message.events for message in kept.messages) == 2


def test_large_events_that_are_not_encoded_in_time_count_as_dropped():
    gate = threading.Event()

    def encode(events):
        gate.wait(10)
        return encoder("native", structured=False)(events)

    kept = Kept()
    recording = Capture(kept, encode)
    recording.record(large("late"))
    recording.close(0.01)
    status = recording.status()
    assert (status.captured, status.dropped, status.pending) == (1, 1, 0)
    gate.set()
    recording._thread.join(10)
    assert kept.messages == []
    assert recording.status().dropped == 1
