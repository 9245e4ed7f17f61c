"""A directory stream by writer: what a topic's partition is there, all segments of one writer are here.

A writer's messages have one order, which its segments' numbers tell; between writers there is none. An offset is the
segment's number << 40 | the byte within it, so that it grows along a partition as Kafka's does.
"""

import json
import logging
import os
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Literal

from moorage_runtime.streams.base import Chunk
from moorage_runtime.streams.segments import (
    CHUNK,
    SUFFIX,
    end_of_lines,
    is_written,
    removed_sizes,
    segments,
)

log = logging.getLogger(__name__)

NUMBER = 40
"""Bits of an offset for the byte within a segment."""
BYTE = (1 << NUMBER) - 1
LOOK = 0.02
"""Seconds between looks into the folder while nothing comes."""

Held = dict[str, dict[int, str]]
"""Writer to its segments: number to name."""


class DirectoryPartitions:
    """A PartitionReader of a folder; `lost` counts bytes, of which `torn` lines are a part (their writer was killed).

    `commit` writes `groups/GROUP/position.json` as the members of a group do, for those who look; nothing is read from
    it, and no lock is taken. A partition is forgotten when its last segment is gone. One thread at a time.
    """

    def __init__(
        self,
        folder: str | Path,
        group: str,
        positions: Mapping[str, int],
        start: Literal["latest", "earliest"],
    ) -> None:
        self.error: str | None = None
        self.lost = 0
        self.torn = 0
        self._folder = Path(folder)
        self._home = self._folder / "groups" / group
        self._positions = dict(positions)
        self._ended: set[str] = set()
        self._turn = 0
        self._commit_failed = False
        if not positions:
            for writer, names in self._held().items():
                # what retention takes at this moment is read from what is left, as of a new writer
                with suppress(FileNotFoundError):
                    self._positions[writer] = self._first(names, start)

    def _first(self, names: Mapping[int, str], start: str) -> int:
        number = max(names) if start == "latest" else min(names)
        byte = end_of_lines(self._folder / names[number]) if start == "latest" else 0
        return number << NUMBER | byte

    def _held(self) -> Held:
        held: Held = defaultdict(dict)
        try:
            names = segments(self._folder)
        except OSError as error:
            self._failing(f"{self._folder}: {error.strerror}")
            return {}
        for name in names:
            writer, number = _parts(name)
            if writer:
                held[writer][number] = name
        if names or self._folder.is_dir():
            self.error = None
        else:
            self._failing(f"{self._folder}: no such folder yet")
        return held

    def _failing(self, words: str) -> None:
        if self.error is None:
            log.warning("stream %s", words)
        self.error = words

    @property
    def positions(self) -> dict[str, int]:
        """Of every partition that is known: the offset of its next message."""
        return dict(self._positions)

    @property
    def caught_up(self) -> frozenset[str]:
        """Partitions of which, by the last poll, nothing was left to read."""
        return frozenset() if self.error else frozenset(self._ended)

    def poll(self, most: int, timeout: float) -> list[Chunk]:
        """At most `most` messages and a megabyte (or one message) of each writer; each call begins with another."""
        deadline = time.monotonic() + timeout
        while True:
            chunks = self._read(most)
            left = deadline - time.monotonic()
            if chunks or left <= 0:
                return chunks
            time.sleep(min(LOOK, left))

    def lag(self) -> int | None:
        """Bytes left to read."""
        behind = 0
        for writer, names in self._held().items():
            at = self._positions.get(writer, 0)
            for number, name in names.items():
                if number >= at >> NUMBER:
                    behind += max(0, self._size(name) - (at & BYTE if number == at >> NUMBER else 0))
        return None if self.error else behind

    def commit(self, positions: Mapping[str, int]) -> None:
        """Write the positions by segment, as docs/capture-event.md has them; a failure is logged once."""
        kept: dict[str, int] = {}
        for writer, names in self._held().items():
            at = positions.get(writer, 0)
            for number, name in names.items():
                if number <= at >> NUMBER:
                    kept[name] = at & BYTE if number == at >> NUMBER else self._size(name)
        fresh = self._home / "position.json.new"
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(kept))
            fresh.replace(self._home / "position.json")
        except OSError as error:
            if not self._commit_failed:
                log.warning("stream %s: the group's positions are not kept: %s", self._folder, error.strerror)
            self._commit_failed = True
            return
        self._commit_failed = False

    def close(self) -> None:
        """Nothing is held between calls."""

    def _size(self, name: str) -> int:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return 0

    def _read(self, most: int) -> list[Chunk]:
        held = self._held()
        if self.error:
            return []
        self._forget(held)
        writers = sorted(held)
        if not writers:
            return []
        self._turn = (self._turn + 1) % len(writers)
        chunks: list[Chunk] = []
        for writer in writers[self._turn :] + writers[: self._turn]:
            if most <= 0:
                self._ended.discard(writer)
                continue
            try:
                chunk = self._read_writer(writer, held[writer], most)
            except OSError as error:
                # removed just now: the next look into the folder counts what is lost
                if not isinstance(error, FileNotFoundError):
                    self._failing(f"{self._folder}: {error.strerror}")
                self._ended.discard(writer)
                continue
            if chunk is not None:
                chunks.append(chunk)
                most -= len(chunk.values)
        return chunks

    def _forget(self, held: Held) -> None:
        for writer in [writer for writer in self._positions if writer not in held]:
            self._miss(writer, self._positions[writer], None)
            del self._positions[writer]
            self._ended.discard(writer)

    def _miss(self, writer: str, at: int, until: int | None) -> None:
        """Count what retention took of the writer from the offset up to the segment of that number."""
        for name, size in removed_sizes(self._folder).items():
            gone, number = _parts(name)
            if gone == writer and number >= at >> NUMBER and (until is None or number < until):
                self.lost += max(0, size - (at & BYTE)) if number == at >> NUMBER else size

    def _read_writer(self, writer: str, names: Mapping[int, str], most: int) -> Chunk | None:
        """Lines of one segment; the next begins where a segment is read and a later one is there."""
        at = self._positions.get(writer, 1 << NUMBER)
        while True:
            number = at >> NUMBER
            later = min((other for other in names if other > number), default=None)
            if number not in names:
                if later is None:
                    # a writer whose newest segment was taken by hand: it goes on in one that is to come
                    return None
                self._miss(writer, at, later)
                at = later << NUMBER
                continue
            self._positions[writer] = at
            path = self._folder / names[number]
            over = later is not None or not is_written(path)
            values, end, whole, rest = _lines(path, at & BYTE, most)
            chunk = None
            if values:
                begins = accumulate((len(value) + 1 for value in values[:-1]), initial=at)
                chunk = Chunk(writer, values, list(begins), at + end)
            at += end
            if whole and rest and over:
                self.torn += 1
                self.lost += rest
                at += rest
            self._positions[writer] = at
            if whole and later is None:
                self._ended.add(writer)
                return chunk
            self._ended.discard(writer)
            if chunk is not None or later is None or not whole:
                return chunk
            at = later << NUMBER


def _parts(name: str) -> tuple[str, int]:
    """Writer and number of a segment; no writer where the name is none of ours."""
    parts = name.removesuffix(SUFFIX).split("-")
    if len(parts) != 3 or not parts[2].isdecimal():
        return "", 0
    return parts[1], int(parts[2])


def _lines(path: Path, begin: int, most: int) -> tuple[list[bytes], int, bool, int]:
    """Whole lines from the byte on, at most `most` and about a megabyte.

    Their length, whether no whole line is left behind them, and how many bytes of a line without end are there.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= begin:
            return [], 0, True, 0
        file.seek(begin)
        data = file.read(CHUNK)
        while b"\n" not in data and (more := file.read(CHUNK)):
            data += more
        exhausted = file.tell() >= size
    lines = data.split(b"\n")
    rest = len(lines.pop())
    values = lines[:most]
    length = sum(map(len, values)) + len(values)
    return values, length, exhausted and len(values) == len(lines), rest
