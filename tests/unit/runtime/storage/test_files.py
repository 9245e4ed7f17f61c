"""Files of this machine: digests by the published rule, writes whole or not at all."""

import hashlib
import os
import stat

import pytest

from moorage_runtime import config
from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import StorageError, digest, fetch, read_bytes, write_bytes

STORAGE = StorageConfig()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_the_digest_of_a_file_is_its_contents(tmp_path):
    (tmp_path / "m").write_bytes(b"x" * 100_000)
    assert digest(tmp_path / "m") == sha(b"x" * 100_000)


def test_the_digest_of_a_folder_follows_the_rule(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two").write_bytes(b"22")
    (tmp_path / "a.one").write_bytes(b"1")
    lines = f"a.one\0{1}\0{sha(b'1')}\n" + f"b/two\0{2}\0{sha(b'22')}\n"
    assert digest(tmp_path) == sha(lines.encode())


def test_a_folders_digest_sees_names_and_content_but_no_compiled_code(tmp_path):
    (tmp_path / "model.py").write_bytes(b"1")
    before = digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "model.pyc").write_bytes(b"2")
    assert digest(tmp_path) == before
    (tmp_path / "model.py").rename(tmp_path / "other.py")
    assert digest(tmp_path) != before


def test_a_mounted_config_map_has_the_digest_of_its_files(tmp_path):
    plain, mounted = tmp_path / "plain", tmp_path / "mounted"
    (mounted / "..2026_01_01").mkdir(parents=True)
    plain.mkdir()
    for folder in (plain, mounted / "..2026_01_01"):
        (folder / "model.py").write_bytes(b"1")
    (mounted / "..data").symlink_to("..2026_01_01")
    (mounted / "model.py").symlink_to("..data/model.py")
    assert digest(mounted) == digest(plain)


def test_what_is_here_already_is_not_copied(tmp_path):
    (tmp_path / "m").write_bytes(b"1")
    cache = tmp_path / "cache"
    for uri in (str(tmp_path / "m"), f"file://{tmp_path}/m", f"file://{tmp_path}"):
        assert fetch(uri, cache, STORAGE).is_relative_to(tmp_path)
    assert not cache.exists()


def test_a_claim_is_where_it_is_mounted(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "VOLUMES_DIR", str(tmp_path))
    write_bytes("pvc://models/iris/v1", b"1", STORAGE)
    assert (tmp_path / "models/iris/v1").read_bytes() == b"1"
    assert fetch("pvc://models/iris/v1", tmp_path, STORAGE) == tmp_path / "models/iris/v1"


def test_writing_makes_folders_and_leaves_nothing_beside(tmp_path):
    target = tmp_path / "a/b/report.json"
    write_bytes(str(target), b"first", STORAGE)
    write_bytes(f"file://{target}", b"second", STORAGE)
    assert read_bytes(str(target), STORAGE) == b"second"
    assert [path.name for path in target.parent.iterdir()] == ["report.json"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "report.json"
    write_bytes(str(target), b"old", STORAGE)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(StorageError, match=r"report\.json: No space left on device"):
        write_bytes(str(target), b"new", STORAGE)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("report.json", b"old")]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: read_bytes(f"{path}/none", STORAGE), "none: No such file or directory"),
        (lambda path: read_bytes(f"{path}", STORAGE), "Is a directory"),
        (lambda path: fetch(f"file://{path}/none", path, STORAGE), "/none: there is no such file or folder"),
        (lambda path: digest(path / "none"), "none: No such file or directory"),
        (lambda path: write_bytes(f"{path}/file/below", b"", STORAGE), "file/below: "),
        (lambda path: write_bytes("http://h/x", b"", STORAGE), "http://h/x: nothing can be written by http"),
    ],
)
def test_errors_name_the_place(call, message, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError) as error:
        call(tmp_path)
    assert message in str(error.value)
