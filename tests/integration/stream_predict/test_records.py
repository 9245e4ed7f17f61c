"""What becomes of a record on Kafka: what is carried over, what poison does, what the predictions are."""

import json

import joblib
import numpy as np

from parts import wait_until


def header(record, name):
    return dict(record.headers)[name]


def test_keys_headers_and_timestamps_are_carried_over_and_predictions_are_the_models(pipeline):
    made = pipeline()
    made.send(0, 2000)
    worker = made.start()
    found = made.wait_for(2000)
    model = joblib.load(made.model)
    rows = []
    for record in found:
        number, document = int(record.key), json.loads(record.value)
        given = document["input"]
        rows.append(given if isinstance(given, list) else list(given.values()))
        assert record.timestamp == made.began + number
        assert header(record, "n") == b"%d" % number
        assert (header(record, "moorage-model"), header(record, "moorage-version")) == (b"iris", b"v3")
        assert (document["id"], document["model"], document["version"]) == (str(number), "iris", "v3")
    wanted = model.predict(np.array(rows)).tolist()
    assert [json.loads(record.value)["prediction"] for record in found] == wanted
    assert worker.stop() == 0


def test_poison_goes_to_the_dead_letters_as_it_came_and_takes_nobody_with_it(pipeline):
    made = pipeline(partitions=1)
    poison = {7: b"\xff{", 8: b"[1, 2", 9: b'{"sepal_length": "red"}', 10: b"[1, 2, 3, null]", 11: b"2]"}
    made.send(0, 100, lambda number: poison.get(number, b"[5.1, 3.5, 1.4, 0.2]"))
    worker = made.start()
    dead = made.wait_for(len(poison), "dead")
    assert {int(one.key): one.value for one in dead} == poison
    reasons = {int(one.key): header(one, "moorage-reason") for one in dead}
    assert reasons == {7: b"NotJson", 8: b"NotJson", 9: b"BadInput", 10: b"BadInput", 11: b"NotJson"}
    for one in dead:
        assert header(one, "moorage-source-topic") == made.topic("in").encode()
        assert header(one, "moorage-source-offset") == one.key
        assert header(one, "n") == one.key
        assert header(one, "moorage-error")
    assert len(made.wait_for(95)) == 95
    assert worker.stop() == 0


def test_an_output_too_large_for_its_topic_becomes_a_dead_letter(pipeline):
    for delivery in ("AtLeastOnce", "ExactlyOnce"):
        made = pipeline(delivery, partitions=1)
        large = b"[5.1, 3.5, 1.4, 0.2" + b" " * 1_048_430 + b"]"
        made.send(0, 3, lambda number, large=large: large if number == 1 else b"[5.1, 3.5, 1.4, 0.2]")
        worker = made.start()
        assert sorted(int(one.key) for one in made.wait_for(2)) == [0, 2]
        (dead,) = made.wait_for(1, "dead")
        assert header(dead, "moorage-reason") in (b"OutputRefused", b"TooLargeAtAll")
        assert worker.stop() == 0


def test_a_missing_topic_is_told_and_waited_for(pipeline, kafka):
    made = pipeline(roles=("out", "dead"))
    worker = made.start()
    wait_until(lambda: "nknown topic" in made.status(worker).get("error", ""), "the fault in the status")
    assert made.topic("in") in made.status(worker)["error"]
    kafka.create_topic(made.topic("in"), 1)
    made.send(0, 10)
    assert len(made.wait_for(10)) == 10
    assert worker.stop() == 0
