"""A folder read by writer: order, positions that the caller keeps, and what is lost is counted."""

import fcntl
import json

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams import Message, open_partitions
from moorage_runtime.streams.directory import DirectoryReader, DirectoryWriter, Retention
from moorage_runtime.streams.segments import retain, segments


def write(folder, lines, **settings):
    """Write lines by a writer of its own, which ends."""
    writer = DirectoryWriter(folder, 1 << 20, **settings)
    for line in lines:
        writer.write([Message(line)])
        assert writer.flush(5)
    writer.close(5)


def reader(folder, positions=None, start="earliest", group="g"):
    return open_partitions(StreamConfig(uri=str(folder)), group, positions or {}, start)


def drain(partitions, most=1000):
    """Writer to its lines, until nothing is left."""
    found = {}
    while chunks := partitions.poll(most, 0):
        for chunk in chunks:
            assert len(chunk.values) == len(chunk.offsets) <= most
            assert chunk.offsets == sorted(chunk.offsets)
            assert chunk.next_offset > chunk.offsets[-1]
            found.setdefault(chunk.partition, []).extend(chunk.values)
    return found


def test_the_segments_of_a_writer_are_one_partition_in_order(tmp_path):
    lines = [b"a%d" % number for number in range(20)]
    write(tmp_path, lines, segment_bytes=10)
    write(tmp_path, [b"b0", b"b1"])
    assert len(segments(tmp_path)) > 5
    partitions = reader(tmp_path)
    found = drain(partitions, most=3)
    assert sorted(found.values()) == [lines, [b"b0", b"b1"]]
    assert partitions.caught_up == found.keys() == partitions.positions.keys()
    assert (partitions.lag(), partitions.lost, partitions.error) == (0, 0, None)


def test_reading_goes_on_from_positions_in_the_same_chunks(tmp_path):
    write(tmp_path, [b"%d" % number for number in range(50)], segment_bytes=40)
    first = reader(tmp_path)
    (chunk,) = first.poll(7, 0)
    (after,) = first.poll(7, 0)
    again = reader(tmp_path, {chunk.partition: chunk.next_offset}, "latest")
    assert again.positions == {chunk.partition: chunk.next_offset}
    assert again.poll(7, 0) == [after]
    assert again.lag() > 0


def test_every_offset_is_a_place_to_go_on_from(tmp_path):
    lines = [b"%d" % number for number in range(12)]
    write(tmp_path, lines, segment_bytes=8)
    partitions = reader(tmp_path)
    offsets = []
    while chunks := partitions.poll(5, 0):
        offsets += chunks[0].offsets
    (writer,) = partitions.positions
    for at, offset in enumerate(offsets):
        assert drain(reader(tmp_path, {writer: offset})) == {writer: lines[at:]}


def test_latest_is_the_end_at_the_opening_and_new_writers_are_read_whole(tmp_path):
    write(tmp_path, [b"old"])
    partitions = reader(tmp_path, start="latest")
    assert len(partitions.positions) == 1
    write(tmp_path, [b"new"])
    assert list(drain(partitions).values()) == [[b"new"]]


def test_with_positions_a_writer_that_has_none_came_since(tmp_path):
    write(tmp_path, [b"a"])
    positions = reader(tmp_path, start="latest").positions
    write(tmp_path, [b"b"])
    assert list(drain(reader(tmp_path, positions, "latest")).values()) == [[b"b"]]


def test_a_folder_that_is_not_there_is_waited_for(tmp_path):
    partitions = reader(tmp_path / "s", start="latest")
    assert partitions.poll(10, 0) == []
    assert str(tmp_path / "s") in partitions.error
    assert partitions.lag() is None
    write(tmp_path / "s", [b"a"])
    assert list(drain(partitions).values()) == [[b"a"]]
    assert partitions.error is None


def test_a_line_without_its_end_waits_for_its_writer_and_is_torn_without_one(tmp_path):
    path = tmp_path / "0000000000001-w-000001.jsonl"
    with path.open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b"a\nhal")
        partitions = reader(tmp_path)
        assert drain(partitions) == {"w": [b"a"]}
        assert partitions.lost == 0
        file.write(b"f\nto")
        assert drain(partitions) == {"w": [b"half"]}
    assert drain(partitions) == {}
    assert (partitions.torn, partitions.lost) == (1, 2)
    assert partitions.lag() == 0


def test_a_torn_line_does_not_hold_up_the_next_segment(tmp_path):
    (tmp_path / "0000000000001-w-000001.jsonl").write_bytes(b"a\ntorn")
    (tmp_path / "0000000000002-w-000002.jsonl").write_bytes(b"b\n")
    partitions = reader(tmp_path)
    assert drain(partitions) == {"w": [b"a", b"b"]}
    assert partitions.torn == 1


def test_what_retention_took_is_counted_and_passed_over(tmp_path):
    write(tmp_path, [b"x" * 9] * 10, segment_bytes=20)
    partitions = reader(tmp_path)
    (chunk,) = partitions.poll(1, 0)
    retain(tmp_path, Retention(total_bytes=40))
    left = len(segments(tmp_path))
    assert left == 2
    late = reader(tmp_path, {chunk.partition: chunk.next_offset})
    for one in (partitions, late):
        assert drain(one) == {chunk.partition: [b"x" * 9] * 4}
        assert one.lost == 50


def test_a_writer_whose_segments_are_all_gone_is_forgotten_and_counted(tmp_path):
    write(tmp_path, [b"x" * 9] * 4, segment_bytes=20)
    partitions = reader(tmp_path)
    partitions.poll(1, 0)
    retain(tmp_path, Retention(total_bytes=0))
    assert drain(partitions) == {}
    assert (partitions.positions, partitions.lost) == ({}, 30)


def test_a_message_larger_than_a_read_is_whole(tmp_path):
    lines = [b"x" * (3 << 20), b"y"]
    write(tmp_path, lines[:0])
    (tmp_path / "0000000000001-w-000001.jsonl").write_bytes(b"\n".join([*lines, b""]))
    assert drain(reader(tmp_path)) == {"w": lines}


def test_no_writer_starves_another(tmp_path):
    for _ in range(3):
        write(tmp_path, [b"x"] * 4)
    partitions = reader(tmp_path)
    assert len({chunk.partition for _ in range(3) for chunk in partitions.poll(1, 0)}) == 3


def test_the_group_is_told_the_positions_as_its_members_would(tmp_path):
    write(tmp_path, [b"%d" % number for number in range(10)], segment_bytes=6)
    partitions = reader(tmp_path)
    for _ in range(4):
        partitions.poll(2, 0)
    partitions.commit(partitions.positions)
    rest = [value for lines in drain(partitions).values() for value in lines]
    member = DirectoryReader(tmp_path, "g")
    assert [record.value for record in member.poll(100, 0)] == rest
    member.close()


def test_positions_in_the_way_of_a_file_are_told_once(tmp_path, caplog):
    write(tmp_path, [b"a"])
    (tmp_path / "groups").write_text("")
    partitions = reader(tmp_path)
    for _ in range(2):
        partitions.commit(partitions.positions)
    assert len(caplog.records) == 1
    (tmp_path / "groups").unlink()
    partitions.commit(partitions.positions)
    assert json.loads((tmp_path / "groups" / "g" / "position.json").read_text())
