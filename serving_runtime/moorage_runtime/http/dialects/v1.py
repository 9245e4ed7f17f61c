"""KServe's V1: `{"instances": [...]}` in, `{"predictions": [...]}` out."""

from base64 import b64decode
from typing import Any

import orjson

from moorage_runtime.http.batcher import Answers, Job
from moorage_runtime.http.dialects.body import parse, parse_object
from moorage_runtime.http.exchange import Exchange
from moorage_runtime.http.replies import HttpError, to_json
from moorage_runtime.http.served import Served, new_request_id
from moorage_runtime.models.base import InputError, Inputs
from moorage_runtime.models.requests import one_row_or_many
from moorage_runtime.models.signature import arrange, rows_of
from moorage_runtime.models.tensors import kind_of


class PredictJob(Job):
    """A V1 predict request."""

    __slots__ = ()

    def finish(self, answers: Answers, start: int, stop: int, now: int) -> None:
        """The predictions; of a model with several default outputs an object a row."""
        names = tuple(answers.arrays)
        if len(names) == 1:
            body = b'{"predictions":%b}' % answers.nested(names[0], start, stop)
        else:
            columns = [answers.arrays[name][start:stop].tolist() for name in names]
            rows = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
            body = to_json({"predictions": rows})
        self.exchange.answer(200, body, extra=id_header(self.request_id), now=now)


def id_header(request_id: str) -> bytes:
    """The request's id for dialects whose reply has no place for it; it came by a header or is our own."""
    return b"x-request-id: %b\r\n" % request_id.encode("latin-1")


def document(exchange: Exchange) -> dict[str, Any]:
    """The body's object, taken out of the CloudEvent where it is a structured one.

    An event in binary mode has its attributes in headers, which say nothing to the model.
    """
    body = parse_object(exchange.body)
    return _event_data(body) if "specversion" in body and "instances" not in body else body


def _event_data(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    if isinstance(encoded := event.get("data_base64"), str):
        try:
            data = parse(b64decode(encoded, validate=True))
        except ValueError:
            raise InputError("data_base64 of the CloudEvent is no base64") from None
    if not isinstance(data, dict):
        raise InputError(f"data of the CloudEvent must be an object, not {kind_of(data)}")
    return data


def instances(body: dict[str, Any]) -> Any:
    """The rows (or columns) of a body."""
    if "data_url" in body:
        raise HttpError(400, "data_url is refused: the server fetches nothing that a client names")
    for key in ("instances", "inputs"):
        if key in body:
            rows = body[key]
            if not isinstance(rows, list) and not (key == "inputs" and isinstance(rows, dict)):
                raise InputError(f"{key} must be a list of rows, not {kind_of(rows)}")
            return rows
    raise HttpError(400, 'the body needs "instances", a list of rows')


class Predict:
    """`POST /v1/models/NAME:predict`."""

    job: type[Job] = PredictJob
    short = False
    """Whether one row may be a flat list, and only one output has room in the reply."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def __call__(self, exchange: Exchange) -> None:
        """Submit."""
        served = self._served
        served.admit()
        model = served.model
        rows, outputs = instances(document(exchange)), model.default_outputs
        if self.short:
            rows, outputs = one_row_or_many(rows, len(model.signature.features)), outputs[:1]
        inputs: Inputs = arrange(rows, model.signature)
        ident = exchange.request_id or new_request_id()
        served.submit(self.job(exchange, inputs, rows_of(inputs), outputs, ident, "predict"))


class Explain:
    """`POST /v1/models/NAME:explain`, where the model's class has an explain."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def __call__(self, exchange: Exchange) -> None:
        """Run it; an object is the reply as it is, anything else is the explanations."""
        served = self._served
        served.admit()
        if "explain" not in served.model.operations:
            raise HttpError(501, f"model {served.name} has no explain")
        body = document(exchange)
        instances(body)

        def done(result: Any) -> None:
            reply = result if isinstance(result, dict) else {"predictions": [], "explanations": result}
            exchange.answer(200, to_json(reply))

        served.operate(exchange, "explain", body, done)


def listing(served: list[Served]) -> bytes:
    """`GET /v1/models`."""
    return orjson.dumps({"models": [each.name for each in served]})


def readiness(served: Served) -> tuple[int, bytes]:
    """`GET /v1/models/NAME`."""
    if served.unready:
        return 503, orjson.dumps({"error": served.unready})
    return 200, orjson.dumps({"name": served.name, "ready": True})
