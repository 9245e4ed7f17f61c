"""Changes told to a webhook and to streams: at least once, in order, with an id that names the change."""

import json
import shutil

import pytest

from conftest import provide
from moorage_runtime.config import AlertConfig, HttpTargetConfig, StreamConfig
from moorage_runtime.drift.sinks import Sinks
from moorage_runtime.streams import open_reader
from parts import wait_until
from parts.kafka import kafka_broker
from support.drift_results import change, monitor


def webhook(url, **fields):
    return AlertConfig(name="hook", webhook=HttpTargetConfig(url=url, **fields))


def status(sinks):
    return next(one for one in sinks.status() if one.name == "hook")


def test_a_webhook_that_fails_gets_every_change_later_in_order(receiver):
    receiver.failing = [500, 503, 429]
    sinks = Sinks(monitor(alerts=[webhook(receiver.url)]))
    changes = [change(n) for n in range(5)]
    sinks.results((), changes)
    wait_until(lambda: status(sinks).delivered == 5, "all alerts")
    sinks.close(5)
    assert [event["data"]["window"]["index"] for event in receiver.events] == [0, 1, 2, 3, 4]
    assert len({event["id"] for event in receiver.events}) == 5
    assert status(sinks).dropped == 0
    assert len(receiver.headers) == 8
    assert {header["content-type"] for header in receiver.headers} == {"application/cloudevents+json"}


def test_the_event_says_what_changed_and_its_id_is_the_changes_own(receiver):
    for _ in range(2):
        sinks = Sinks(monitor(alerts=[webhook(receiver.url)]))
        sinks.results((), [change(4, names=("petal_length", "petal_width"))])
        sinks.close(10)
    first, again = receiver.events
    assert first == again
    assert first["specversion"] == "1.0"
    assert first["type"] == "dev.moorage.drift.changed"
    assert first["source"] == "/namespaces/ml/driftmonitors/watch"
    assert first["time"] == "2026-11-22T16:45:04.000000Z"
    assert first["data"]["before"] == "None"
    assert first["data"]["after"] == "Detected"
    assert first["data"]["names"] == ["petal_length", "petal_width"]
    assert (
        first["data"]["summary"]
        == "ml/watch: data drift of iris_v1 went from None to Detected: petal_length, petal_width"
    )


def test_a_refused_alert_is_counted_and_does_not_stop_the_next(receiver):
    receiver.failing = [400]
    sinks = Sinks(monitor(alerts=[webhook(receiver.url)]))
    sinks.results((), [change(0), change(1)])
    wait_until(lambda: status(sinks).pending == 0, "both")
    sinks.close(5)
    assert (status(sinks).delivered, status(sinks).dropped) == (1, 1)
    assert [event["data"]["window"]["index"] for event in receiver.events] == [1]


def test_a_token_is_sent_and_never_told(receiver, tmp_path):
    (tmp_path / "token").write_text("t0ken-words\n")
    receiver.failing = [403]
    receiver.words = b"no right for t0ken-words here"
    sinks = Sinks(monitor(alerts=[webhook(receiver.url, token_dir=str(tmp_path))]))
    sinks.results((), [change(0)])
    wait_until(lambda: status(sinks).error is not None, "the refusal")
    assert status(sinks).error == "HTTP 403: no right for *** here"
    (tmp_path / "token").write_text("fresh-words")
    wait_until(lambda: status(sinks).delivered == 1, "the alert")
    sinks.close(5)
    assert receiver.headers[0]["authorization"] == "Bearer t0ken-words"
    assert receiver.headers[-1]["authorization"] == "Bearer fresh-words"


def test_a_missing_token_is_told_by_its_file(receiver, tmp_path):
    sinks = Sinks(monitor(alerts=[webhook(receiver.url, token_dir=str(tmp_path))]))
    sinks.results((), [change(0)])
    wait_until(lambda: status(sinks).error is not None, "the error")
    assert status(sinks).error == f"{tmp_path}/token: No such file or directory"
    sinks.close(0)
    assert receiver.headers == []


def test_another_authority_is_refused_and_the_right_one_is_taken_up(tls_receiver, tmp_path):
    folder = tmp_path / "ca"
    folder.mkdir()
    shutil.copy(tmp_path / "wrong.crt", folder / "ca.crt")
    sinks = Sinks(monitor(alerts=[webhook(tls_receiver.url, ca_dir=str(folder))]))
    sinks.results((), [change(0)])
    wait_until(lambda: status(sinks).error is not None, "the refusal")
    assert "CERTIFICATE_VERIFY_FAILED" in status(sinks).error
    assert " object at 0x" not in status(sinks).error
    assert tls_receiver.bodies == []
    shutil.copy(tmp_path / "right.crt", folder / "ca.crt")
    wait_until(lambda: status(sinks).delivered == 1, "the alert")
    sinks.close(5)


def read(stream, count):
    reader = open_reader(stream, "test", "earliest")
    records = []
    wait_until(lambda: bool(records.extend(reader.poll(100, 0.1)) or len(records) >= count), "the alerts")
    reader.close()
    return records


def test_a_folder_gets_every_change(tmp_path):
    stream = StreamConfig(uri=str(tmp_path / "alerts"))
    sinks = Sinks(monitor(alerts=[AlertConfig(name="hook", stream=stream)]))
    sinks.results((), [change(n) for n in range(3)])
    wait_until(lambda: status(sinks).delivered == 3, "all alerts")
    sinks.close(5)
    assert [json.loads(r.value)["data"]["window"]["index"] for r in read(stream, 3)] == [0, 1, 2]


@pytest.fixture
def kafka():
    yield from provide(kafka_broker)


def test_a_topic_gets_every_change_though_the_broker_was_away(kafka):
    stream = StreamConfig(uri=f"kafka://{kafka.bootstrap}/{kafka.create_topic('alerts')}")
    sinks = Sinks(monitor(alerts=[AlertConfig(name="hook", stream=stream)]))
    sinks.results((), [change(0)])
    wait_until(lambda: status(sinks).delivered == 1, "the first alert")
    kafka.stop()
    sinks.results((), [change(1), change(2)])
    wait_until(lambda: status(sinks).error is not None, "the error")
    kafka.start()
    wait_until(lambda: status(sinks).delivered == 3, "the other alerts")
    sinks.close(5)
    records = read(stream, 3)
    assert [json.loads(r.value)["data"]["window"]["index"] for r in records] == [0, 1, 2]
    assert {r.key for r in records} == {b"ml/watch"}


def test_changes_that_were_not_told_are_told_by_the_next_worker(receiver):
    receiver.failing = [503] * 1000
    sinks = Sinks(monitor(alerts=[webhook(receiver.url)]))
    sinks.results((), [change(n) for n in range(3)])
    wait_until(lambda: status(sinks).error is not None, "the error")
    state = json.loads(json.dumps(sinks.state()))
    sinks.close(0)
    assert receiver.bodies == []
    receiver.failing = []
    follower = Sinks(monitor(alerts=[webhook(receiver.url)]))
    follower.restore(state)
    wait_until(lambda: status(follower).delivered == 3, "all alerts")
    follower.close(5)
    assert [event["data"]["window"]["index"] for event in receiver.events] == [0, 1, 2]
    assert follower.state()["changes"] == []
