"""Fast ways through native messages (docs/capture-event.md); whatever is unusual is refused here and read with care.

A native message begins with a head that is the same bytes for all messages of a source, so the description of its
columns is read once. Behind it stand only arrays: simdjson turns one of numbers into doubles without making objects.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from moorage_runtime.drift.reading.careful import SCHEMA, text_columns
from moorage_runtime.drift.reading.rows import MOST, Part, Requests
from moorage_runtime.drift.reading.single import (
    MISSING,
    MISSING_VALUE,
    REFUSED,
    Described,
    Template,
    parser,
    template,
)

BEGIN = b'{"schema":'
MARK = b',"requests":{'
_BEHIND = {"requests", "features", "predictions", "infinite", "specversion", "resp", "error", "headers"}
"""Keys that a head of ours does not have."""
_BRACKET = ord("[")
_NUMBERS = ("time_us", "latency_us", "rows", "first_row")
_REQUESTS = ("id", *_NUMBERS, "operation")


@dataclass(slots=True)
class Head:
    """A head of a message of ours, as bytes and as read."""

    text: bytes
    body: dict[str, Any]
    version: str | None
    texts: frozenset[str]
    template: Template | None
    """None where not all columns are numbers or text."""
    keys: tuple[str, ...]
    arrays: int
    """How many brackets are in it; and how many nulls."""
    nulls: int
    holes: bool = False
    """Whether the last large message had missing values: where to begin with the next, not what becomes of it."""


class Heads:
    """The heads that were met; the last ones are tried first, since their comparison costs next to nothing."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._recent: list[Head] = []
        self._known: dict[bytes, Head | None] = {}
        self._templates: dict[tuple[tuple[Described, ...], ...], Template | None] = {}

    def of(self, value: bytes) -> Head | None:
        """The head of a message; None where it is to be read with care."""
        for head in self._recent:
            if value.startswith(head.text):
                return head
        at = value.find(MARK) if value.startswith(BEGIN) else -1
        if at < 0:
            return None
        text = value[: at + 1]
        if text not in self._known:
            if len(self._known) > 1000:
                self._known.clear()
            self._known[text] = self._read(text)
        found = self._known[text]
        if found is not None:
            self._recent = [found, *self._recent[:7]]
        return found

    def _read(self, text: bytes) -> Head | None:
        try:
            body = orjson.loads(text[:-1] + b"}")
            if body["model"] != self._model or not SCHEMA.fullmatch(body["schema"]):
                return None
            if body.keys() & _BEHIND or not isinstance(body.get("version"), str | None):
                return None
            columns: dict[str, list[Described]] = {"feature": [], "prediction": []}
            plain = True
            for one in body["columns"]:
                string = one["type"] == "categorical" and one["dtype"] == "string"
                plain = plain and "shape" not in one and (string or one["type"] == "numerical")
                columns[one["role"]].append(Described(one["name"], string))
        except REFUSED:
            return None
        made = self._template(tuple(columns["feature"]), tuple(columns["prediction"])) if plain else None
        texts = text_columns(body["columns"])
        return Head(
            text,
            body,
            body.get("version"),
            texts,
            made,
            tuple(body),
            text.count(b"["),
            text.count(b"null"),
        )

    def _template(
        self, features: tuple[Described, ...], predictions: tuple[Described, ...]
    ) -> Template | None:
        """The same object for all heads that describe the same columns."""
        if (features, predictions) not in self._templates:
            self._templates[features, predictions] = template(features, predictions)
        return self._templates[features, predictions]


def part_of_packed(head: Head, value: bytes, offset: int) -> Part | None:
    """The rows of one message; None where it is anything but numbers in the head's columns."""
    tried = not head.holes
    if tried:
        part = _packed(head, value, offset, 0)
        if part is not None:
            return part
    missing = value.count(b"null") - head.nulls
    head.holes = missing > 0
    if missing:
        # whatever stands for null in the head is not looked at
        return _packed(head, value.replace(b"null", MISSING), offset, missing)
    return None if tried else _packed(head, value, offset, 0)


def _packed(head: Head, value: bytes, offset: int, missing: int) -> Part | None:
    shape = head.template
    if shape is None or not shape.numbers:
        return None
    # as many arrays as there are columns: none is in another
    arrays = head.arrays + len(_REQUESTS) + len(shape.features) + len(shape.predictions)
    if np.count_nonzero(np.frombuffer(value, dtype=np.uint8) == _BRACKET) != arrays:
        return None
    try:
        body: Any = parser().parse(value)
        if tuple(body.keys()) != (*head.keys, "requests", "features", "predictions"):
            return None
        held = body["requests"]
        if tuple(held.keys()) != _REQUESTS:
            return None
        ids = held["id"].as_list()
        times, latencies, counts, first_rows = (
            np.frombuffer(held[name].as_buffer(of_type="i"), dtype=np.int64) for name in _NUMBERS
        )
        size = len(ids)
        if (
            set(map(type, ids)) != {str}
            or not len(times) == len(latencies) == len(counts) == len(first_rows) == size
        ):
            return None
        if any(one.min() < 0 or one.max() >= MOST for one in (times, latencies, counts, first_rows)):
            return None
        rows = int(counts.sum())
        features = _columns(body["features"], shape.features, rows)
        predictions = _columns(body["predictions"], shape.predictions, rows)
    except REFUSED:
        return None
    if features is None or predictions is None:
        return None
    if missing and missing != _put_missing(features) + _put_missing(predictions):
        return None
    offsets = np.full(size, offset, dtype=np.int64)
    requests = Requests(offsets, ids, times, latencies, counts, first_rows, [head.version] * size)
    return Part(requests, features, predictions, rows)


def _columns(held: Any, described: tuple[Described, ...], rows: int) -> dict[str, NDArray[np.float64]] | None:
    names = tuple(one.name for one in described)
    if tuple(held.keys()) != names:
        return None
    columns: dict[str, NDArray[np.float64]] = {}
    for name in names:
        values: NDArray[np.float64] = np.frombuffer(held[name].as_buffer(of_type="d"))
        if len(values) != rows:
            return None
        columns[name] = values
    return columns


def _put_missing(columns: dict[str, NDArray[np.float64]]) -> int:
    """Make what stands for null NaN; how many there are."""
    found = 0
    for name, values in columns.items():
        absent = values == MISSING_VALUE
        count = int(np.count_nonzero(absent))
        if count:
            columns[name] = np.where(absent, np.nan, values)
            found += count
    return found
