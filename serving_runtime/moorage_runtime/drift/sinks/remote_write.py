"""Prometheus remote-write 1.0: protobuf in a snappy block, which Prometheus, VictoriaMetrics, Mimir and Thanos take.

Message fields are those of the specification (prometheus.io, "Prometheus Remote-Write 1.0"):
WriteRequest{timeseries=1}, TimeSeries{labels=1, samples=2}, Label{name=1, value=2}, Sample{value=1, timestamp=2}.
"""

import struct
from collections.abc import Iterable, Sequence

import cramjam

from moorage_runtime.config import HttpTargetConfig
from moorage_runtime.drift.sinks.http import Http
from moorage_runtime.drift.sinks.points import Identity, Point, Series, count, points
from moorage_runtime.drift.types import Result

HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
    "user-agent": "moorage",
}
BATCH_POINTS = 5_000
ROOM_POINTS = 500_000
CACHED_SERIES = 100_000


class RemoteWrite:
    """Writes results as series. A point that is there already, with the same value, is taken without effect."""

    batch = BATCH_POINTS
    room = ROOM_POINTS

    def __init__(self, target: HttpTargetConfig, identity: Identity) -> None:
        self._http = Http(target)
        self._identity = identity
        self._labels: dict[Series, bytes] = {}

    def units(self, item: Result) -> int:
        """Points of a result."""
        return count(item)

    def send(self, items: Sequence[Result]) -> None:
        """Write all points of the results in one request. Raises Unavailable or Refused."""
        if len(self._labels) > CACHED_SERIES:
            self._labels.clear()
        message = encode((point for item in items for point in points(self._identity, item)), self._labels)
        if message:
            self._http.post(self._http.url, bytes(cramjam.snappy.compress_raw(message)), HEADERS)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def encode(said: Iterable[Point], known: dict[Series, bytes] | None = None) -> bytes:
    """A WriteRequest: one TimeSeries per series, its samples by time; `known` keeps labels already encoded."""
    known = {} if known is None else known
    samples: dict[Series, list[tuple[int, float]]] = {}
    for series, value, timestamp in said:
        samples.setdefault(series, []).append((timestamp, value))
    message = bytearray()
    for series in sorted(samples):
        labels = known.get(series)
        if labels is None:
            labels = known[series] = _labels(series)
        body = labels + b"".join(_sample(*sample) for sample in sorted(samples[series]))
        message += b"\x0a" + _varint(len(body)) + body
    return bytes(message)


def _labels(series: Series) -> bytes:
    pairs = sorted((("__name__", series.metric), *series.labels))
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in pairs)


def _sample(timestamp: int, value: float) -> bytes:
    body = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(timestamp & 0xFFFF_FFFF_FFFF_FFFF)
    return b"\x12" + _varint(len(body)) + body


def _field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
