"""A directory stream: nothing is lost, torn lines are skipped, groups go on where they stopped."""

import fcntl
import json
import os
import threading
from pathlib import Path

import pytest

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams import Message, StreamError, open_writer
from moorage_runtime.streams.directory import DirectoryReader, DirectoryWriter, Retention, tail
from moorage_runtime.streams.segments import REMOVED, retain, segments
from parts import wait_until

BUFFER = 1 << 20


def lines(count, first=0):
    return [Message(b"%d" % number) for number in range(first, first + count)]


def written(folder, messages, **options):
    writer = DirectoryWriter(folder, BUFFER, **options)
    for message in messages:
        writer.write([message])
    writer.close(10)
    return writer.stats


def read_all(reader):
    records = []
    while batch := reader.poll(1000, 0):
        records += batch
    return records


def values(records):
    return [int(record.value) for record in records]


def dead_segment(folder, data, name="0000000000001-dead-000001.jsonl"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return name


def test_what_is_written_is_read_in_order(tmp_path):
    stats = written(tmp_path, lines(5000))
    assert (stats.delivered, stats.dropped, stats.pending, stats.error) == (5000, 0, 0, None)
    assert values(read_all(DirectoryReader(tmp_path, "g", "earliest"))) == list(range(5000))


def test_lines_can_be_read_while_the_writer_lives(tmp_path):
    writer = DirectoryWriter(tmp_path, BUFFER)
    writer.write(lines(3))
    assert writer.flush(10)
    (segment,) = segments(tmp_path)
    assert (tmp_path / segment).read_bytes() == b"0\n1\n2\n"
    reader = DirectoryReader(tmp_path, start="earliest")
    assert values(reader.poll(10, 0)) == [0, 1, 2]
    writer.write(lines(1, first=3))
    assert values(reader.poll(10, 10)) == [3]
    writer.close(10)


def test_records_tell_where_they_lie(tmp_path):
    name = dead_segment(tmp_path, b"one\nthree\n")
    records = DirectoryReader(tmp_path, start="earliest").poll(10, 0)
    assert [(record.partition, record.offset) for record in records] == [(name, 0), (name, 4)]


def test_poll_gives_no_more_than_asked_for(tmp_path):
    written(tmp_path, lines(10))
    reader = DirectoryReader(tmp_path, start="earliest")
    assert values(reader.poll(4, 0)) == [0, 1, 2, 3]
    assert values(reader.poll(100, 0)) == [4, 5, 6, 7, 8, 9]


def test_a_line_longer_than_a_read_is_whole(tmp_path):
    long = b"x" * (3 << 20)
    dead_segment(tmp_path, long + b"\nshort\n")
    records = read_all(DirectoryReader(tmp_path, start="earliest"))
    assert [len(record.value) for record in records] == [3 << 20, 5]


def test_a_group_goes_on_where_it_committed(tmp_path):
    written(tmp_path, lines(10))
    first = DirectoryReader(tmp_path, "g", "earliest")
    first.poll(3, 0)
    first.commit()
    first.poll(3, 0)
    first.close()
    second = DirectoryReader(tmp_path, "g", "earliest")
    assert values(read_all(second)) == list(range(3, 10))


def test_groups_do_not_disturb_each_other(tmp_path):
    written(tmp_path, lines(5))
    for group in ("a", "b"):
        reader = DirectoryReader(tmp_path, group, "earliest")
        assert values(read_all(reader)) == list(range(5))
        reader.commit()
        reader.close()


def test_latest_skips_what_is_there_and_is_kept_from_the_first_poll(tmp_path):
    written(tmp_path, lines(5))
    reader = DirectoryReader(tmp_path, "g", "latest")
    assert reader.poll(10, 0) == []
    reader.close()
    written(tmp_path, lines(2, first=5))
    assert values(read_all(DirectoryReader(tmp_path, "g", "latest"))) == [5, 6]


def test_one_member_of_a_group_is_active_and_the_other_takes_over(tmp_path):
    written(tmp_path, lines(10))
    first, second = (DirectoryReader(tmp_path, "g", "earliest") for _ in range(2))
    assert values(first.poll(4, 0)) == [0, 1, 2, 3]
    first.commit()
    assert second.poll(4, 0) == []
    assert not second.active
    taken_over = []
    thread = threading.Thread(target=lambda: taken_over.extend(second.poll(100, 30)))
    thread.start()
    first.close()
    thread.join()
    assert values(taken_over) == [4, 5, 6, 7, 8, 9]


def test_the_rest_of_a_killed_writers_line_is_skipped_and_counted(tmp_path):
    dead_segment(tmp_path, b"1\n2\n3tor")
    reader = DirectoryReader(tmp_path, start="earliest")
    assert values(read_all(reader)) == [1, 2]
    assert reader.skipped == 1
    assert reader.poll(10, 0) == []
    assert reader.skipped == 1


def test_an_unfinished_line_of_a_living_writer_is_awaited(tmp_path):
    name = dead_segment(tmp_path, b"1\n2")
    with (tmp_path / name).open("ab", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        reader = DirectoryReader(tmp_path, start="earliest")
        assert values(read_all(reader)) == [1]
        file.write(b"2\n")
        assert values(read_all(reader)) == [22]
    assert reader.skipped == 0


def test_segments_rotate_by_size_and_by_age(tmp_path):
    writer = DirectoryWriter(tmp_path / "size", BUFFER, segment_bytes=100)
    for number in range(10):
        writer.write([Message(b"%099d" % number)])
        assert writer.flush(10)
    writer.close(10)
    assert len(segments(tmp_path / "size")) == 10
    assert values(read_all(DirectoryReader(tmp_path / "size", start="earliest"))) == list(range(10))
    writer = DirectoryWriter(tmp_path / "age", BUFFER, segment_seconds=0)
    for number in range(3):
        writer.write(lines(1, first=number))
        assert writer.flush(10)
    writer.close(10)
    assert len(segments(tmp_path / "age")) == 3


def test_retention_takes_the_oldest_until_the_rest_fits_and_notes_it(tmp_path):
    for number in range(5):
        dead_segment(tmp_path, b"%099d\n" % number, f"{number:013d}-dead-000001.jsonl")
    assert retain(tmp_path, Retention(total_bytes=250)) == 300
    assert values(read_all(DirectoryReader(tmp_path, start="earliest"))) == [3, 4]
    notes = [json.loads(line) for line in (tmp_path / REMOVED).read_text().splitlines()]
    assert [note["bytes"] for note in notes] == [100, 100, 100]
    assert notes[0]["segment"] == "0000000000000-dead-000001.jsonl"


def test_retention_takes_what_is_too_old(tmp_path):
    old = dead_segment(tmp_path, b"old\n")
    os.utime(tmp_path / old, (1000, 1000))
    dead_segment(tmp_path, b"new\n", "0000000000002-dead-000001.jsonl")
    retain(tmp_path, Retention(seconds=3600))
    assert segments(tmp_path) == ["0000000000002-dead-000001.jsonl"]


def test_retention_leaves_a_living_writer_alone(tmp_path):
    writer = DirectoryWriter(tmp_path, BUFFER)
    writer.write(lines(1))
    assert writer.flush(10)
    assert retain(tmp_path, Retention(total_bytes=0, seconds=0)) == 0
    writer.close(10)
    assert retain(tmp_path, Retention(total_bytes=0, seconds=0)) == 2


def test_a_writer_keeps_the_folder_within_its_retention(tmp_path):
    retention = Retention(total_bytes=1000)
    writer = DirectoryWriter(tmp_path, BUFFER, segment_bytes=100, retention=retention)
    for number in range(50):
        writer.write([Message(b"%099d" % number)])
        assert writer.flush(10)
    writer.close(10)
    assert sum((tmp_path / name).stat().st_size for name in segments(tmp_path)) <= 1100
    assert values(read_all(DirectoryReader(tmp_path, start="earliest")))[-1] == 49


def test_a_reader_counts_what_retention_took_unread(tmp_path):
    name = dead_segment(tmp_path, b"1\n22\n")
    reader = DirectoryReader(tmp_path, "g", "earliest")
    reader.poll(1, 0)
    reader.commit()
    reader.close()
    retain(tmp_path, Retention(total_bytes=0))
    again = DirectoryReader(tmp_path, "g", "earliest")
    assert read_all(again) == []
    assert again.lost == 3
    again.commit()
    assert name not in (tmp_path / "groups" / "g" / "position.json").read_text()


def test_what_finds_no_room_is_dropped_with_the_rest_of_its_call_and_counted(tmp_path):
    writer = DirectoryWriter(tmp_path, buffer_bytes=1000)
    big = Message(b"x" * 900, events=2)
    writer.write([Message(b"fits", events=3), big, Message(b"late", events=4)])
    assert writer.flush(10)
    assert (writer.stats.delivered, writer.stats.dropped, writer.stats.pending) == (3, 6, 0)
    writer.close(10)
    assert [record.value for record in read_all(DirectoryReader(tmp_path, start="earliest"))] == [b"fits"]


def test_after_a_full_disk_everything_is_written_once_and_no_line_is_torn(tmp_path, monkeypatch):
    writer = DirectoryWriter(tmp_path, BUFFER)
    real = os.write
    allowed = [7]

    def full(file, data):
        if len(data) <= allowed[0]:
            return real(file, data)
        if allowed[0] == 0:
            raise OSError(28, "No space left on device")
        taken = real(file, data[: allowed[0]])
        allowed[0] = 0
        return taken

    monkeypatch.setattr("moorage_runtime.streams.directory.os.write", full)
    monkeypatch.setattr("moorage_runtime.streams.directory.RETRY", 0.01)
    writer.write([Message(b"one"), Message(b"two"), Message(b"three")])
    wait_until(lambda: writer.stats.error is not None, "the error")
    assert "No space left" in writer.stats.error
    assert str(tmp_path) in writer.stats.error
    assert writer.stats.delivered + writer.stats.pending == 3
    allowed[0] = 1 << 20
    assert writer.flush(10)
    writer.close(10)
    assert (writer.stats.delivered, writer.stats.dropped, writer.stats.error) == (3, 0, None)
    (segment,) = segments(tmp_path)
    assert (tmp_path / segment).read_bytes() == b"one\ntwo\nthree\n"


def test_what_could_not_be_written_at_the_close_is_dropped_and_counted(tmp_path, monkeypatch):
    writer = DirectoryWriter(tmp_path, BUFFER)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("moorage_runtime.streams.directory.os.write", full)
    writer.write(lines(4))
    writer.close(0.05)
    assert (writer.stats.delivered, writer.stats.dropped, writer.stats.pending) == (0, 4, 0)


def test_a_folder_that_was_removed_comes_back(tmp_path):
    folder = tmp_path / "stream"
    writer = DirectoryWriter(folder, BUFFER)
    writer.write(lines(1))
    assert writer.flush(10)
    for name in segments(folder):
        (folder / name).unlink()
    folder.rmdir()
    writer.write(lines(1, first=1))
    assert writer.flush(10)
    writer.close(10)
    assert values(read_all(DirectoryReader(folder, start="earliest"))) == [1]


def test_an_unwritable_path_is_named_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StreamError, match=f"{tmp_path}/file/stream: cannot be written"):
        open_writer(StreamConfig(uri=str(tmp_path / "file" / "stream")), BUFFER)


def test_a_writer_that_wrote_nothing_leaves_nothing(tmp_path):
    DirectoryWriter(tmp_path, BUFFER).close(1)
    assert segments(tmp_path) == []


def test_tail_gives_each_writers_last_lines_and_where_to_go_on(tmp_path):
    dead_segment(tmp_path, b"1\n2\n3\n", "0000000000001-aaaa-000001.jsonl")
    dead_segment(tmp_path, b"4\n5to", "0000000000003-aaaa-000002.jsonl")
    dead_segment(tmp_path, b"7\n", "0000000000002-bbbb-000001.jsonl")
    records, position = tail(tmp_path, 3)
    assert sorted(values(records)) == [2, 3, 4, 7]
    assert [record.offset for record in records if record.value == b"3"] == [4]
    dead_segment(tmp_path, b"8\n", "0000000000004-cccc-000001.jsonl")
    assert values(read_all(DirectoryReader(tmp_path, start=position))) == [8]


def test_tail_reads_long_lines_across_blocks_from_the_end(tmp_path):
    dead_segment(tmp_path, b"".join(b"%d" % number + b"x" * 700_000 + b"\n" for number in range(6)))
    records, _ = tail(tmp_path, 3)
    assert [record.value[:1] for record in records] == [b"3", b"4", b"5"]
    assert all(len(record.value) == 700_001 for record in records)


def test_tail_of_a_folder_that_is_not_there_is_empty(tmp_path):
    assert tail(Path(tmp_path) / "none", 5) == ([], {})
