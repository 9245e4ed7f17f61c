"""Files that are listed, opened and removed, in a folder."""

from contextlib import suppress
from pathlib import Path

import pytest

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import StorageError, list_files, open_input, open_output, read_bytes, remove

STORAGE = StorageConfig()


@pytest.fixture
def folder(tmp_path):
    for name in ("b.csv", "a.csv", "a b.parquet", "deep/er/c.csv", ".hidden.csv", ".git/d.csv"):
        path = tmp_path / "data set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "data set"


def names(uri):
    return [info.uri for info in list_files(uri, STORAGE)]


def test_a_folder_is_listed_with_what_lies_in_its_folders(folder):
    assert names(str(folder)) == [f"{folder}/{n}" for n in ("a b.parquet", "a.csv", "b.csv", "deep/er/c.csv")]
    assert names(f"{folder}/") == names(str(folder))
    assert [info.size for info in list_files(str(folder), STORAGE)] == [11, 5, 5, 13]


def test_a_pattern_stays_in_its_folder(folder):
    assert names(f"{folder}/*.csv") == [f"{folder}/a.csv", f"{folder}/b.csv"]
    assert names(f"{folder}/a*") == [f"{folder}/a b.parquet", f"{folder}/a.csv"]
    assert names(f"{folder}/x*") == []
    (folder / "[a]?.csv").write_text("")
    assert names(f"{folder}/[a]?.*") == [f"{folder}/[a]?.csv"]


def test_every_listed_uri_can_be_read(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for uri in (folder.as_uri(), f"{folder.as_uri()}/*.csv", "deep", "*.csv", "a.csv"):
        found = list_files(uri, STORAGE)
        assert found
        assert [len(read_bytes(info.uri, STORAGE)) for info in found] == [info.size for info in found]


def test_a_single_file_and_nothing(folder):
    assert names(f"{folder}/a.csv") == [f"{folder}/a.csv"]
    assert names(f"{folder}/none") == []
    with pytest.raises(StorageError, match="http"):
        list_files("https://127.0.0.1:1/x", STORAGE)


def test_the_tag_follows_the_content(folder):
    before = list_files(f"{folder}/a.csv", STORAGE)[0].tag
    assert list_files(f"{folder}/a.csv", STORAGE)[0].tag == before
    (folder / "a.csv").write_text("other content")
    assert list_files(f"{folder}/a.csv", STORAGE)[0].tag != before


def test_a_file_is_there_once_it_is_whole(tmp_path):
    uri = f"{tmp_path}/out/part.bin"
    with open_output(uri, STORAGE) as sink:
        sink.write(b"0123456789")
        assert names(f"{tmp_path}/out") == []
    with open_input(uri, STORAGE) as source:
        source.seek(4)
        assert source.read(3) == b"456"
        assert source.size() == 10
    assert Path(uri).stat().st_mode & 0o777 == 0o644


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    uri = f"{tmp_path}/part.bin"
    with open_output(uri, STORAGE) as sink:
        sink.write(b"old")
    with suppress(ZeroDivisionError), open_output(uri, STORAGE) as sink:
        sink.write(b"new")
        1 / 0  # noqa: B018
    assert [path.name for path in tmp_path.iterdir()] == ["part.bin"]
    assert read_bytes(uri, STORAGE) == b"old"


def test_removing_twice_is_removing_once(folder):
    for _ in range(2):
        remove(f"{folder}/a.csv", STORAGE)
    assert f"{folder}/a.csv" not in names(str(folder))


def test_what_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(StorageError, match="none: No such file"):
        open_input(f"{tmp_path}/none", STORAGE)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file/x: "), open_output(f"{tmp_path}/file/x", STORAGE):
        pass
    with pytest.raises(StorageError, match="file/x: "):
        remove(f"{tmp_path}/file/x", STORAGE)
