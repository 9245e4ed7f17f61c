"""The files of a directory stream: names, whose writer lives, retention, and reading from the end.

A segment is `TIME-WRITER-NUMBER.jsonl`: time of creation (ms), a random id of the one writer, a running number.
Its writer holds a lock on it as a sign of life, which the kernel takes away when the process ends, however it does.
Nobody ever waits for that lock.
"""

import fcntl
import json
import os
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from moorage_runtime.streams.base import Record

SUFFIX = ".jsonl"
REMOVED = "removed.log"
"""What retention took away: one JSON line per segment, so that a reader can tell what it missed."""
CHUNK = 1 << 20

Position = dict[str, int]
"""Segment name to the byte offset of the next line."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How much a folder keeps: whole segments, oldest first out, none whose writer lives."""

    total_bytes: int = 4 << 30
    seconds: float = 7 * 86400


def new_writer() -> str:
    """An id that no other writer has."""
    return secrets.token_hex(4)


def segment_name(writer: str, number: int) -> str:
    """A name that sorts by time of creation."""
    return f"{time.time_ns() // 1_000_000:013d}-{writer}-{number:06d}{SUFFIX}"


def segments(folder: Path) -> list[str]:
    """Names of all segments, oldest first; empty where the folder does not exist yet."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.name.endswith(SUFFIX))
    except FileNotFoundError:
        return []


def is_written(path: Path) -> bool:
    """Whether the segment's writer still lives."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def end_of_lines(path: Path) -> int:
    """The offset after the last whole line."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - CHUNK)
            file.seek(begin)
            newline = file.read(end - begin).rfind(b"\n")
            if newline >= 0:
                return begin + newline + 1
            end = begin
    return 0


def retain(folder: Path, retention: Retention) -> int:
    """Remove what is too old or too much, and note it in REMOVED; the number of bytes removed."""
    stats = []
    for name in segments(folder):
        try:
            stats.append((name, (folder / name).stat()))
        except FileNotFoundError:
            continue
    excess = sum(stat.st_size for _, stat in stats) - retention.total_bytes
    oldest = time.time() - retention.seconds
    removed = 0
    for name, stat in stats:
        if (excess <= removed and stat.st_mtime >= oldest) or is_written(folder / name):
            continue
        try:
            (folder / name).unlink()
        except FileNotFoundError:
            continue
        removed += stat.st_size
        note = {"segment": name, "bytes": stat.st_size, "removed_us": time.time_ns() // 1000}
        with (folder / REMOVED).open("ab", buffering=0) as log:
            log.write(json.dumps(note).encode() + b"\n")
    return removed


def removed_sizes(folder: Path) -> dict[str, int]:
    """Size of every segment that retention took away."""
    try:
        lines = (folder / REMOVED).read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    notes = [json.loads(line) for line in lines if line.endswith(b"}")]
    return {note["segment"]: note["bytes"] for note in notes}


def _last_lines(path: Path, lines: int, end: int) -> list[tuple[int, bytes]]:
    """At most `lines` whole lines before `end`, as (offset, line without its end)."""
    begin, data = end, b""
    with path.open("rb") as file:
        while begin > 0 and data.count(b"\n") <= lines:
            step = min(begin, CHUNK)
            begin -= step
            file.seek(begin)
            data = file.read(step) + data
    parts = data.split(b"\n")[:-1]
    if begin > 0:
        begin, parts = begin + len(parts[0]) + 1, parts[1:]
    found = []
    for part in parts:
        found.append((begin, part))
        begin += len(part) + 1
    return found[-lines:]


def tail(folder: str | Path, lines: int) -> tuple[list[Record], Position]:
    """The last `lines` lines of *each* writer, and the position after them to go on reading from.

    A folder knows no order between writers: who wants the newest of all sorts by the time that the events carry.
    Reads from the files' ends, so the cost does not grow with the stream.
    """
    folder = Path(folder)
    by_writer: dict[str, list[str]] = defaultdict(list)
    position: Position = {}
    for name in segments(folder):
        try:
            position[name] = end_of_lines(folder / name)
        except FileNotFoundError:
            continue
        by_writer[name.split("-")[1]].append(name)
    records: list[Record] = []
    for names in by_writer.values():
        found: list[Record] = []
        for name in reversed(names):
            if len(found) >= lines:
                break
            try:
                last = _last_lines(folder / name, lines - len(found), position[name])
            except FileNotFoundError:
                continue
            found = [Record(value, name, offset) for offset, value in last] + found
        records += found
    return records, position
