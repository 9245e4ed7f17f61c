"""Conditional puts, listings and uploads against a real S3 server."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import (
    Changed,
    StorageError,
    list_files,
    open_input,
    open_output,
    read_bytes,
    read_tagged,
    remove,
    write_bytes,
    write_if,
)

WRITERS, ROUNDS = 6, 20


@pytest.fixture
def storage(s3, monkeypatch):
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    s3.bucket("state")
    return StorageConfig(endpoint=s3.endpoint, region=s3.region)


def test_only_the_version_that_was_seen_is_replaced(storage):
    uri = "s3://state/a/checkpoint.json"
    assert read_tagged(uri, storage) is None
    first = write_if(uri, b"one", None, storage)
    assert read_tagged(uri, storage) == (b"one", first)
    second = write_if(uri, b"two", first, storage)
    for tag in (first, None):
        with pytest.raises(Changed, match=r"s3://state/a/checkpoint\.json: somebody else"):
            write_if(uri, b"stale", tag, storage)
    assert read_tagged(uri, storage) == (b"two", second)
    remove(uri, storage)
    with pytest.raises(Changed):
        write_if(uri, b"three", second, storage)
    assert read_tagged(uri, storage) is None


def test_no_write_of_many_is_lost(storage):
    uri = "s3://state/counter"
    write_if(uri, b"0", None, storage)
    start = threading.Barrier(WRITERS)

    def count(_):
        start.wait()
        for _ in range(ROUNDS):
            while True:
                data, tag = read_tagged(uri, storage)
                try:
                    write_if(uri, b"%d" % (int(data) + 1), tag, storage)
                    break
                except Changed:
                    continue

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(count, range(WRITERS)))
    assert read_tagged(uri, storage)[0] == b"%d" % (WRITERS * ROUNDS)


def test_of_many_first_writers_one_wins(storage):
    def create(who):
        try:
            write_if("s3://state/plan.json", b"%d" % who, None, storage)
        except Changed:
            return None
        return b"%d" % who

    with ThreadPoolExecutor(WRITERS) as pool:
        won = [data for data in pool.map(create, range(WRITERS)) if data is not None]
    assert won == [read_tagged("s3://state/plan.json", storage)[0]]


def test_listings(storage):
    for name in ("x/b.csv", "x/a b.csv", "x/deep/c.csv", "x/.hidden", "xy/d.csv"):
        write_bytes(f"s3://state/list/{name}", name.encode(), storage)

    def names(uri):
        return [info.uri.removeprefix("s3://state/list/") for info in list_files(uri, storage)]

    assert names("s3://state/list/x") == ["x/a b.csv", "x/b.csv", "x/deep/c.csv"]
    assert names("s3://state/list/x/") == names("s3://state/list/x")
    assert names("s3://state/list/x/*.csv") == ["x/a b.csv", "x/b.csv"]
    assert names("s3://state/list/x/b.csv") == ["x/b.csv"]
    assert names("s3://state/list/none") == []
    info = list_files("s3://state/list/x/b.csv", storage)[0]
    assert (info.size, len(read_bytes(info.uri, storage))) == (7, 7)
    write_bytes(info.uri, b"changed", storage)
    assert list_files(info.uri, storage)[0].tag != info.tag


@pytest.mark.parametrize("size", [100, 20 << 20])
def test_an_object_is_there_once_it_is_whole(storage, size):
    uri = f"s3://state/out/{size}.bin"
    data = bytes(range(256)) * (size // 256 + 1)
    with suppress(ZeroDivisionError), open_output(uri, storage) as sink:
        sink.write(data)
        1 / 0  # noqa: B018
    assert list_files("s3://state/out", storage) == []
    with open_output(uri, storage) as sink:
        for begin in range(0, len(data), 1 << 20):
            sink.write(data[begin : begin + (1 << 20)])
        assert list_files("s3://state/out", storage) == []
    assert read_bytes(uri, storage) == data
    with open_input(uri, storage) as source:
        source.seek(57)
        assert source.read(3) == data[57:60]
    for _ in range(2):
        remove(uri, storage)


def test_faults_are_one_line_that_names_the_uri(storage, monkeypatch):
    def fails(call):
        with pytest.raises(StorageError) as error:
            call()
        assert str(error.value).startswith("s3://")
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "no such bucket" in fails(lambda: write_if("s3://no-such-bucket/x", b"", None, storage))
    assert "no such object" in fails(lambda: open_input("s3://state/none", storage))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "SignatureDoesNotMatch" in fails(lambda: write_if("s3://state/x", b"", None, storage))
    fails(lambda: list_files("s3://state/x", storage))
    dead = StorageConfig(endpoint="http://127.0.0.1:1", region="us-east-1")
    fails(lambda: read_tagged("s3://state/x", dead))


def test_keys_of_a_credentials_file_and_none_at_all(storage, s3, monkeypatch, tmp_path):
    write_if("s3://state/signed", b"1", None, storage)
    for name in s3.env:
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    with pytest.raises(StorageError):
        read_tagged("s3://state/signed", storage)
    file.write_text(
        f"[default]\naws_access_key_id = {s3.access_key}\naws_secret_access_key = {s3.secret_key}\n"
    )
    assert read_tagged("s3://state/signed", storage)[0] == b"1"
