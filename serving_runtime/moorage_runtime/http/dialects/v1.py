"""KServe's V1: `{"instances": [...]}` in, `{"predictions": [...]}` out."""

from typing import Any

import orjson

from moorage_runtime.http.batcher import Answers, Job
from moorage_runtime.http.dialects.body import kind_of, parse_object
from moorage_runtime.http.exchange import Exchange
from moorage_runtime.http.replies import HttpError, to_json
from moorage_runtime.http.served import Served, new_request_id
from moorage_runtime.models.base import InputError, Inputs
from moorage_runtime.models.signature import arrange, rows_of


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


def one_row_or_many(rows: Any, features: int) -> Any:
    """MLRun's short form of one row, a flat list of its values, as a list of one row."""
    if isinstance(rows, list) and rows and not isinstance(rows[0], list | dict) and features != 1:
        return [rows]
    return rows


class Predict:
    """`POST /v1/models/NAME:predict`."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def __call__(self, exchange: Exchange) -> None:
        """Submit."""
        served = self._served
        served.admit()
        model = served.model
        inputs: Inputs = arrange(instances(parse_object(exchange.body)), model.signature)
        ident = exchange.request_id or new_request_id()
        served.submit(PredictJob(exchange, inputs, rows_of(inputs), model.default_outputs, ident, "predict"))


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
        body = parse_object(exchange.body)
        instances(body)

        def done(result: Any) -> None:
            document = result if isinstance(result, dict) else {"predictions": [], "explanations": result}
            exchange.answer(200, to_json(document))

        served.operate(exchange, "explain", body, done)


def listing(served: list[Served]) -> bytes:
    """`GET /v1/models`."""
    return orjson.dumps({"models": [each.name for each in served]})


def readiness(served: Served) -> tuple[int, bytes]:
    """`GET /v1/models/NAME`."""
    if served.unready:
        return 503, orjson.dumps({"error": served.unready})
    return 200, orjson.dumps({"name": served.name, "ready": True})
