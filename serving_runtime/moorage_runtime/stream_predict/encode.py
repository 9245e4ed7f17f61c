"""Output records and dead letters as bytes. docs/stream.md describes their form."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from moorage_runtime.models.base import Array
from moorage_runtime.stream_predict.decode import ID_MAX
from moorage_runtime.stream_predict.predict import Answer
from moorage_runtime.stream_predict.records import Batch, Failure, Headers, Outgoing

MODEL, VERSION = "moorage-model", "moorage-version"
ERROR, REASON = "moorage-error", "moorage-reason"
SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET = (
    "moorage-source-topic",
    "moorage-source-partition",
    "moorage-source-offset",
)
LEFT_OUT = "moorage-value-bytes"
"""On a dead letter without a value: how many bytes the original has, which the topic does not take."""
_OWN = frozenset((MODEL, VERSION, ERROR, REASON, SOURCE_TOPIC, SOURCE_PARTITION, SOURCE_OFFSET, LEFT_OUT))
_NUMPY = orjson.OPT_SERIALIZE_NUMPY


def identities(batch: Batch) -> list[str]:
    """Ids of the records: the key where it is short text, else TOPIC-PARTITION-OFFSET."""
    found = []
    starts = {partition: f"{batch.stream}-{partition}-" for partition in set(batch.partitions)}
    if not any(batch.keys):
        return [f"{starts[p]}{at}" for p, at in zip(batch.partitions, batch.offsets, strict=True)]
    for key, partition, offset in zip(batch.keys, batch.partitions, batch.offsets, strict=True):
        text = _text(key) if key else None
        found.append(f"{starts[partition]}{offset}" if text is None else text)
    return found


def _text(key: bytes) -> str | None:
    if len(key) > ID_MAX:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


class Encoder:
    """Output records of one model."""

    def __init__(self, model: str, version: str | None) -> None:
        names = {"model": model} | ({"version": version} if version else {})
        self._head = orjson.dumps(names)[:-1] + b',"id":'
        own: list[tuple[str, bytes]] = [(MODEL, model.encode())]
        if version:
            own.append((VERSION, version.encode()))
        self._headers = own

    def headers(self, given: Headers | None) -> Headers:
        """The record's own headers, and by which model it was predicted."""
        if not given:
            return self._headers
        return [*((name, value) for name, value in given if name not in _OWN), *self._headers]

    def values(self, answer: Answer, batch: Batch, identities: Sequence[str]) -> Iterable[bytes]:
        """The output records' values, in the order of the answer's indices."""
        head = self._head
        inputs: Sequence[bytes | None] = batch.values
        idents = orjson_texts(identities)
        if len(answer.indices) != len(batch):
            inputs = [batch.values[i] for i in answer.indices]
            idents = [idents[i] for i in answer.indices]
        predictions = _predictions(answer)
        return [
            b'%b%b,"input":%b,"prediction":%b}' % (head, ident, given or b"null", prediction)
            for ident, given, prediction in zip(idents, inputs, predictions, strict=True)
        ]


def orjson_texts(texts: Sequence[str]) -> list[bytes]:
    """Each text as a JSON string, all of them in one call where none needs an escape."""
    joined = orjson.dumps("\n".join(texts))
    found = joined[1:-1].split(b"\\n")
    if len(found) == len(texts) and joined.count(b"\\") == len(texts) - 1:
        return [b'"%b"' % text for text in found]
    return [orjson.dumps(text) for text in texts]


def _predictions(answer: Answer) -> list[bytes]:
    """What follows `"prediction":`, up to the end of the record."""
    names = list(answer.outputs)
    texts = {name: rows_of_json(answer.outputs[name]) for name in names}
    first = _spread(answer, texts[names[0]])
    if len(names) == 1:
        return first
    columns = [_spread(answer, texts[name]) for name in names]
    labels = [orjson.dumps(name) for name in names]
    return [
        b'%b,"outputs":{%b}'
        % (cells[0], b",".join(b"%b:%b" % pair for pair in zip(labels, cells, strict=True)))
        for cells in zip(*columns, strict=True)
    ]


def _spread(answer: Answer, rows: list[bytes]) -> list[bytes]:
    """The rows' JSON by record."""
    if answer.requests is None:
        return rows
    if len(answer.requests) == 1:
        whole = answer.requests[0].listed or len(rows) != 1
        return [b"[%b]" % b",".join(rows) if whole else rows[0]]
    found = []
    for place, request in enumerate(answer.requests):
        own = rows[answer.bounds[place] : answer.bounds[place + 1]]
        found.append(b"[%b]" % b",".join(own) if request.listed else own[0])
    return found


def rows_of_json(array: Array) -> list[bytes]:
    """JSON of each row of an output. NaN and infinity are null; narrow floats keep their shortest text."""
    if array.dtype.kind in "biuf" and len(array) and array.ndim <= 2 and array.size:
        text = orjson.dumps(np.ascontiguousarray(array), option=_NUMPY)
        if array.ndim == 1:
            return text[1:-1].split(b",")
        return [b"[%b]" % row for row in text[2:-2].split(b"],[")]
    if array.dtype.kind in "biuf":
        return [orjson.dumps(np.ascontiguousarray(row), option=_NUMPY) for row in array]
    known: dict[Any, bytes] = {}
    return [_cell(value, known) for value in array.tolist()]


def _cell(value: Any, known: dict[Any, bytes]) -> bytes:
    if type(value) is not str:
        return orjson.dumps(value, option=_NUMPY | orjson.OPT_NON_STR_KEYS)
    text = known.get(value)
    if text is None:
        text = orjson.dumps(value)
        if len(known) < 1000:
            known[value] = text
    return text


def dead_letter(target: str, batch: Batch, index: int, failure: Failure, *, lines: bool) -> Outgoing:
    """The record that could not be predicted, with the reason; as one line of JSON where `lines`."""
    value, key, given = batch.values[index], batch.keys[index], batch.headers[index]
    partition, offset = batch.partitions[index], batch.offsets[index]
    message = failure.message.encode("utf-8", "replace").decode()
    if lines:
        document: dict[str, Any] = {
            "error": message,
            "reason": failure.reason,
            "source": {"stream": batch.stream, "partition": str(partition), "offset": offset},
            **_readable("value", value),
        }
        if key is not None:
            document |= _readable("key", key)
        return Outgoing(target, orjson.dumps(document))
    headers = [
        *((name, content) for name, content in given or () if name not in _OWN),
        (ERROR, message.encode()),
        (REASON, failure.reason.encode()),
        (SOURCE_TOPIC, batch.stream.encode()),
        (SOURCE_PARTITION, str(partition).encode()),
        (SOURCE_OFFSET, str(offset).encode()),
    ]
    return Outgoing(target, value, key, headers, batch.timestamps[index])


def without_value(letter: Outgoing) -> Outgoing:
    """A dead letter that is too large for its topic: where the original lies, and how large it is."""
    size = str(len(letter.value or b"")).encode()
    return Outgoing(letter.target, None, letter.key, [*letter.headers, (LEFT_OUT, size)], letter.timestamp)


def _readable(name: str, value: bytes | None) -> Mapping[str, Any]:
    """Bytes as text, or as base64 where they are none."""
    if value is None:
        return {name: None}
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": b64encode(value).decode()}
