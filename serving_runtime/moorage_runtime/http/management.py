"""The management port: probes, metrics and the status document, for the kubelet, Prometheus and the operator.

It is each process's own, open from the start. Predictions are answered here too (the router's second table): where
a pod stays unready because one of its models failed, its siblings can still be asked by name.
"""

from collections.abc import Callable

import orjson

from moorage_runtime.config import STATUS_MAX_BYTES, STATUS_PATH, ServeStatus
from moorage_runtime.http.exchange import Exchange, Meter
from moorage_runtime.http.router import Endpoint, Table


def build(unready: Callable[[], str | None], status: Callable[[], ServeStatus], meter: Meter) -> Table:
    """The paths that only this port has; `unready` says why the pod takes no traffic, or None."""

    def live(exchange: Exchange) -> None:
        exchange.answer(200, b'{"live":true}')

    def ready(exchange: Exchange) -> None:
        reason = unready()
        if reason is None:
            exchange.answer(200, b'{"ready":true}')
        else:
            exchange.answer(503, orjson.dumps({"ready": False, "error": reason}))

    def document(exchange: Exchange) -> None:
        exchange.answer(200, encode(status()))

    return {
        b"/live": Endpoint({b"GET": live}, meter),
        b"/ready": Endpoint({b"GET": ready}, meter),
        STATUS_PATH.encode(): Endpoint({b"GET": document}, meter),
    }


def encode(status: ServeStatus) -> bytes:
    """The status as JSON within its bound: where it is too long, the models' messages are shortened."""
    document = status.model_dump_json(by_alias=True, exclude_none=True).encode()
    room = 512
    while len(document) > STATUS_MAX_BYTES and room:
        room //= 2
        models = [
            model.model_copy(update={"message": model.message[:room] if model.message else None})
            for model in status.models
        ]
        document = (
            status.model_copy(update={"models": models})
            .model_dump_json(by_alias=True, exclude_none=True)
            .encode()
        )
    return document
