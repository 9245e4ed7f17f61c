"""Reading a growing log: its last lines, then what comes."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 16


class Tail:
    """The new lines of a log at every call; the first time at most the last `most` (negative: all)."""

    def __init__(self, path: Path, most: int = -1) -> None:
        self._path, self._most = path, most
        self._at: int | None = None
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """Lines without their ends. One that has no end yet comes at the first call, later when it is complete."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            first = self._at is None
            if self._at is None:
                self._at = 0 if self._most < 0 else start_of_last(file, self._most)
            file.seek(self._at)
            while data := file.read(_CHUNK):
                *whole, self._rest = (self._rest + data).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            self._at = file.tell()
        if first and self._rest:
            yield self._rest.decode(errors="replace")
            self._rest = b""


def start_of_last(file: BinaryIO, lines: int) -> int:
    """The offset at which the last `lines` lines begin."""
    end = begin = file.seek(0, os.SEEK_END)
    if lines == 0:
        return end
    data = b""
    while begin > 0 and data.count(b"\n") <= lines:
        step = min(begin, _CHUNK)
        begin -= step
        file.seek(begin)
        data = file.read(step) + data
    at = len(data.removesuffix(b"\n"))
    for _ in range(lines):
        at = data.rfind(b"\n", 0, at)
        if at < 0:
            return begin
    return begin + at + 1
