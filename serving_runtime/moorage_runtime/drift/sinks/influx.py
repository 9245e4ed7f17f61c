"""InfluxDB's line protocol (1.x `/write`), which QuestDB, VictoriaMetrics, GreptimeDB and TDengine take too.

A metric is a measurement, its labels are tags, its value is the field `value`. A point with the same tags and time
replaces the one before it, so a point told twice is there once.
"""

import math
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from moorage_runtime.config import HttpTargetConfig
from moorage_runtime.drift.sinks.delivery import Refused, Unavailable
from moorage_runtime.drift.sinks.http import Http
from moorage_runtime.drift.sinks.points import Identity, Point, count, points
from moorage_runtime.drift.types import Result

BATCH_POINTS = 5_000
ROOM_POINTS = 500_000
_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\\": "/", "\n": "\\ ", "\r": "\\ "})
"""The protocol cannot tell a backslash before an escaped character, and a line has no line break: both are replaced."""


class Influx:
    """Writes results as points of one database, which is created where it is missing."""

    batch = BATCH_POINTS
    room = ROOM_POINTS

    def __init__(self, target: HttpTargetConfig, database: str, identity: Identity) -> None:
        self._http = Http(target)
        self._base = target.url.rstrip("/")
        self._database = database
        self._identity = identity

    def units(self, item: Result) -> int:
        """Points of a result."""
        return count(item)

    def send(self, items: Sequence[Result]) -> None:
        """Write all points of the results in one request. Raises Unavailable or Refused."""
        lines = encode(point for item in items for point in points(self._identity, item))
        if not lines:
            return
        url = f"{self._base}/write?db={quote(self._database, safe='')}&precision=ms"
        try:
            self._http.post(url, lines, {"content-type": "text/plain; charset=utf-8"})
        except Unavailable as error:
            if "database not found" not in str(error):
                raise
            self._create()
            self._http.post(url, lines, {"content-type": "text/plain; charset=utf-8"})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _create(self) -> None:
        name = self._database.replace("\\", "\\\\").replace('"', '\\"')
        statement = f"q={quote(f'CREATE DATABASE {chr(34)}{name}{chr(34)}', safe='')}".encode()
        form = {"content-type": "application/x-www-form-urlencoded"}
        try:
            self._http.post(f"{self._base}/query", statement, form)
        except (Refused, Unavailable) as error:
            raise Unavailable(
                f"database {self._database} is missing and cannot be created: {error}"
            ) from None


def encode(said: Iterable[Point]) -> bytes:
    """Lines, one per point, in order; infinite values are left out, since the protocol has none."""
    return "".join(
        f"{_escaped(series.metric)}{_tags(series.labels)} value={value!r} {timestamp}\n"
        for series, value, timestamp in said
        if math.isfinite(value)
    ).encode()


def _tags(labels: Sequence[tuple[str, str]]) -> str:
    return "".join(f",{_escaped(name)}={_escaped(value)}" for name, value in labels)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
