"""The table of paths: which dialect answers where, for the models of this server."""

from collections.abc import Callable, Iterable
from importlib.metadata import version
from urllib.parse import quote

import orjson

from moorage_runtime.http.dialects import mlrun, oip, oip_binary, v1
from moorage_runtime.http.dialects.body import parse, parse_object
from moorage_runtime.http.exchange import Exchange, Meter
from moorage_runtime.http.metrics import CONTENT_TYPE, Metrics
from moorage_runtime.http.replies import HttpError
from moorage_runtime.http.router import Endpoint, Handler, Table
from moorage_runtime.http.served import Served
from moorage_runtime.models.requests import is_oip

VERSION = version("moorage")
_GET, _POST, _PUT = b"GET", b"POST", b"PUT"
_OPERATIONS_TAKEN = frozenset(("ready", "stats", "versions", "explain", *mlrun.INFER_OPERATIONS))


class V2Infer:
    """`/v2/models/NAME/infer`, which both V2 dialects share; the reply is in the dialect of the request."""

    def __init__(self, served: Served, metrics: Metrics) -> None:
        self._served = served
        self._oip = oip.Infer(served)
        self._mlrun = mlrun.Infer(served, "infer")
        self._mlrun_meter = metrics.route(served.name, "mlrun-v2")

    def __call__(self, exchange: Exchange) -> None:
        """Decide by the body, and submit."""
        self._served.admit()
        length = exchange.headers.get(oip_binary.LENGTH_HEADER)
        if length is not None:
            head, raw = oip_binary.split(exchange.body, length)
            if head:
                self._oip(exchange, parse_object(head), raw)
            else:
                self._oip.raw(exchange, raw)
            return
        body = parse_object(exchange.body)
        if is_oip(body):
            self._oip(exchange, body, None)
        else:
            exchange.text = True
            exchange.meter = self._mlrun_meter
            self._mlrun(exchange, body)


def constant(body: bytes) -> Handler:
    """A handler whose answer never changes."""

    def handle(exchange: Exchange) -> None:
        exchange.answer(200, body)

    return handle


def computed(body: Callable[[], bytes]) -> Handler:
    """A handler that answers 200 with what it computes."""

    def handle(exchange: Exchange) -> None:
        exchange.answer(200, body())

    return handle


def refused(reason: str) -> Handler:
    """What is not there yet: 501 with the reason."""

    def handle(exchange: Exchange) -> None:
        exchange.fail(501, reason)

    return handle


def build(models: Iterable[Served], metrics: Metrics, ready: Callable[[], bool]) -> Table:
    """Every path of the traffic port. Operations of user classes are added by `add_operations` once loaded."""
    served = list(models)
    other = metrics.route("", "server")
    v2 = orjson.dumps({"name": "moorage", "version": VERSION, "extensions": ["binary_tensor_data"]})
    root = orjson.dumps({"status": "alive", "name": "ModelRouter", "version": "v2", "extensions": []})
    table: Table = {}

    def find(model: str, operation: str) -> Handler | None:
        endpoint = table.get(f"/v2/models/{model}/{operation}".encode())
        return endpoint.handlers.get(_POST) if endpoint else None

    def health_ready(exchange: Exchange) -> None:
        state = ready()
        exchange.answer(200 if state else 503, orjson.dumps({"ready": state}))

    def index(exchange: Exchange) -> None:
        body = parse(exchange.body) if exchange.body else {}
        if not isinstance(body, dict):
            raise HttpError(400, "the body must be a JSON object")
        only_ready = body.get("ready") is True
        entries = [oip.index_entry(each) for each in served if not (only_ready and each.unready)]
        exchange.answer(200, orjson.dumps(entries))

    def exposition(exchange: Exchange) -> None:
        exchange.answer(200, metrics.expose(), CONTENT_TYPE)

    table |= {
        b"/": Endpoint({_GET: constant(root), _POST: mlrun.gateway(find)}, other),
        b"/v1/models": Endpoint({_GET: computed(lambda: v1.listing(served))}, other),
        b"/v2": Endpoint({_GET: constant(v2)}, other),
        b"/v2/health/live": Endpoint({_GET: constant(b'{"live":true}')}, other),
        b"/v2/health/ready": Endpoint({_GET: health_ready}, other),
        b"/v2/models": Endpoint(dict.fromkeys((_GET, _POST), computed(lambda: mlrun.listing(served))), other),
        b"/v2/models/stats": Endpoint({_GET: refused(_NO_STATISTICS)}, other),
        b"/v2/repository/index": Endpoint({_POST: index}, other),
        b"/metrics": Endpoint({_GET: exposition}, other),
    }
    for each in served:
        _add_model(table, each, metrics)
    return table


_NO_STATISTICS = "the statistics extension is not provided; GET /metrics has requests, durations and batches"
_NO_REPOSITORY = "models are loaded and unloaded by editing the ModelServing, not by request"


def _add_model(table: Table, served: Served, metrics: Metrics) -> None:
    name = quote(served.name).encode()
    kserve = metrics.route(served.name, "v1")
    rest = metrics.route(served.name, "oip")
    legacy = metrics.route(served.name, "mlrun-v1")
    nuclio = metrics.route(served.name, "mlrun-v2")

    def v1_ready(exchange: Exchange) -> None:
        exchange.answer(*v1.readiness(served))

    def v2_ready(exchange: Exchange) -> None:
        state: dict[str, object] = {"name": served.name, "ready": served.unready is None}
        if served.unready:
            state["error"] = served.unready
        exchange.answer(503 if served.unready else 200, orjson.dumps(state))

    v1_explain = Endpoint({_POST: v1.Explain(served)}, kserve)
    table[b"/v1/models/" + name] = Endpoint({_GET: v1_ready}, kserve)
    table[b"/v1/models/" + name + b":predict"] = Endpoint({_POST: v1.Predict(served)}, kserve)
    table[b"/v1/models/" + name + b":explain"] = v1_explain
    for action in (b"load", b"unload"):
        path = b"/v2/repository/models/" + name + b"/" + action
        table[path] = Endpoint({_POST: refused(_NO_REPOSITORY)}, rest)
    for base in bases(served):
        table[base] = Endpoint({_GET: computed(lambda: oip.describe(served))}, rest)
        table[base + b"/ready"] = Endpoint({_GET: v2_ready}, rest)
        table[base + b"/stats"] = Endpoint({_GET: refused(_NO_STATISTICS)}, rest)
        table[base + b"/infer"] = Endpoint(_both(V2Infer(served, metrics)), rest)
        for operation in mlrun.INFER_OPERATIONS[1:]:
            handler = mlrun.Infer(served, operation).alone
            table[base + b"/" + operation.encode()] = Endpoint(_both(handler), nuclio, text=True)
        explain = mlrun.Operation(served, "explain", bare=False)
        table[base + b"/explain"] = Endpoint(_both(explain), nuclio, text=True)
    table[b"/" + name + b"/predict"] = Endpoint(_both(mlrun.Predict(served)), legacy, text=True)
    table[b"/" + name + b"/explain"] = Endpoint(
        _both(mlrun.Operation(served, "explain", bare=True)), legacy, text=True
    )


def bases(served: Served) -> list[bytes]:
    """V2 paths of a model: without a version, and with its own."""
    plain = b"/v2/models/" + quote(served.name).encode()
    return [plain, plain + b"/versions/" + quote(served.version).encode()] if served.version else [plain]


def add_operations(table: Table, served: Served, metrics: Metrics) -> None:
    """Paths of the `op_*` of a user's class, known only once it is loaded."""
    meter: Meter = metrics.route(served.name, "mlrun-v2")
    for operation in served.model.operations:
        if operation not in _OPERATIONS_TAKEN:
            handler = mlrun.Operation(served, operation, bare=True)
            handlers: dict[bytes, Handler] = {_GET: handler, _POST: handler, _PUT: handler}
            for base in bases(served):
                table[base + b"/" + quote(operation).encode()] = Endpoint(handlers, meter, text=True)


def not_found(models: Iterable[Served]) -> Callable[[bytes], tuple[str, bool]]:
    """What to say of a path that does not exist: which part of it is wrong, in the dialect it looks like."""
    served = {each.name: each for each in models}

    def say(path: bytes) -> tuple[str, bool]:
        parts = path.decode("utf-8", "replace").split("/")[1:]
        text = len(parts) == 2 and parts[1] in ("predict", "explain")
        if text:
            name = parts[0]
        elif parts[:2] == ["v1", "models"] and len(parts) == 3:
            name = parts[2].partition(":")[0]
        elif parts[:2] == ["v2", "models"] and len(parts) > 2:
            name = parts[2]
            text = len(parts) > 3 and parts[-1] in mlrun.INFER_OPERATIONS[1:]
        elif parts[:3] == ["v2", "repository", "models"] and len(parts) > 3:
            name = parts[3]
        else:
            return "there is no such path", False
        model = served.get(name)
        if model is None:
            known = ", ".join(sorted(served)[:10])
            return f"there is no model {name[:63]!r}; this server has {known}", text
        if parts[3:4] == ["versions"] and len(parts) > 4 and parts[4] != model.version:
            return f"model {name} has no version {parts[4][:63]!r}; it has {model.version or 'none'}", text
        return f"model {name} has no such operation", text

    return say


def _both(handler: Handler) -> dict[bytes, Handler]:
    return {_POST: handler, _PUT: handler}
