"""KServe's two CloudEvents of a request, `…inference.request` and `…inference.response`, under one id.

On Kafka in the binary mode of CloudEvents' Kafka binding (attributes are headers, the value is the payload); where a
stream keeps no headers, in structured mode. KServe logs the bytes that went over the wire; here the payloads are
Open Inference Protocol JSON whatever the client spoke, so that a reader needs to know one dialect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import numpy as np

from moorage_runtime.capture.event import Event, Source
from moorage_runtime.capture.formats import times
from moorage_runtime.capture.formats.values import array_json, dumps
from moorage_runtime.models.base import Array
from moorage_runtime.streams import Message

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"
JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class _Known:
    """What all events of a source share, as headers and as the middle of a structured event."""

    source: Source
    headers: tuple[tuple[str, bytes], ...]
    middle: bytes
    matrix: str
    """Name of the one input tensor of a model that takes a matrix."""
    parameters: bytes
    reply: bytes


class CloudEventsEncoder:
    """Request before response, both keyed by the id: they lie in one partition, in this order."""

    def __init__(self, *, structured: bool) -> None:
        self._message = _structured if structured else _binary
        self._known: dict[int, _Known] = {}

    def __call__(self, events: Sequence[Event]) -> list[Message]:
        messages = []
        for event in events:
            known = self._known.get(id(event.source))
            if known is None:
                if len(self._known) > 1000:
                    self._known.clear()
                # the source is kept with its id, so that no other object can take the id over
                known = self._known[id(event.source)] = _know(event.source)
            request = _request(known, event)
            response = _response(known, event)
            finished = event.received + event.latency
            # the pair counts as one event, with its second half
            messages.append(self._message(known, event, REQUEST, event.received, request, 0))
            messages.append(self._message(known, event, RESPONSE, finished, response, 1))
        return messages


def _binary(known: _Known, event: Event, kind: str, time: int, payload: bytes, events: int) -> Message:
    identity = event.request_id.encode()
    headers = (
        ("ce_id", identity),
        ("ce_type", kind.encode()),
        ("ce_time", times.text(time, "T").encode() + b"Z"),
        ("ce_operation", event.operation.encode()),
        *known.headers,
    )
    if events:
        headers = (*headers, ("ce_latencymicroseconds", b"%d" % (event.latency // 1000)))
    return Message(payload, identity, headers, events)


def _structured(known: _Known, event: Event, kind: str, time: int, payload: bytes, events: int) -> Message:
    latency = b',"latencymicroseconds":"%d"' % (event.latency // 1000) if events else b""
    value = b'{"id":%b,"type":"%b","time":"%bZ","operation":%b%b%b%b}' % (
        dumps(event.request_id),
        kind.encode(),
        times.text(time, "T").encode(),
        dumps(event.operation),
        latency,
        known.middle,
        payload,
    )
    return Message(value, event.request_id.encode(), (), events)


def _know(source: Source) -> _Known:
    path = (source.namespace, "modelservings", source.serving, "models", source.model)
    attributes = {
        "specversion": "1.0",
        "source": "/namespaces/" + "/".join(quote(part) for part in path),
        "inferenceservicename": source.serving,
        "namespace": source.namespace,
        "component": "predictor",
        "endpoint": "default",
        "model": source.model,
        "modelversion": source.version,
        "modeldigest": source.digest,
        "modelframework": source.framework,
        "modelclass": source.class_name,
        "revision": source.revision,
        "host": source.host,
    }
    # CloudEvents knows no empty attribute
    present = {name: value for name, value in attributes.items() if value}
    names = source.features
    version = {"model_version": source.version} if source.version else {}
    return _Known(
        source=source,
        headers=(
            *((f"ce_{name}", value.encode()) for name, value in present.items()),
            ("content-type", JSON),
        ),
        middle=b"," + dumps(present)[1:-1] + b',"datacontenttype":"application/json","data":',
        matrix=names[0] if len(names) == 1 else "input-0",
        parameters=b',"parameters":' + dumps({"names": names}) if len(names) > 1 else b"",
        reply=dumps({"model_name": source.model} | version)[:-1],
    )


def _request(known: _Known, event: Event) -> bytes:
    inputs = event.inputs
    if isinstance(inputs, np.ndarray):
        tensors = _tensor(known.matrix, inputs, known.parameters)
    else:
        tensors = b",".join([_tensor(name, array) for name, array in inputs.items()])
    return b'{"id":%b,"inputs":[%b]}' % (dumps(event.request_id), tensors)


def _response(known: _Known, event: Event) -> bytes:
    tensors = b",".join([_tensor(name, array) for name, array in event.outputs.items()])
    return b'%b,"id":%b,"outputs":[%b]}' % (known.reply, dumps(event.request_id), tensors)


def _tensor(name: str, array: Array, parameters: bytes = b"") -> bytes:
    return b'{"name":%b,"shape":%b,"datatype":"%b"%b,"data":%b}' % (
        dumps(name),
        dumps(array.shape),
        _datatype(array.dtype),
        parameters,
        array_json(array if array.ndim == 1 else array.ravel()),
    )


@lru_cache(maxsize=64)
def _datatype(dtype: np.dtype[Any]) -> bytes:
    """The protocol's name of the type."""
    if dtype.kind == "b":
        return b"BOOL"
    prefix = {"f": "FP", "i": "INT", "u": "UINT"}.get(dtype.kind)
    return f"{prefix}{min(dtype.itemsize * 8, 64)}".encode() if prefix else b"BYTES"
