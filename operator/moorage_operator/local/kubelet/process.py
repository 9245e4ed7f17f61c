"""One process of this machine: started so that it cannot outlive us, stopped by its id, and found again by it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil

_SHIM = Path(__file__).with_name("shim.py")
_SAME_START = 2.0
"""Seconds by which two readings of a process's start may differ."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running process. It leads a process group of its own, so that Ctrl-C reaches it only through us."""

    handle: asyncio.subprocess.Process
    pid_file: Path

    @property
    def pid(self) -> int:
        """The process id."""
        return self.handle.pid

    async def wait(self) -> int:
        """The exit code, negative for a signal; what is left of its group is ended too."""
        code = await self.handle.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.pid_file.unlink(missing_ok=True)
        return code

    async def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds; returns when it has been told, `wait` when it is over."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.handle.wait()
                return
        self.kill()

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, sig: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.handle.send_signal(sig)


async def start(
    command: Sequence[str], env: Mapping[str, str], folder: Path, log: Path, pid_file: Path
) -> Process:
    """Start the command in `folder`, output appended to `log`. Raises OSError where that is impossible.

    Must be called from the main thread: the child dies with the thread that started it.
    """
    with _appended(log) as output:
        handle = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(_SHIM),
            str(os.getpid()),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=dict(env),
            start_new_session=True,
        )
    _note(pid_file, handle.pid)
    return Process(handle, pid_file)


def end_survivors(pid_files: Sequence[Path]) -> list[int]:
    """End what an earlier `moorage up` left behind, after checking that each id is still the same process."""
    ended = []
    for file in pid_files:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            noted = json.loads(file.read_text())
            pid, started = int(noted["pid"]), float(noted["started"])
            now = _start_time(pid)
            if now is not None and abs(now - started) < _SAME_START:
                os.kill(pid, signal.SIGKILL)
                ended.append(pid)
        file.unlink(missing_ok=True)
    return ended


def _appended(log: Path) -> BinaryIO:
    log.parent.mkdir(parents=True, exist_ok=True)
    return log.open("ab")


def _note(pid_file: Path, pid: int) -> None:
    pid_file.write_text(json.dumps({"pid": pid, "started": _start_time(pid)}))


def _start_time(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None
