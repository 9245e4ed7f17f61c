"""Rows of consecutive messages while they are decoded: lists of plain values in, columns out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from moorage_runtime.drift.reference.binning import as_text
from moorage_runtime.drift.types import Block, Column, Run

MOST_SEQUENCE = 64
"""Elements up to which a value that is an array becomes columns of its own, NAME.0, NAME.1 …; longer are left out."""
_NUMBERS = frozenset({float, int, type(None)})
_TEXTS = frozenset({str, bool, type(None)})
_BOOLEANS = {True: "true", False: "false"}
_NONE = type(None)


MOST = 2**53
"""Integers beyond are no times, lengths or indices."""


class Skip(Exception):  # noqa: N818 - an outcome, not a fault
    """The message is not used; the text is the reason that it is counted under."""


def whole(value: Any) -> int:
    """A non-negative integer, also where it is written as a float. Raises ValueError."""
    if type(value) is int and 0 <= value < MOST:
        return value
    if type(value) is float and 0 <= value < MOST and value.is_integer():
        return int(value)
    raise ValueError("no whole number")


@dataclass(slots=True)
class Listed:
    """One entry per request, while they are gathered."""

    offsets: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    latencies: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    first_rows: list[int] = field(default_factory=list)
    versions: list[str | None] = field(default_factory=list)


@dataclass(slots=True)
class Requests:
    """One entry per request; as a Block has them, but for the offset of the request's message."""

    offsets: NDArray[np.int64]
    ids: list[str]
    times: NDArray[np.int64]
    latencies: NDArray[np.int64]
    counts: NDArray[np.int64]
    first_rows: NDArray[np.int64]
    versions: list[str | None]


@dataclass(slots=True)
class Part:
    """Rows of requests that have the same columns."""

    requests: Requests
    features: dict[str, Column]
    predictions: dict[str, Column]
    rows: int


def column(values: Sequence[Any], *, text: bool = False) -> Column:
    """Numbers as float64, text and booleans as objects of str; where both occur, numbers as text.

    `text` where nothing but None is to be an object column.
    """
    types = set(map(type, values))
    if types <= _NUMBERS and not (text and types <= {_NONE}):
        return np.array(values, dtype=np.float64)
    found = np.empty(len(values), dtype=object)
    found[:] = values if types <= {str, _NONE} else [_text(value) for value in values]
    return found


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return _BOOLEANS[value]
    if isinstance(value, int | float):
        return None if value != value else as_text(float(value))  # noqa: PLR0124 - NaN
    if isinstance(value, dict) and list(value) == ["base64"] and isinstance(value["base64"], str):
        return value["base64"]
    return orjson.dumps(value).decode()


SCALARS = _NUMBERS | _TEXTS
"""Types of values that are no arrays and no objects."""


def spread(name: str, values: Sequence[Any]) -> dict[str, list[Any]]:
    """A column by name; one of arrays of the same length as one per element, none where they are too long.

    Raises ValueError where their shapes differ.
    """
    if list not in set(map(type, values)):
        return {name: list(values)}
    flat = [_flat(value) for value in values]
    width = len(flat[0])
    if any(len(one) != width for one in flat):
        raise ValueError(f"{name} has values of several shapes")
    if width > MOST_SEQUENCE:
        return {}
    return {f"{name}.{at}": [one[at] for one in flat] for at in range(width)}


def put_infinite(columns: Mapping[str, list[Any]], places: Mapping[str, int]) -> None:
    """Replace null by infinities in the columns of one value (`spread`); places count its elements row by row."""
    held = list(columns.values())
    if not held:
        return
    for place, sign in places.items():
        if not place.isdecimal():
            raise ValueError("no place")
        row, element = divmod(int(place), len(held))
        held[element][row] = float("inf") if sign > 0 else float("-inf")


def _flat(value: Any) -> list[Any]:
    flat: list[Any] = value if isinstance(value, list) else [value]
    while any(isinstance(one, list) for one in flat):
        flat = list(chain.from_iterable(one if isinstance(one, list) else [one] for one in flat))
    return flat


@dataclass(slots=True)
class Rows:
    """Rows of one message: requests without their offset, and either columns or a matrix of features."""

    requests: Listed
    count: int
    predictions: Mapping[str, Sequence[Any]]
    features: Mapping[str, Sequence[Any]] | None = None
    names: tuple[str, ...] = ()
    matrix: Sequence[Any] = ()
    """Where `features` is None: `count` rows of len(names) plain values, one after the other."""
    types: frozenset[type] = frozenset()
    """Of the matrix' values."""
    texts: frozenset[str] = frozenset()
    """Columns that are text also where all of it is missing."""


class Gathered:
    """Rows of messages one after the other; `parts` are those whose columns stayed the same."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._shape: tuple[Any, ...] = ()
        self._requests = Listed()
        self._features: dict[str, list[Any]] = {}
        self._predictions: dict[str, list[Any]] = {}
        self._matrix: list[Any] = []
        self._types: set[type] = set()
        self._rows = 0

    def add(self, rows: Rows, offset: int) -> None:
        """Append a message's rows."""
        held = rows.features
        shape = (rows.names, None if held is None else tuple(held), tuple(rows.predictions), rows.texts)
        if shape != self._shape:
            self.flush()
            self._shape = shape
            self._features = {name: [] for name in held or ()}
            self._predictions = {name: [] for name in rows.predictions}
        if held is None:
            self._matrix += rows.matrix
            self._types |= rows.types
        else:
            for name, values in held.items():
                self._features[name] += values
        for name, values in rows.predictions.items():
            self._predictions[name] += values
        self._rows += rows.count
        mine, new = self._requests, rows.requests
        mine.offsets += [offset] * len(new.ids)
        mine.ids += new.ids
        mine.times += new.times
        mine.latencies += new.latencies
        mine.counts += new.counts
        mine.first_rows += new.first_rows
        mine.versions += new.versions

    def flush(self) -> None:
        """Make what was gathered a part."""
        if self._requests.ids:
            names, features, _, texts = self._shape
            predictions = {name: column(some, text=name in texts) for name, some in self._predictions.items()}
            if features is None:
                columns = _matrix_columns(names, self._matrix, self._types)
            else:
                columns = {name: column(some, text=name in texts) for name, some in self._features.items()}
            self.parts.append(Part(_arrays(self._requests), columns, predictions, self._rows))
        self._shape = ()
        self._requests, self._rows = Listed(), 0
        self._matrix, self._types = [], set()


def _matrix_columns(names: tuple[str, ...], matrix: list[Any], types: set[type]) -> dict[str, Column]:
    width = len(names)
    if types <= _NUMBERS:
        turned = np.ascontiguousarray(np.array(matrix, dtype=np.float64).reshape(-1, width).T)
        return dict(zip(names, turned, strict=True))
    return {name: column(matrix[at::width]) for at, name in enumerate(names)}


def join(partition: str, first_offset: int, next_offset: int, parts: list[Part]) -> Block | None:
    """One block of all rows; a column that a part lacks is missing there."""
    if not parts:
        return None
    held = [part.requests for part in parts]
    counts = np.concatenate([one.counts for one in held])
    if not counts.any():
        return None
    return Block(
        partition=partition,
        first_offset=first_offset,
        next_offset=next_offset,
        offsets=np.repeat(np.concatenate([one.offsets for one in held]), counts),
        times=np.repeat(np.concatenate([one.times for one in held]), counts),
        request_ids=list(chain.from_iterable(one.ids for one in held)),
        counts=counts,
        first_rows=np.concatenate([one.first_rows for one in held]),
        latencies=np.concatenate([one.latencies for one in held]),
        features=_united([part.features for part in parts], [part.rows for part in parts]),
        predictions=_united([part.predictions for part in parts], [part.rows for part in parts]),
        versions=list(chain.from_iterable(one.versions for one in held)),
        runs=_runs(parts),
    )


def _runs(parts: Sequence[Part]) -> tuple[Run, ...]:
    """Which rows have which columns; empty where all have the same."""
    first = parts[0]
    if all(
        one.features.keys() == first.features.keys() and one.predictions.keys() == first.predictions.keys()
        for one in parts
    ):
        return ()
    return tuple(Run(one.rows, frozenset(one.features), frozenset(one.predictions)) for one in parts)


def _arrays(listed: Listed) -> Requests:
    offsets, times, latencies, counts, first_rows = (
        np.array(values, dtype=np.int64)
        for values in (listed.offsets, listed.times, listed.latencies, listed.counts, listed.first_rows)
    )
    return Requests(offsets, listed.ids, times, latencies, counts, first_rows, listed.versions)


def _united(columns: Sequence[Mapping[str, Column]], rows: Sequence[int]) -> dict[str, Column]:
    if len(columns) == 1:
        return dict(columns[0])
    found: dict[str, Column] = {}
    for name in dict.fromkeys(chain.from_iterable(columns)):
        held = [one.get(name) for one in columns]
        if any(one is not None and one.dtype == object for one in held):
            found[name] = np.concatenate([_as_text(one, size) for one, size in zip(held, rows, strict=True)])
        else:
            found[name] = np.concatenate(
                [np.full(size, np.nan) if one is None else one for one, size in zip(held, rows, strict=True)]
            )
    return found


def _as_text(values: Column | None, rows: int) -> Column:
    if values is None:
        return np.full(rows, None, dtype=object)
    return values if values.dtype == object else column([*values.tolist(), ""])[:-1]
