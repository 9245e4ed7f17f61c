import pytest

from moorage_runtime import termination
from moorage_runtime.config import TERMINATION_LOG_ENV


def test_last_words_replace_the_file_at_once_and_leave_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "last-words"
    path.write_text("older and much longer " * 100)
    monkeypatch.setenv(TERMINATION_LOG_ENV, str(path))
    before = path.stat().st_ino
    termination.write(b'{"verdict":"Passed"}')
    assert path.read_bytes() == b'{"verdict":"Passed"}'
    assert path.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [path]


def test_last_words_that_cannot_be_written_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv(TERMINATION_LOG_ENV, str(tmp_path / "missing" / "last-words"))
    with pytest.raises(OSError, match="missing"):
        termination.write(b"{}")
