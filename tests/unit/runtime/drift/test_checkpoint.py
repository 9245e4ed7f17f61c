"""One manifest, replaced only by whoever has seen the one before; its files stay as long as it names them."""

import json

import orjson
import pytest

from moorage_runtime.config import StorageConfig
from moorage_runtime.drift.checkpoint import manifest as module
from moorage_runtime.drift.checkpoint.manifest import Checkpoint, CheckpointError, LostError
from moorage_runtime.drift.checkpoint.saving import Saver
from moorage_runtime.storage import StorageError
from parts.base import wait_until

NOTHING = frozenset()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoint"


def opened(folder):
    checkpoint = Checkpoint(str(folder), StorageConfig())
    return checkpoint, checkpoint.load()


def state(**fields):
    return orjson.dumps(fields)


def files(folder):
    return sorted(file.name.partition("-")[2] for file in (folder / "files").iterdir())


def test_the_next_worker_finds_state_and_blobs(folder):
    first, nothing = opened(folder)
    assert nothing is None
    first.save(state(position=3), {"reference.json": b"{}", "waiting-1": b"x"}, NOTHING)
    first.save(state(position=4), {"waiting-2": b"y"}, frozenset({"reference.json"}))
    second, found = opened(folder)
    assert found == {"position": 4}
    assert second.blob("reference.json") == b"{}"
    assert second.blob("waiting-2") == b"y"
    with pytest.raises(CheckpointError, match="waiting-1"):
        second.blob("waiting-1")
    assert files(folder) == ["reference.json", "waiting-2"]


def test_a_worker_that_was_overtaken_has_to_stop(folder):
    old, _ = opened(folder)
    old.save(state(by="old"), {}, NOTHING)
    new, _ = opened(folder)
    new.save(state(by="new"), {}, NOTHING)
    with pytest.raises(LostError, match="another worker"):
        old.save(state(by="old"), {}, NOTHING)
    assert opened(folder)[1] == {"by": "new"}
    new.save(state(by="new again"), {}, NOTHING)


def test_two_workers_cannot_both_begin(folder):
    one, other = opened(folder)[0], opened(folder)[0]
    one.save(state(), {}, NOTHING)
    with pytest.raises(LostError):
        other.save(state(), {}, NOTHING)


def test_a_save_whose_answer_was_lost_is_no_other_worker(folder, monkeypatch):
    checkpoint, _ = opened(folder)
    checkpoint.save(state(n=1), {}, NOTHING)
    real = module.write_if

    def unheard(*arguments):
        real(*arguments)
        raise StorageError("no answer")

    monkeypatch.setattr(module, "write_if", unheard)
    with pytest.raises(StorageError):
        checkpoint.save(state(n=2), {}, NOTHING)
    monkeypatch.setattr(module, "write_if", real)
    checkpoint.save(state(n=3), {}, NOTHING)
    assert opened(folder)[1] == {"n": 3}


def test_what_a_killed_worker_left_is_swept(folder):
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "0123-waiting-9").write_bytes(b"left")
    checkpoint, _ = opened(folder)
    checkpoint.save(state(), {"reference.json": b"{}"}, NOTHING)
    assert files(folder) == ["reference.json"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'"text"', json.dumps({"schema": "x/v9"}).encode()])
def test_what_is_no_checkpoint_is_not_overwritten(folder, content):
    folder.mkdir()
    (folder / "checkpoint.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.json"):
        opened(folder)


def test_blobs_of_a_failed_save_go_with_the_next_one(folder):
    folder.write_text("a file where the folder should be")
    saver = Saver(Checkpoint(str(folder), StorageConfig()))
    saver.start(state(n=1), {"one": b"1"}, frozenset({"one"}))
    assert saver.collect(20) is False
    assert str(folder) in saver.error
    folder.unlink()
    saver.start(state(n=2), {"two": b"2"}, frozenset({"one", "two"}))
    assert saver.collect(20) is True
    assert saver.error is None
    checkpoint, found = opened(folder)
    assert found == {"n": 2}
    assert [checkpoint.blob(name) for name in ("one", "two")] == [b"1", b"2"]


def test_the_saver_tells_that_another_worker_took_over(folder):
    checkpoint, _ = opened(folder)
    saver = Saver(checkpoint)
    opened(folder)[0].save(state(), {}, NOTHING)
    saver.start(state(), {}, NOTHING)
    wait_until(lambda: not saver._thread.is_alive(), "the end of the save")
    with pytest.raises(LostError):
        saver.collect()
