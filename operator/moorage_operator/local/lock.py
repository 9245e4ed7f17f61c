"""One `moorage up` per state folder: a lock that ends with its process, and says whose it is."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PID_FILE = Path("run") / "up.pid"


class AlreadyRunning(Exception):  # noqa: N818 - an answer, not an error of the program
    """Another `moorage up` has the state folder; the message names it."""


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Hold the state folder's lock. Raises AlreadyRunning."""
    path = state / PID_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            raise AlreadyRunning(
                f"moorage up is running already with state folder {state} (process {pid})"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def holder(state: Path) -> int | None:
    """The process id of the `moorage up` that has the state folder now; None where there is none."""
    try:
        with (state / PID_FILE).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else None
    except FileNotFoundError:
        pass
    return None
