"""Documents that several processes replace, in a folder."""

import subprocess
import sys

import pytest

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import Changed, StorageError, list_files, read_tagged, write_if

STORAGE = StorageConfig()
PROCESSES, ROUNDS = 4, 25


def test_only_the_version_that_was_seen_is_replaced(tmp_path):
    uri = f"{tmp_path}/state/checkpoint.json"
    assert read_tagged(uri, STORAGE) is None
    first = write_if(uri, b"one", None, STORAGE)
    assert read_tagged(uri, STORAGE) == (b"one", first)
    second = write_if(uri, b"two", first, STORAGE)
    with pytest.raises(Changed, match=r"checkpoint\.json: somebody else"):
        write_if(uri, b"stale", first, STORAGE)
    with pytest.raises(Changed):
        write_if(uri, b"stale", None, STORAGE)
    assert read_tagged(uri, STORAGE) == (b"two", second)


def test_a_document_that_is_gone_is_not_replaced(tmp_path):
    uri = f"{tmp_path}/plan.json"
    tag = write_if(uri, b"plan", None, STORAGE)
    (tmp_path / "plan.json").unlink()
    with pytest.raises(Changed):
        write_if(uri, b"next", tag, STORAGE)


def test_a_document_cannot_lie_behind_http_or_in_a_file(tmp_path):
    with pytest.raises(StorageError, match="http"):
        write_if("http://127.0.0.1:1/x", b"", None, STORAGE)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file/x: "):
        write_if(f"{tmp_path}/file/x", b"", None, STORAGE)


COUNT = """
import sys
from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import Changed, read_tagged, write_if
for _ in range(int(sys.argv[2])):
    while True:
        data, tag = read_tagged(sys.argv[1], StorageConfig())
        try:
            write_if(sys.argv[1], b"%d" % (int(data) + 1), tag, StorageConfig())
            break
        except Changed:
            continue
"""


def test_no_write_of_many_processes_is_lost(tmp_path):
    uri = f"{tmp_path}/counter"
    write_if(uri, b"0", None, STORAGE)
    command = [sys.executable, "-c", COUNT, uri, str(ROUNDS)]
    workers = [subprocess.Popen(command) for _ in range(PROCESSES)]
    assert [worker.wait() for worker in workers] == [0] * PROCESSES
    assert read_tagged(uri, STORAGE)[0] == b"%d" % (PROCESSES * ROUNDS)
    assert [info.uri for info in list_files(str(tmp_path), STORAGE)] == [uri]
