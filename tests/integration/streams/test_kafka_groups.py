"""Members of a consumer group: positions survive a restart, a partition has one reader, another takes over."""

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams import Message, open_reader, open_writer
from parts import wait_until


def stream(kafka, topic):
    return StreamConfig(uri=f"kafka://{kafka.bootstrap}/{topic}")


def write(to, first, last):
    writer = open_writer(to, 1 << 20)
    writer.write([Message(b"%d" % number, b"k", (("h", b"v"),)) for number in range(first, last)])
    writer.close(30)
    assert writer.stats.delivered == last - first


def read(reader, count):
    records = []

    def enough():
        records.extend(reader.poll(count - len(records), 0.2))
        return len(records) >= count

    wait_until(enough, f"{count} records")
    return [int(record.value) for record in records]


def test_a_group_goes_on_where_it_committed(kafka):
    to = stream(kafka, kafka.create_topic("resume", 1))
    write(to, 0, 10)
    first = open_reader(to, "g", "earliest")
    (record,) = first.poll(1, 30)
    assert (record.value, record.key, record.headers, record.partition, record.offset) == (
        b"0",
        b"k",
        (("h", b"v"),),
        "0",
        0,
    )
    assert read(first, 3) == [1, 2, 3]
    first.commit()
    assert read(first, 2) == [4, 5]
    first.close()
    second = open_reader(to, "g", "earliest")
    assert read(second, 6) == [4, 5, 6, 7, 8, 9]
    second.close()


def test_latest_means_after_the_opening_however_long_the_group_takes(kafka):
    to = stream(kafka, kafka.create_topic("latest", 2))
    write(to, 0, 10)
    reader = open_reader(to, "late", "latest")
    write(to, 10, 15)
    assert sorted(read(reader, 5)) == [10, 11, 12, 13, 14]
    reader.close()


def test_of_two_members_one_reads_a_partition_and_the_other_takes_over(kafka):
    to = stream(kafka, kafka.create_topic("members", 1))
    write(to, 0, 10)
    first = open_reader(to, "pair", "earliest")
    assert read(first, 4) == [0, 1, 2, 3]
    first.commit()
    second = open_reader(to, "pair", "earliest")
    idle = second.poll(10, 1)
    first.poll(0, 0.1)
    got = []
    first.close()
    wait_until(lambda: bool(got.extend(second.poll(10, 0.2)) or len(got) >= 6), "the take-over")
    assert idle == []
    assert [int(record.value) for record in got] == [4, 5, 6, 7, 8, 9]
    second.close()
