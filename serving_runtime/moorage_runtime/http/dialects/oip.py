"""The Open Inference Protocol V2 over REST: requests and replies of infer, and the documents around it."""

from typing import Any

import numpy as np
import orjson

from moorage_runtime.config import ModelState
from moorage_runtime.http.batcher import Answers, Job
from moorage_runtime.http.dialects import oip_binary
from moorage_runtime.http.dialects.body import request_id
from moorage_runtime.http.exchange import Exchange
from moorage_runtime.http.replies import OCTETS, HttpError, to_json
from moorage_runtime.http.served import Served, new_request_id
from moorage_runtime.models.base import Array, InputError, Inputs, Signature
from moorage_runtime.models.requests import arrange_tensors, arrays_of, wanted
from moorage_runtime.models.signature import rows_of
from moorage_runtime.models.tensors import from_json, metadata
from moorage_runtime.models.types import oip_name


class InferJob(Job):
    """An infer request; `binary` are the outputs that travel raw, `head` the start of the model's replies."""

    __slots__ = ("binary", "head")

    binary: frozenset[str]
    head: bytes

    def finish(self, answers: Answers, start: int, stop: int, now: int) -> None:
        """`{"model_name", "model_version", "id", "outputs"}`; with raw outputs behind it."""
        parts: list[bytes] = []
        raw: list[bytes] = []
        for name in self.outputs or tuple(answers.arrays):
            array = answers.arrays[name]
            described = _described(name, stop - start, array)
            if name in self.binary:
                raw.append(oip_binary.encode(array[start:stop]))
                parts.append(b'%b"parameters":{"binary_data_size":%d}}' % (described, len(raw[-1])))
            else:
                parts.append(b'%b"data":%b}' % (described, answers.flat(name, start, stop)))
        body = b'%b"id":%b,"outputs":[%b]}' % (
            self.head,
            orjson.dumps(self.request_id),
            b",".join(parts),
        )
        if self.binary:
            extra = b"inference-header-content-length: %d\r\n" % len(body)
            self.exchange.answer(200, body + b"".join(raw), OCTETS, extra, now)
        else:
            self.exchange.answer(200, body, now=now)


_HEADS: dict[tuple[str, int, tuple[int, ...], np.dtype[Any]], bytes] = {}


def _described(name: str, rows: int, array: Array) -> bytes:
    """An output up to its data; those of few rows are kept, as they come again and again."""
    key = (name, rows, array.shape[1:], array.dtype)
    text = _HEADS.get(key)
    if text is None:
        head = {"name": name, "shape": [rows, *array.shape[1:]], "datatype": oip_name(array.dtype)}
        text = orjson.dumps(head)[:-1] + b","
        if rows <= 16 and len(_HEADS) < 4096:
            _HEADS[key] = text
    return text


class Infer:
    """The OIP half of `/v2/models/NAME/infer`."""

    def __init__(self, served: Served) -> None:
        self._served = served
        names = {"model_name": served.name}
        if served.version:
            names["model_version"] = served.version
        self._head = orjson.dumps(names)[:-1] + b","

    def __call__(self, exchange: Exchange, body: dict[str, Any], raw: memoryview | None) -> None:
        """Submit a request whose JSON is parsed; `raw` is what follows the JSON."""
        served = self._served
        signature = served.model.signature
        inputs = _inputs(body.get("inputs"), raw, signature)
        outputs, binary = _outputs(body, served)
        self._submit(exchange, inputs, outputs, binary, request_id(body, exchange))

    def raw(self, exchange: Exchange, tensor: memoryview) -> None:
        """Submit a body that is one raw tensor; the outputs come back raw, too."""
        served = self._served
        inputs = oip_binary.raw_request(tensor, served.model.signature)
        outputs = served.model.default_outputs
        self._submit(exchange, inputs, outputs, frozenset(outputs), exchange.request_id or new_request_id())

    def _submit(
        self, exchange: Exchange, inputs: Inputs, outputs: tuple[str, ...], binary: frozenset[str], ident: str
    ) -> None:
        rows = rows_of(inputs)
        if not rows:
            raise InputError("there are no rows to predict")
        job = InferJob(exchange, inputs, rows, outputs, ident, "infer")
        job.binary = binary
        job.head = self._head
        self._served.submit(job)


def _inputs(tensors: Any, raw: memoryview | None, signature: Signature) -> Inputs:
    position = 0

    def data(tensor: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> Array:
        nonlocal position
        parameters = tensor.get("parameters")
        size = oip_binary.binary_size(parameters, where) if parameters is not None else None
        if size is None:
            return from_json(tensor.get("data"), shape, dtype, where)
        if raw is None or position + size > len(raw):
            raise InputError(f"{where} has {size} bytes, but the body does not hold as many after its JSON")
        position += size
        return oip_binary.decode(raw[position - size : position], shape, dtype, where)

    arrays = arrays_of(tensors, data)
    if raw is not None and position != len(raw):
        raise InputError(f"{len(raw) - position} bytes after the JSON belong to no input")
    return arrange_tensors(arrays, signature)


def _outputs(body: dict[str, Any], served: Served) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of the outputs to compute, and those of them to send raw."""
    parameters = body.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise InputError("parameters must be an object")
    all_raw = bool(parameters and parameters.get("binary_data_output"))
    requested = body.get("outputs")
    if not requested:
        if requested is not None and requested != []:
            raise InputError("outputs must be a list")
        outputs = served.model.default_outputs
        return outputs, frozenset(outputs) if all_raw else frozenset()
    if not isinstance(requested, list):
        raise InputError("outputs must be a list")
    names: list[str] = []
    raw: set[str] = set()
    for number, output in enumerate(requested):
        name = output.get("name") if isinstance(output, dict) else None
        if not isinstance(name, str):
            raise InputError(f"outputs[{number}] must be an object with the output's name")
        own = output.get("parameters")
        if own is not None and not isinstance(own, dict):
            raise InputError(f"outputs[{number}].parameters must be an object")
        names.append(name)
        if (own or {}).get("binary_data", all_raw):
            raw.add(name)
    return wanted(names, served.model.signature, served.name), frozenset(raw)


def describe(served: Served) -> bytes:
    """The metadata reply; 503 with the reason while there is no model to describe."""
    if served.state is not ModelState.READY:
        raise HttpError(503, served.unready or "")
    inputs, outputs = metadata(served.model.signature)
    document: dict[str, Any] = {"name": served.name}
    if served.version:
        document["versions"] = [served.version]
    document |= {"platform": served.model.predictor, "inputs": inputs, "outputs": outputs}
    if served.source is not None:
        document["parameters"] = {"digest": served.source.digest, "revision": served.source.revision}
    return to_json(document)


def index_entry(served: Served) -> dict[str, str]:
    """A model in the repository index."""
    states = {
        ModelState.READY: "READY",
        ModelState.LOADING: "LOADING",
        ModelState.FAILED: "UNAVAILABLE",
    }
    entry = {"name": served.name, "state": states[served.state], "reason": ""}
    if served.version:
        entry["version"] = served.version
    if served.state is ModelState.FAILED:
        entry["reason"] = served.unready or ""
    return entry
