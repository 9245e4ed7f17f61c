"""After a restart rows are archived again where they have to be, judged once, and files end where they did."""

from moorage_runtime.drift.checkpoint.progress import Progress, Quiet
from moorage_runtime.streams import Chunk


def chunk(offsets, partition="0", next_offset=None):
    after = offsets[-1] + 1 if next_offset is None else next_offset
    return Chunk(partition, [str(one).encode() for one in offsets], list(offsets), after)


def pieces(progress, one):
    return [
        "end" if piece.chunk is None else (piece.judged, piece.chunk.offsets, piece.chunk.next_offset)
        for piece in progress.pieces(one)
    ]


def restored(positions, archived, ends=None, *, archiving=True):
    state = {"positions": positions, "archived": archived, "ends": ends or {}}
    return Progress.restore(state, archiving=archiving)


def test_rows_before_the_judged_position_are_only_archived():
    progress = restored({"0": 5}, {"0": 2})
    assert progress.begin() == {"0": 2}
    assert pieces(progress, chunk([2, 3])) == [(True, [2, 3], 4)]
    assert progress.positions == {"0": 5}
    assert pieces(progress, chunk([4, 5, 6])) == [(True, [4], 5), (False, [5, 6], 7)]
    assert progress.positions == {"0": 7}


def test_without_an_archive_reading_begins_at_the_judged_position():
    progress = restored({"0": 5}, {"0": 2}, archiving=False)
    assert progress.begin() == {"0": 5}
    assert pieces(progress, chunk([5])) == [(False, [5], 6)]


def test_a_new_partition_is_archived_from_its_first_message():
    progress = Progress(archiving=True)
    assert pieces(progress, chunk([7, 8])) == [(False, [7, 8], 9)]
    assert restored(**{name: dict(value) for name, value in progress.state().items()}).begin() == {"0": 7}


def test_files_end_again_where_the_stream_was_quiet():
    progress = restored({"0": 9}, {"0": 2}, {"0": [4, 6]})
    assert pieces(progress, chunk([2, 3])) == [(True, [2, 3], 4), "end"]
    assert pieces(progress, chunk([4, 5, 6, 10])) == [
        (True, [4, 5], 6),
        "end",
        (True, [6], 10),
        (False, [10], 11),
    ]


def test_gaps_between_offsets_do_not_hide_an_end():
    progress = restored({"0": 9}, {"0": 0}, {"0": [5]})
    assert pieces(progress, chunk([0, 3])) == [(True, [0, 3], 4)]
    assert pieces(progress, chunk([7, 8])) == ["end", (True, [7, 8], 9)]


def test_an_end_at_the_very_position_comes_before_anything_is_read():
    progress = restored({"0": 9, "1": 3}, {"0": 9, "1": 3}, {"0": [9]})
    assert progress.ended_at_once() == ["0"]
    assert pieces(progress, chunk([9])) == [(False, [9], 10)]


def test_ends_are_kept_until_they_are_durable_and_rows_have_come_since():
    progress = Progress({"0": 5}, {"0": 0}, archiving=True)
    progress.end_files(["0"])
    assert progress.has_end("0")
    progress.archive({"0": 5})
    assert progress.state()["ends"] == {"0": [5]}
    list(progress.pieces(chunk([5, 6])))
    progress.archive({"0": 5})
    assert progress.state() == {"positions": {"0": 7}, "archived": {"0": 5}, "ends": {}}


def test_the_first_rows_are_archived_though_they_are_not_judged():
    progress = Progress({"0": 3, "1": 0}, {"0": 3, "1": 0}, archiving=True)
    progress.judge_from({"0": 8})
    assert progress.begin() == {"0": 3, "1": 0}
    assert pieces(progress, chunk([6, 7, 8])) == [(True, [6, 7], 8), (False, [8], 9)]


def test_keys_headers_and_times_stay_with_their_messages():
    whole = Chunk("0", [b"a", b"b"], [1, 2], 3, [b"k", None], [(), (("h", b"v"),)], [10, 20])
    _, after = restored({"0": 2}, {"0": 1}).pieces(whole)
    assert after.chunk == Chunk("0", [b"b"], [2], 3, [None], [(("h", b"v"),)], [20])


def test_quiet_counts_from_when_a_partition_was_first_seen_at_its_end():
    quiet = Quiet()
    assert quiet.longer_than(30, ["0"], 100) == frozenset()
    assert quiet.longer_than(30, ["0"], 130) == {"0"}
    quiet.brought("0", 131)
    assert quiet.longer_than(30, ["0"], 160) == frozenset()
    assert quiet.longer_than(30, [], 200) == frozenset()
