"""All partitions of a real topic, from positions of our own: nothing is missed and nothing comes twice."""

import warnings

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams import kafka_partitions, open_partitions
from parts import free_port, wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaAdminClient
    from kafka import TopicPartition as Place


@pytest.fixture
def opened(kafka, monkeypatch):
    """Open readers of a topic, which look for new partitions often; closed at the end."""
    monkeypatch.setattr(kafka_partitions, "CHECK", 0.2)
    monkeypatch.setattr(kafka_partitions, "DISCOVER", 0.5)
    readers = []

    def open_topic(topic, positions=None, start="earliest", address=None):
        uri = f"kafka://{address or kafka.bootstrap}/{topic}"
        readers.append(open_partitions(StreamConfig(uri=uri), f"group-{topic}", positions or {}, start))
        return readers[-1]

    yield open_topic
    for reader in readers:
        reader.close()


@pytest.fixture
def admin(kafka):
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    yield client
    client.close()


def produce(kafka, topic, values, partition=0, **settings):
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "log_level": 0, **settings})
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(30) == 0


def collect(reader, count, found=None, most=100):
    """Partition to values, once `count` are there in all; checks what a chunk promises."""
    found = {} if found is None else found

    def enough():
        for chunk in reader.poll(most, 0.2):
            assert len(chunk.values) == len(chunk.offsets) == len(chunk.timestamps)
            assert chunk.offsets == sorted(set(chunk.offsets))
            assert chunk.next_offset == chunk.offsets[-1] + 1
            found.setdefault(chunk.partition, []).extend(chunk.values)
        return sum(map(len, found.values())) >= count

    wait_until(enough, f"{count} messages")
    return found


def at_end(reader):
    """Read what is left until all partitions are at their ends; how many messages came."""
    came = []

    def ended():
        came.extend(value for chunk in reader.poll(100, 0.1) for value in chunk.values)
        return reader.caught_up == reader.positions.keys() != set()

    wait_until(ended, "the ends of all partitions")
    return len(came)


def numbered(first, last):
    return [b"%d" % number for number in range(first, last)]


def test_every_partition_in_its_order_and_the_rest_from_positions(kafka, opened):
    topic = kafka.create_topic("parts-order", 3)
    for partition in range(3):
        produce(kafka, topic, numbered(0, 1000), partition)
    first = opened(topic)
    found = collect(first, 1500)
    assert len(found) > 0
    second = opened(topic, first.positions)
    assert second.positions == first.positions
    whole = collect(second, 3000, found)
    assert whole == {str(partition): numbered(0, 1000) for partition in range(3)}
    assert at_end(second) == 0
    assert (second.lag(), second.lost, second.error) == (0, 0, None)


def test_keys_headers_and_times_are_there(kafka, opened):
    topic = kafka.create_topic("parts-keys", 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    producer.produce(topic, b"a", b"k", headers=[("h", b"1"), ("h", None)], timestamp=1_700_000_000_000)
    producer.produce(topic, None, b"gone", timestamp=1_700_000_000_001)
    producer.flush(30)
    reader = opened(topic)
    chunks = []
    wait_until(
        lambda: chunks.extend(reader.poll(10, 0.2)) or sum(len(one.values) for one in chunks) == 2, "both"
    )
    assert [value for one in chunks for value in one.values] == [b"a", b""]
    assert [key for one in chunks for key in one.keys] == [b"k", b"gone"]
    assert chunks[0].headers[0] == (("h", b"1"), ("h", b""))
    assert [time for one in chunks for time in one.timestamps] == [1_700_000_000_000, 1_700_000_000_001]


def test_latest_is_the_end_at_the_opening(kafka, opened):
    topic = kafka.create_topic("parts-latest", 2)
    produce(kafka, topic, numbered(0, 10), 0)
    reader = opened(topic, start="latest")
    produce(kafka, topic, numbered(10, 20), 0)
    produce(kafka, topic, numbered(20, 30), 1)
    assert collect(reader, 20) == {"0": numbered(10, 20), "1": numbered(20, 30)}


def test_partitions_that_are_added_are_read_from_their_beginning(kafka, opened, admin):
    topic = kafka.create_topic("parts-added", 1)
    reader = opened(topic, start="latest")
    admin.create_partitions({topic: 3})
    wait_until(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 3, "three partitions")
    for partition in (1, 2):
        produce(kafka, topic, numbered(0, 10), partition)
    assert collect(reader, 20) == {"1": numbered(0, 10), "2": numbered(0, 10)}
    again = opened(topic, {"0": 0}, start="latest")
    assert collect(again, 20) == {"1": numbered(0, 10), "2": numbered(0, 10)}


def test_a_topic_that_comes_later_is_waited_for(kafka, opened):
    reader = opened("parts-later", start="latest")
    assert reader.poll(10, 0) == []
    assert "parts-later" in reader.error
    assert "nknown topic" in reader.error
    assert reader.lag() is None
    kafka.create_topic("parts-later", 1)
    wait_until(lambda: reader.poll(10, 0.1) == [] and reader.error is None, "the topic")
    produce(kafka, "parts-later", numbered(0, 5))
    assert collect(reader, 5) == {"0": numbered(0, 5)}


def test_a_broker_that_goes_and_comes_back(kafka, opened):
    topic = kafka.create_topic("parts-restart", 2)
    for partition in range(2):
        produce(kafka, topic, numbered(0, 100), partition)
    reader = opened(topic)
    found = collect(reader, 200)
    at_end(reader)
    kafka.stop()
    try:
        wait_until(lambda: reader.poll(10, 0.1) == [] and reader.error is not None, "the broker's fault")
        assert topic in reader.error
        assert reader.caught_up == frozenset()
    finally:
        kafka.start()
    for partition in range(2):
        produce(kafka, topic, numbered(100, 200), partition)
    assert collect(reader, 400, found) == {"0": numbered(0, 200), "1": numbered(0, 200)}
    assert at_end(reader) == 0
    assert (reader.error, reader.lost, reader.lag()) == (None, 0, 0)


def test_a_broker_that_comes_after_the_reader(opened, monkeypatch):
    monkeypatch.setattr(kafka_partitions, "CONNECT", 0.2)
    monkeypatch.setattr(kafka_partitions, "ASK", 0.1)
    reader = opened("t", address=f"127.0.0.1:{free_port()}")
    assert reader.poll(10, 0) == []
    wait_until(lambda: reader.poll(10, 0.1) == [] and "refused" in (reader.error or ""), "the fault")
    assert reader.positions == {}


def test_aborted_transactions_are_not_read_and_their_markers_are_passed(kafka, opened):
    topic = kafka.create_topic("parts-transactions", 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": "t", "log_level": 0})
    producer.init_transactions(30)
    for at, keep in enumerate((True, False, True, False)):
        producer.begin_transaction()
        for value in numbered(10 * at, 10 * at + 10):
            producer.produce(topic, value)
        producer.flush(30)
        producer.commit_transaction(30) if keep else producer.abort_transaction(30)
    reader = opened(topic)
    assert collect(reader, 20) == {"0": [*numbered(0, 10), *numbered(20, 30)]}
    assert at_end(reader) == 0
    assert reader.positions == {"0": 44}
    assert (reader.lag(), reader.lost) == (0, 0)


def test_what_retention_took_is_counted_and_reading_goes_on_behind_it(kafka, opened, admin):
    topic = kafka.create_topic("parts-retention", 1)
    produce(kafka, topic, numbered(0, 100))
    admin.delete_records({Place(topic, 0): 60})
    reader = opened(topic, {"0": 20})
    assert collect(reader, 40) == {"0": numbered(60, 100)}
    assert reader.lost == 40
    assert collect(opened(topic), 40) == {"0": numbered(60, 100)}
    beyond = opened(topic, {"0": 1000})
    assert collect(beyond, 40) == {"0": numbered(60, 100)}
    assert beyond.lost == 0


def test_the_group_is_told_the_positions(kafka, opened):
    topic = kafka.create_topic("parts-group", 2)
    produce(kafka, topic, numbered(0, 10), 1)
    reader = opened(topic)
    collect(reader, 10)
    reader.commit({"0": 0, "1": 7})
    watcher = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"group-{topic}"})
    places = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    try:
        wait_until(
            lambda: (
                reader.poll(1, 0.1) == [] and [one.offset for one in watcher.committed(places, 5)] == [0, 7]
            ),
            "the positions in the group",
        )
    finally:
        watcher.close()
    # nothing is read from them
    assert opened(topic, {"1": 3}).positions == {"0": 0, "1": 3}
