"""Labels that come later, and the predictions that wait for them.

The table of waiting predictions can be far larger than a checkpoint should be, so it is kept as immutable segments of
what came between two checkpoints; the checkpoint names the segments and says, one bit each, which entries still wait.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cramjam
import numpy as np
import orjson

from moorage_runtime.config import LabelsConfig
from moorage_runtime.streams.base import Chunk

MOST_WAITING = 500_000
"""Predictions that wait at once; beyond it the oldest are given up, and counted."""
Value = float | str | None


@dataclass(slots=True)
class Label:
    """A true answer: `key` names the prediction; `time` is the message's, µs, or None where the stream has none."""

    partition: str
    offset: int
    key: str
    value: Value
    time: int | None


def read(chunk: Chunk, config: LabelsConfig, skipped: Counter[str]) -> Iterator[Label]:
    """The labels of messages that are a JSON object, or a list of them; what is none is counted."""
    for at, message in enumerate(chunk.values):
        try:
            body = orjson.loads(message)
        except ValueError:
            skipped["label_malformed"] += 1
            continue
        key = chunk.keys[at] if chunk.keys else None
        time = chunk.timestamps[at] * 1000 if chunk.timestamps else None
        for entry in body if isinstance(body, list) else [body]:
            name, value = _name(entry, key, config), _value(entry, config.label_field)
            if name is None or value is None:
                skipped["label_malformed"] += 1
            else:
                yield Label(chunk.partition, chunk.offsets[at], name, value, time)


def _name(entry: Any, key: bytes | None, config: LabelsConfig) -> str | None:
    if not isinstance(entry, dict):
        return None
    if config.key_field is None and key is not None:
        return key.decode(errors="replace")
    found = entry.get(config.key_field or "id")
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else None


def _value(entry: Any, field_name: str) -> Value:
    found = entry.get(field_name) if isinstance(entry, dict) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    return float(found) if isinstance(found, int | float) else found if isinstance(found, str) else None


@dataclass(slots=True)
class _Segment:
    blob: str
    keys: list[str]


@dataclass(slots=True)
class Waiting:
    """Predictions by key, the oldest first."""

    most: int = MOST_WAITING
    _table: dict[str, tuple[int, Value]] = field(default_factory=dict)
    _segments: list[_Segment] = field(default_factory=list)
    _new: dict[str, None] = field(default_factory=dict)
    _newest: int = 0

    def __len__(self) -> int:
        return len(self._table)

    def add(self, keys: Iterable[str], times: Iterable[int], values: Iterable[Value]) -> int:
        """Let predictions wait; how many older ones had to be given up for them."""
        table, new = self._table, self._new
        for key, time, value in zip(keys, times, values, strict=True):
            table.pop(key, None)
            table[key] = (time, value)
            new[key] = None
            self._newest = max(self._newest, time)
        return self._shorten(lambda _: len(table) > self.most)

    def expire(self, before: int) -> int:
        """Give up those of an event time before `before` (µs); how many."""
        return self._shorten(lambda time: time < before)

    def take(self, key: str) -> tuple[int, Value] | None:
        """The prediction's time and value; it waits no more. A key without a row is that of row 0."""
        found = self._table.pop(key, None)
        return self._table.pop(f"{key}/0", None) if found is None else found

    def _shorten(self, drop: Callable[[int], bool]) -> int:
        gone = 0
        while self._table:
            key = next(iter(self._table))
            if not drop(self._table[key][0]):
                break
            del self._table[key]
            gone += 1
        return gone

    def snapshot(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """(state, new blobs by name): the segments that still hold something, and which of their entries wait."""
        blobs: dict[str, bytes] = {}
        new = [key for key in self._new if key in self._table]
        self._new = {}
        kept = [(segment, self._alive(segment.keys)) for segment in self._segments]
        kept = [(segment, alive) for segment, alive in kept if alive.any()]
        # like the digits of a binary counter: each entry is written again a logarithmic number of times only
        while new and kept and int(kept[-1][1].sum()) <= 2 * len(new):
            segment, alive = kept.pop()
            merged = dict.fromkeys(
                key for key, lives in zip(segment.keys, alive.tolist(), strict=True) if lives
            )
            new = list(merged | dict.fromkeys(new))
        if new:
            name, data = self._blob(new)
            blobs[name] = data
            kept.append((_Segment(name, new), np.ones(len(new), dtype=bool)))
        self._segments = [segment for segment, _ in kept]
        state = {
            "segments": [
                {"blob": segment.blob, "alive": base64.b64encode(np.packbits(alive).tobytes()).decode()}
                for segment, alive in kept
            ],
            "newest": self._newest,
        }
        return state, blobs

    def _alive(self, keys: list[str]) -> Any:
        return np.fromiter((key in self._table for key in keys), dtype=bool, count=len(keys))

    def _blob(self, keys: list[str]) -> tuple[str, bytes]:
        rows = [self._table[key] for key in keys]
        body = {"keys": keys, "times": [row[0] for row in rows], "values": [row[1] for row in rows]}
        data = bytes(cramjam.zstd.compress(orjson.dumps(body), level=1))
        return f"predictions-{hashlib.sha256(data).hexdigest()[:24]}.zst", data

    def restore(self, state: dict[str, Any], load: Callable[[str], bytes]) -> None:
        """Go on from a snapshot; `load` gives a blob by its name."""
        self._newest = int(state["newest"])
        for entry in state["segments"]:
            body = orjson.loads(bytes(cramjam.zstd.decompress(load(entry["blob"]))))
            keys = body["keys"]
            bits = np.frombuffer(base64.b64decode(entry["alive"]), dtype=np.uint8)
            alive = np.unpackbits(bits, count=len(keys)).astype(bool).tolist()
            rows = zip(keys, body["times"], body["values"], alive, strict=True)
            self._table |= {key: (time, value) for key, time, value, lives in rows if lives}
            self._segments.append(_Segment(entry["blob"], keys))
