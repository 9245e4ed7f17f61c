"""`moorage.capture/v1`: all requests of one model in one tick are one line of JSON, by column.

Described in docs/capture-event.md; read back by `capture.decode`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from moorage_runtime.capture.event import Event, Source
from moorage_runtime.capture.formats.values import FEW, dumps, jsonable, plain, type_name
from moorage_runtime.models.base import Array, Inputs
from moorage_runtime.streams import Message

SCHEMA = "moorage.capture/v1"
MOST_BYTES = 900_000
"""Of one message: below the million that Kafka takes by default."""
MOST_VALUES = 40_000
"""Numbers in one message, before anything is encoded: about MOST_BYTES of long ones."""


@dataclass(slots=True)
class _Part:
    """Rows `first_row` and following of an event; all of them but where a request is too large for one message."""

    event: Event
    inputs: Inputs
    outputs: Mapping[str, Array]
    rows: int
    first_row: int = 0


class NativeEncoder:
    """Keeps what does not change from tick to tick: the head of the line, once per source and types."""

    def __init__(self) -> None:
        self._heads: dict[tuple[Any, ...], tuple[Source, bytes]] = {}

    def __call__(self, events: Sequence[Event]) -> list[Message]:
        groups: dict[tuple[Any, ...], list[_Part]] = {}
        for event in events:
            inputs = event.inputs
            shape = inputs.shape[1:] if isinstance(inputs, np.ndarray) else tuple(inputs)
            rows = _rows(inputs)
            part = _Part(event, inputs, event.outputs, rows)
            # what does not answer row by row cannot be cut apart again, so it gets a message of its own
            alone = 0
            for array in event.outputs.values():
                if not array.ndim or len(array) != rows:
                    alone = id(part)
            groups.setdefault((id(event.source), alone, shape, *event.outputs), []).append(part)
        messages: list[Message] = []
        for parts in groups.values():
            for chunk in _chunks(parts):
                self._encode(chunk, messages)
        return messages

    def _encode(self, parts: list[_Part], messages: list[Message]) -> None:
        value = self._line(parts)
        if len(value) > MOST_BYTES and (len(parts) > 1 or _divisible(parts[0])):
            for half in _halves(parts):
                self._encode(half, messages)
            return
        # a request in several messages counts with the last: where one finds no room, the later ones go too
        messages.append(Message(value, events=sum(_is_last(part) for part in parts)))

    def _line(self, parts: list[_Part]) -> bytes:
        source = parts[0].event.source
        features = _features(source, [part.inputs for part in parts])
        predictions = {name: _stack([part.outputs[name] for part in parts]) for name in parts[0].outputs}
        requests = [part.event for part in parts]
        body = {
            "requests": {
                "id": [event.request_id for event in requests],
                "time_us": [event.received // 1000 for event in requests],
                "latency_us": [event.latency // 1000 for event in requests],
                "rows": [part.rows for part in parts],
                "first_row": [part.first_row for part in parts],
                "operation": [event.operation for event in requests],
            },
            "features": features.json(),
            "predictions": {name: jsonable(array) for name, array in predictions.items()},
        }
        line = dumps(body)
        if b"null" in line:
            infinite = {
                role: found
                for role, columns in (("features", features.columns()), ("predictions", predictions))
                if (found := _infinite(columns))
            }
            if infinite:
                line = line[:-1] + b',"infinite":' + dumps(infinite) + b"}"
        return self._head(source, features, predictions) + line[1:]

    def _head(self, source: Source, features: "_Matrix | _Named", predictions: Mapping[str, Array]) -> bytes:
        types = tuple((name, array.dtype, array.shape[1:]) for name, array in predictions.items())
        key = (id(source), features.types, types)
        known = self._heads.get(key)
        if known is None:
            columns = [
                _column(name, role, dtype, shape)
                for role, described in (("feature", features.described()), ("prediction", types))
                for name, dtype, shape in described
            ]
            head = {
                "schema": SCHEMA,
                "namespace": source.namespace,
                "serving": source.serving,
                "revision": source.revision,
                "model": source.model,
                "version": source.version,
                "digest": source.digest,
                "framework": source.framework,
                "class": source.class_name,
                "host": source.host,
                "columns": columns,
            }
            if len(self._heads) > 1000:
                self._heads.clear()
            # the source is kept with its id, so that no other object can take the id over
            known = self._heads[key] = (source, dumps(head)[:-1] + b",")
        return known[1]


def _column(name: str, role: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> dict[str, Any]:
    kind = "numerical_sequence" if shape else "numerical" if dtype.kind in "fiu" else "categorical"
    column = {"name": name, "role": role, "type": kind, "dtype": type_name(dtype)}
    return column | {"shape": shape} if shape else column


class _Matrix:
    """Features of one type: (rows, features)."""

    def __init__(self, names: tuple[str, ...], matrix: Array) -> None:
        self._names = names
        self._matrix = matrix
        self.types: Any = (matrix.dtype, matrix.shape[1])

    def json(self) -> dict[str, Any]:
        turned = self._matrix.T
        values = turned.tolist() if _small(turned) else list(np.ascontiguousarray(turned))
        return dict(zip(self._names, values, strict=True))

    def columns(self) -> dict[str, Array]:
        return dict(zip(self._names, self._matrix.T, strict=True))

    def described(self) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
        return [(name, self._matrix.dtype, ()) for name in self._names]


class _Named:
    """Features of mixed types or shapes: name to (rows, …)."""

    def __init__(self, columns: dict[str, Array]) -> None:
        self._columns = columns
        self.types: Any = tuple(self.described())

    def json(self) -> dict[str, Any]:
        return {name: jsonable(array) for name, array in self._columns.items()}

    def columns(self) -> dict[str, Array]:
        return self._columns

    def described(self) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
        return [(name, array.dtype, array.shape[1:]) for name, array in self._columns.items()]


def _features(source: Source, inputs: Sequence[Inputs]) -> _Matrix | _Named:
    first = inputs[0]
    if not isinstance(first, np.ndarray):
        return _Named({name: _stack([some[name] for some in inputs]) for name in first})
    matrix = plain(_stack([some for some in inputs if isinstance(some, np.ndarray)]))
    names = source.features
    if matrix.ndim == 2 and matrix.dtype.kind in "fiub" and (len(names) == matrix.shape[1] or not names):
        return _Matrix(names or tuple(f"x{column}" for column in range(matrix.shape[1])), matrix)
    if matrix.ndim == 2 and len(names) == matrix.shape[1]:
        return _Named(dict(zip(names, matrix.T, strict=True)))
    return _Named({names[0] if len(names) == 1 else "x": matrix})


def _stack(arrays: Sequence[Array]) -> Array:
    return np.atleast_1d(arrays[0]) if len(arrays) == 1 else np.concatenate(arrays)


def _small(array: Array) -> bool:
    return array.size <= FEW and array.dtype.itemsize == 8


def _rows(inputs: Inputs) -> int:
    return len(inputs if isinstance(inputs, np.ndarray) else next(iter(inputs.values())))


def _divisible(part: _Part) -> bool:
    return part.rows > 1 and all(array.ndim and len(array) == part.rows for array in part.outputs.values())


def _is_last(part: _Part) -> bool:
    return part.first_row + part.rows == _rows(part.event.inputs)


def _values(part: _Part) -> int:
    inputs = part.inputs
    count = inputs.size if isinstance(inputs, np.ndarray) else sum(array.size for array in inputs.values())
    return count + sum(array.size for array in part.outputs.values())


def _slice(part: _Part, begin: int, end: int) -> _Part:
    inputs = part.inputs
    return replace(
        part,
        inputs=inputs[begin:end]
        if isinstance(inputs, np.ndarray)
        else {name: array[begin:end] for name, array in inputs.items()},
        outputs={name: array[begin:end] for name, array in part.outputs.items()},
        rows=end - begin,
        first_row=part.first_row + begin,
    )


def _halves(parts: list[_Part]) -> tuple[list[_Part], list[_Part]]:
    if len(parts) > 1:
        middle = len(parts) // 2
        return parts[:middle], parts[middle:]
    middle = parts[0].rows // 2
    return [_slice(parts[0], 0, middle)], [_slice(parts[0], middle, parts[0].rows)]


def _chunks(parts: list[_Part]) -> Iterator[list[_Part]]:
    """Split what is certainly too much for one message; a large request by its rows."""
    chunk: list[_Part] = []
    size = 0
    for part in parts:
        values = _values(part)
        if chunk and size + values > MOST_VALUES:
            yield chunk
            chunk, size = [], 0
        if values > MOST_VALUES and _divisible(part):
            step = max(1, part.rows * MOST_VALUES // values)
            for begin in range(0, part.rows, step):
                yield [_slice(part, begin, min(begin + step, part.rows))]
            continue
        chunk.append(part)
        size += values
    if chunk:
        yield chunk


def _infinite(columns: Mapping[str, Array]) -> dict[str, dict[str, int]]:
    """Column to {index among its flattened values: 1 or -1}, for what `null` stands for beside NaN."""
    found = {}
    for name, array in columns.items():
        if array.dtype.kind == "f":
            flat = array.ravel()
            where = np.flatnonzero(np.isinf(flat))
            if where.size:
                found[name] = {str(index): 1 if flat[index] > 0 else -1 for index in where.tolist()}
    return found
