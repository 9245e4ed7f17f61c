"""Where text may be cut: at newlines, and in CSV only at those that end a record.

CSV is scanned whole, since a quote far above decides whether a newline is one. Quotes are taken as RFC 4180 has
them (a field is quoted from its first character to its last, quotes within are doubled); a file in which some quote
stands elsewhere is not cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_SCAN = 8 << 20
_PROBE = 1 << 16
_QUOTE, _COMMA, _NEWLINE, _RETURN = b'",\n\r'


@dataclass(frozen=True, slots=True)
class Cut:
    """Bytes [begin, end) and their lines."""

    begin: int
    end: int
    lines: int


def newlines(source: Any, begin: int, size: int, step: int) -> list[tuple[int, int]]:
    """Ranges of about `step` bytes of [begin, size) that end behind a newline, or with the file."""
    cuts = []
    while begin < size:
        end = min(begin + step, size)
        while end < size:
            source.seek(end - 1)
            piece = source.read(_PROBE)
            found = piece.find(b"\n")
            if found >= 0:
                end += found
                break
            end += len(piece)
        cuts.append((begin, min(end, size)))
        begin = cuts[-1][1]
    return cuts


def records(source: Any, begin: int, size: int, step: int) -> list[Cut] | None:
    """Ranges of CSV that hold whole records; None where its quotes leave no safe cut."""
    cuts: list[Cut] = []
    start, lines = begin, 0
    for offset, data, ends in _scan(source, begin):
        if ends is None:
            return None
        counted = 0
        while True:
            place = int(np.searchsorted(ends, start + step - 1 - offset))
            if place >= len(ends):
                break
            end = offset + int(ends[place]) + 1
            cuts.append(Cut(start, end, lines + place + 1 - counted))
            start, lines, counted = end, 0, place + 1
        lines += len(ends) - counted
        if offset + len(data) >= size and start < size:
            cuts.append(Cut(start, size, lines + (data[-1] != _NEWLINE)))
    return cuts


def _scan(source: Any, begin: int) -> Iterator[tuple[int, bytes, np.ndarray[Any, np.dtype[np.int64]] | None]]:
    """Pieces of the file with the places of the newlines that end records; None where a quote is misplaced."""
    source.seek(begin)
    offset, quoted, before = begin, False, _NEWLINE
    held = b""
    while True:
        fresh = source.read(_SCAN)
        data = held + fresh
        if not data:
            return
        last = not fresh
        # a quote at the very end is judged with what follows it
        keep = 0 if last else len(data) - len(data.rstrip(b'"'))
        if keep == len(data):
            held = data
            continue
        held, data = data[len(data) - keep :], data[: len(data) - keep]
        codes = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(codes == _NEWLINE)
        if quoted or b'"' in data:
            quotes = np.flatnonzero(codes == _QUOTE)
            if not _proper(codes, quotes, quoted, before):
                yield offset, data, None
                return
            inside = (np.searchsorted(quotes, ends) + quoted) % 2 == 1
            ends = ends[~inside]
            quoted = bool((len(quotes) + quoted) % 2)
        yield offset, data, ends
        offset += len(data)
        before = data[-1]
        if last:
            return


def _proper(codes: Any, quotes: Any, quoted: bool, before: int) -> bool:
    """Whether every opening quote begins a field or repeats a quote, and every closing one ends it or repeats."""
    opening = (np.arange(len(quotes)) + quoted) % 2 == 0
    left = np.where(quotes > 0, codes[np.maximum(quotes - 1, 0)], before)
    right = codes[np.minimum(quotes + 1, len(codes) - 1)]
    at_end = quotes + 1 >= len(codes)
    begins = np.isin(left, (_COMMA, _NEWLINE, _RETURN, _QUOTE))
    ends = np.isin(right, (_COMMA, _NEWLINE, _RETURN, _QUOTE)) | at_end
    return bool(np.where(opening, begins, ends).all())


def pieces(source: Any, size: int | None, step: int, *, quotes: bool) -> Iterator[bytes]:
    """The next `size` bytes (all without it) in pieces of about `step` that end behind a line, or with the bytes.

    With `quotes` a newline within quotes ends no line; they stand as `records` demands.
    """
    held, left = b"", size
    while True:
        fresh = source.read(step if left is None else min(step, left))
        left = None if left is None else left - len(fresh)
        data = held + fresh
        if not fresh or left == 0:
            if data:
                yield data
            return
        end = data.rfind(b"\n")
        while quotes and end >= 0 and data.count(b'"', 0, end) % 2:
            end = data.rfind(b"\n", 0, end)
        held = data[end + 1 :]
        if end >= 0:
            yield data[: end + 1]
