"""The events that MLRun's model servers push to INFERENCE_STREAM: one message per request.

`mlrun-v1` as its V1 servers write it, `mlrun-v2` as its V2 servers do up to 1.7. Differences, all documented in
docs/capture-event.md: `microsec` is the whole latency (theirs is the part below a second), times are UTC, numbers
that JSON lacks are null, V1 requests carry their `id`, and answers that are several arrays give the first.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from moorage_runtime.capture.event import Event, Source
from moorage_runtime.capture.formats import times
from moorage_runtime.capture.formats.values import array_json, dumps
from moorage_runtime.models.base import Inputs
from moorage_runtime.streams import Message


class MlrunEncoder:
    """Fills the few changing values into the text that a source's events share."""

    def __init__(self, version: Literal["mlrun-v1", "mlrun-v2"]) -> None:
        self._encode = _v1 if version == "mlrun-v1" else _v2
        self._static = _static_v1 if version == "mlrun-v1" else _static_v2
        self._known: dict[int, tuple[Source, bytes, bytes]] = {}

    def __call__(self, events: Sequence[Event]) -> list[Message]:
        messages = []
        for event in events:
            source = event.source
            known = self._known.get(id(source))
            if known is None:
                if len(self._known) > 1000:
                    self._known.clear()
                # the source is kept with its id, so that no other object can take the id over
                known = self._known[id(source)] = (source, *self._static(source))
            _, head, key = known
            messages.append(Message(head + self._encode(event), key))
        return messages


def _key(source: Source) -> bytes:
    """As MLRun keys by endpoint: all events of a model keep their order."""
    return f"{source.namespace}/{source.serving}/{source.model}".encode()


def _static_v1(source: Source) -> tuple[bytes, bytes]:
    head = {
        "class": source.class_name,
        "worker": 0,
        "model": source.model,
        "host": source.host,
        "labels": {"framework": source.framework},
    }
    return dumps(head)[:-1], _key(source)


def _static_v2(source: Source) -> tuple[bytes, bytes]:
    head = {
        "class": source.class_name,
        "worker": 0,
        "model": source.model,
        "version": source.version or "",
        "host": source.host,
        "function_uri": f"{source.namespace}/{source.serving}",
        "labels": {"framework": source.framework},
    }
    return dumps(head)[:-1], _key(source)


def _v1(event: Event) -> bytes:
    return b',"op":%b,"request":{"id":%b,"instances":%b},"resp":%b,"when":"%b","microsec":%d}' % (
        dumps(event.operation),
        dumps(event.request_id),
        _rows(event, named=True),
        _answer(event),
        times.text(event.received).encode(),
        event.latency // 1000,
    )


def _v2(event: Event) -> bytes:
    identity = dumps(event.request_id)
    version = dumps(event.source.version or "")
    return (
        b',"request":{"id":%b,"inputs":%b},"op":%b,"resp":{"id":%b,"model_name":%b,"outputs":%b,'
        b'"timestamp":"%b+00:00","model_version":%b},"when":"%b+00:00","microsec":%d,"metrics":{}}'
        % (
            identity,
            _rows(event, named=False),
            dumps(event.operation),
            identity,
            dumps(event.source.model),
            _answer(event),
            times.text(event.received + event.latency).encode(),
            version,
            times.text(event.received).encode(),
            event.latency // 1000,
        )
    )


def _answer(event: Event) -> bytes:
    return array_json(next(iter(event.outputs.values()))) if event.outputs else b"[]"


def _rows(event: Event, *, named: bool) -> bytes:
    """Rows as the model took them: vectors, or, `named`, objects where it takes named columns."""
    inputs: Inputs = event.inputs
    if isinstance(inputs, np.ndarray):
        return array_json(inputs)
    columns = [array.tolist() for array in inputs.values()]
    if named:
        return dumps([dict(zip(inputs, row, strict=True)) for row in zip(*columns, strict=True)])
    return dumps(list(zip(*columns, strict=True)))
