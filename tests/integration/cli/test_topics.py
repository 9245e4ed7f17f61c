"""`moorage topic` on a real broker."""

import json

import pytest
from confluent_kafka import Producer

ROWS = "".join(f'{{"id": {number % 10}, "x": {number}}}\n' for number in range(500))


@pytest.fixture
def topic(moorage, kafka, request):
    """A topic of the test's own, and commands on it."""
    name = request.node.originalname
    kafka.create_topic(name, partitions=3)

    def run(command, *words, code=0, name=name):
        return moorage("topic", command, name, "--kafka", kafka.bootstrap, *words, code=code)

    run.name = name
    return run


def messages(topic, *words):
    done = topic("consume", "--from-beginning", "-o", "json", *words)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_messages_of_one_key_stay_in_order_in_one_partition(topic, tmp_path, kafka):
    (tmp_path / "rows").write_text(ROWS)
    done = topic("produce", "-f", str(tmp_path / "rows"), "--key", "id")
    assert done.stdout == f"500 messages written to kafka://{kafka.bootstrap}/{topic.name}\n"
    found = messages(topic, "--max-messages", "500")
    assert len({one["partition"] for one in found}) == 3
    for key in map(str, range(10)):
        mine = [one for one in found if one["key"] == key]
        assert len({one["partition"] for one in mine}) == 1
        assert [json.loads(one["value"])["x"] for one in mine] == list(range(int(key), 500, 10))
        assert all(one["timestamp"] > 1_600_000_000_000 for one in mine)
    assert messages(topic, "--max-messages", "500") == found, "looking has changed something"


def test_headers_and_bytes_are_shown(topic, kafka):
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(topic.name, b"\xff", key=b"k", headers={"error": "no JSON", "raw": b"\xfe"}, partition=1)
    producer.flush()
    (found,) = messages(topic, "--max-messages", "1")
    assert (found["partition"], found["offset"], found["key"], found["valueBase64"]) == ("1", 0, "k", "/w==")
    assert found["headers"] == [{"name": "error", "value": "no JSON"}, {"name": "raw", "valueBase64": "/g=="}]


def test_what_a_transaction_took_back_is_not_shown(topic, kafka):
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic.name})
    producer.init_transactions()
    for value, end in ((b"taken back", producer.abort_transaction), (b"kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic.name, value, partition=0)
        producer.flush()
        end()
    assert topic("consume", "--from-beginning", "--timeout", "3").stdout == "kept\n"


@pytest.mark.parametrize("command", ["consume", "produce"])
def test_a_topic_that_is_not_there_is_named(moorage, kafka, tmp_path, command):
    (tmp_path / "rows").write_text(ROWS)
    words = ["-f", str(tmp_path / "rows")] if command == "produce" else ["--timeout", "1"]
    refused = moorage("topic", command, "none", "--kafka", kafka.bootstrap, *words, code=1)
    assert refused.stderr == f"error: kafka://{kafka.bootstrap}/none: there is no such topic\n"


def test_the_broker_of_up_is_found(moorage, kafka):
    kafka.create_topic("found", partitions=1)
    moorage.up("--kafka", kafka.bootstrap)
    moorage.manifest.with_name("rows").write_text("hello\n")
    moorage("topic", "produce", "found", "-f", str(moorage.manifest.with_name("rows")))
    assert moorage("topic", "consume", "found", "--from-beginning", "--max-messages", "1").stdout == "hello\n"
    assert not (moorage.state / "streams").exists()
