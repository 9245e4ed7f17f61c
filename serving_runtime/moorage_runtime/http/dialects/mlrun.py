"""MLRun's two dialects: V1 answers the bare value of predict, V2 an object with outputs and timestamp."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from moorage_runtime.http.batcher import Answers, Job
from moorage_runtime.http.dialects import v1
from moorage_runtime.http.dialects.body import parse_object, request_id
from moorage_runtime.http.dialects.v1 import id_header
from moorage_runtime.http.exchange import Exchange
from moorage_runtime.http.replies import TEXT, HttpError, to_json
from moorage_runtime.http.served import Served
from moorage_runtime.models.base import InputError
from moorage_runtime.models.requests import one_row_or_many, wanted
from moorage_runtime.models.signature import arrange, rows_of
from moorage_runtime.models.tensors import kind_of

INFER_OPERATIONS = ("infer", "predict", "infer_dict", "predict_dict")


def _stamp() -> str:
    return datetime.now(UTC).isoformat(sep=" ", timespec="microseconds")


class ValueJob(Job):
    """An MLRun V1 request."""

    __slots__ = ()

    def finish(self, answers: Answers, start: int, stop: int, now: int) -> None:
        """The prediction and nothing around it."""
        body = answers.nested(next(iter(answers.arrays)), start, stop)
        self.exchange.answer(200, body, extra=id_header(self.request_id), now=now)


class OutputsJob(Job):
    """An MLRun V2 request."""

    __slots__ = ("served",)

    served: Served

    def finish(self, answers: Answers, start: int, stop: int, now: int) -> None:
        """`{"id", "model_name", "outputs", "timestamp", "model_version"}`."""
        outputs = orjson.Fragment(answers.nested(next(iter(answers.arrays)), start, stop))
        self.exchange.answer(200, envelope(self.served, self.request_id, outputs), now=now)


def envelope(served: Served, ident: str, outputs: Any) -> bytes:
    """The reply around outputs."""
    document = {"id": ident, "model_name": served.name, "outputs": outputs, "timestamp": _stamp()}
    if served.version:
        document["model_version"] = served.version
    return to_json(document)


class Predict(v1.Predict):
    """`POST|PUT /NAME/predict` of V1."""

    job = ValueJob
    short = True


class Infer:
    """The MLRun half of `/v2/models/NAME/infer`, and its synonyms."""

    def __init__(self, served: Served, operation: str) -> None:
        self._served = served
        self._operation = operation

    def alone(self, exchange: Exchange) -> None:
        """A path that only MLRun has."""
        self._served.admit()
        self(exchange, parse_object(exchange.body))

    def __call__(self, exchange: Exchange, body: dict[str, Any]) -> None:
        """Submit a request whose body is parsed."""
        served = self._served
        model = served.model
        if "data_url" in body:
            raise HttpError(400, "data_url is refused: the server fetches nothing that a client names")
        rows = body.get("inputs")
        if not isinstance(rows, list) or not rows:
            raise InputError(
                f"inputs must be a list of rows, not {kind_of(rows) if rows != [] else 'an empty one'}"
            )
        by_name = self._operation.endswith("_dict")
        if by_name and not isinstance(rows[0], dict):
            raise InputError(f"{self._operation} takes rows as objects by feature name")
        if isinstance(rows[0], dict) and not by_name and rows[0].keys() & {"shape", "datatype", "data"}:
            raise InputError("inputs[0] is no tensor: it needs name, shape and datatype")
        inputs = arrange(one_row_or_many(rows, len(model.signature.features)), model.signature)
        job = OutputsJob(
            exchange,
            inputs,
            rows_of(inputs),
            self._outputs(body),
            request_id(body, exchange),
            "infer" if self._operation.startswith("infer") else "predict",
        )
        job.served = served
        served.submit(job)

    def _outputs(self, body: dict[str, Any]) -> tuple[str, ...]:
        """One output: the reply has no names. An empty list, as MLRun's own clients send it, asks for none."""
        names = body.get("outputs")
        if not names:
            return self._served.model.default_outputs[:1]
        if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
            raise InputError("outputs must be a list with the name of one output")
        return wanted(names, self._served.model.signature, self._served.name)


class Operation:
    """explain, or an op_* of the user's class."""

    def __init__(self, served: Served, operation: str, *, bare: bool) -> None:
        self._served = served
        self._operation = operation
        self._bare = bare

    def __call__(self, exchange: Exchange) -> None:
        """Run it in the model's thread."""
        served, operation = self._served, self._operation
        served.admit()
        if operation not in served.model.operations:
            raise HttpError(501, f"model {served.name} has no {operation}")
        body = parse_object(exchange.body) if exchange.body else {}
        if "data_url" in body:
            raise HttpError(400, "data_url is refused: the server fetches nothing that a client names")
        ident = request_id(body, exchange)

        def done(result: Any) -> None:
            if not self._bare:
                exchange.answer(200, envelope(served, ident, result))
            elif isinstance(result, str):
                exchange.answer(200, result.encode(), TEXT)
            else:
                exchange.answer(200, result if isinstance(result, bytes) else to_json(result))

        served.operate(exchange, operation, body, done)


def gateway(find: Callable[[str, str], Callable[[Exchange], None] | None]) -> Callable[[Exchange], None]:
    """`POST /`: model and operation are named in the body, as in MLRun's stream triggers."""

    def route(exchange: Exchange) -> None:
        exchange.text = True
        body = parse_object(exchange.body)
        model, operation = body.get("model"), body.get("operation", "infer")
        if not isinstance(model, str) or not isinstance(operation, str):
            raise HttpError(400, "the body must name model and operation where the path does not")
        handler = find(model, operation)
        if handler is None:
            raise HttpError(404, f"there is no model {model[:63]!r} with operation {operation[:63]!r}")
        handler(exchange)

    return route


def listing(served: list[Served]) -> bytes:
    """`/v2/models`."""
    names = [f"{each.name}:{each.version}" if each.version else each.name for each in served]
    return orjson.dumps({"models": names})
