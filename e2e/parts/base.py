"""Building once, starting, waiting for a condition, stopping by process id."""

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

CACHE = Path(
    os.environ.get("MOORAGE_PARTS_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moorage" / "parts"
)


class Missing(Exception):  # noqa: N818 - it is no error where a person's machine lacks a part
    """This machine cannot have the part; the message names what is missing."""


def need(program: str, why: str) -> str:
    """The path of a program, or Missing."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/go/bin")
    if path is None:
        raise Missing(f"{program} is not installed ({why})")
    return path


def cached(name: str, recipe: Sequence[Path], build: Callable[[Path], None]) -> Path:
    """The folder in which `build` left the part; built once per content of the recipe's files, across processes."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in recipe)).hexdigest()[:16]
    folder = CACHE / f"{name}-{digest}"
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            build(unfinished)
            unfinished.rename(folder)
    return folder


def free_port() -> int:
    """A TCP port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until the condition holds; TimeoutError names `what` was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about within {seconds:.0f} s")
        time.sleep(0.02)


class Process:
    """A server of the test run: output to a file, stopped by its process id, with the run at the latest."""

    def __init__(self, command: Sequence[str | Path], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def wait_until(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until the condition holds; fails at once, with the log's end, where the process has ended."""

        def holds() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"{self.process.args!r} ended with {self.process.returncode}:\n{self.tail()}"
                )
            return condition()

        wait_until(holds, what, seconds)

    def tail(self, lines: int = 40) -> str:
        """The last lines of the output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, seconds: float = 20, sig: int = signal.SIGTERM) -> int:
        """Ask it to end, insist after `seconds`; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
