"""An application without sockets: real connections, routes and batchers on a transport that records."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import Any

import numpy as np
import orjson
import pytest

from moorage_runtime.capture.source import Identity
from moorage_runtime.config import ModelConfig
from moorage_runtime.http import routes
from moorage_runtime.http.exchange import Gate
from moorage_runtime.http.limits import Limits, Sweeper
from moorage_runtime.http.metrics import Metrics
from moorage_runtime.http.protocol import Connection
from moorage_runtime.http.router import Router
from moorage_runtime.http.served import Served
from moorage_runtime.models import Loaded
from moorage_runtime.models.base import InputError, LoadError, Signature, Tensor

FLOAT, INT, TEXT = np.dtype(np.float64), np.dtype(np.int64), np.dtype(object)


class Sums:
    """Predicts the sum of a row, rounded, and two `predict_proba` columns; refuses what is negative."""

    predictor = "sums"
    default_outputs = ("predict",)

    def __init__(self, *, stackable: bool = True, names: tuple[str, ...] = ("a", "b", "c", "d")) -> None:
        self.stackable = stackable
        self.operations: Mapping[str, Any] = {}
        self.calls: list[int] = []
        self.signature = Signature(
            tuple(Tensor(name, FLOAT) for name in names),
            (Tensor("predict", INT), Tensor("predict_proba", FLOAT, (2,))),
        )

    def predict(self, inputs: Any, outputs: tuple[str, ...]) -> dict[str, Any]:
        self.calls.append(len(inputs))
        if (inputs < 0).any():
            raise InputError("negative values are refused")
        if (inputs == 666).any():
            raise RuntimeError("boom")
        sums = inputs.sum(axis=1)
        known = {
            "predict": np.rint(sums).astype(np.int64),
            "predict_proba": np.stack([sums, 1 - sums], axis=1),
        }
        return {name: known[name] for name in outputs}


class Mixed:
    """Takes a number and a string by column, answers a string."""

    predictor = "mixed"
    stackable = True
    default_outputs = ("predict",)
    operations: Mapping[str, Any] = {}
    signature = Signature((Tensor("age", FLOAT), Tensor("city", TEXT)), (Tensor("predict", TEXT),), None)

    def predict(self, inputs: Any, outputs: tuple[str, ...]) -> dict[str, Any]:
        texts = [f"{c}:{a:g}" for a, c in zip(inputs["age"], inputs["city"], strict=True)]
        return {"predict": np.array(texts, dtype=object)}


class Recording:
    """Keeps what capture would get."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, list[Any], int]] = []
        self.ticks = 0

    def record(self, job: Any, outputs: dict[str, Any], latency: int) -> None:
        self.events.append((job.request_id, job.operation, outputs["predict"].tolist(), latency))

    def tick(self) -> None:
        self.ticks += 1


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = self.aborted = self.ended = False
        self.reading = True

    def write(self, data: Any) -> None:
        assert not self.closed
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True


@dataclass
class Reply:
    """One reply, parsed."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def replies(data: bytes) -> list[Reply]:
    """All replies of a connection's output; the interim ones have no body."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        length = int(headers.get("content-length", 0))
        found.append(Reply(int(first.split()[1]), headers, data[:length]))
        data = data[length:]
    return found


def request(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
    """A request as bytes; a body that is no bytes is written as JSON."""
    data = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    lines = {"Host": "test", **({"Content-Length": str(len(data))} if data else {}), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data


@dataclass
class App:
    """Models in every state behind one router."""

    models: dict[str, Served]
    router: Router
    gate: Gate
    limits: Limits
    sweeper: Sweeper[Connection]
    metrics: Metrics
    recording: Recording
    sums: Sums

    @staticmethod
    def request(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
        return request(method, path, body, headers)

    @staticmethod
    async def settle(connection: Connection) -> None:
        await settle(connection)

    @staticmethod
    def replies(wire: Wire) -> list[Reply]:
        return replies(wire.sent)

    def connect(self, **limits: int) -> tuple[Connection, Wire]:
        connection = Connection(self.router, self.gate, replace(self.limits, **limits), self.sweeper)
        wire = Wire()
        connection.connection_made(wire)
        return connection, wire

    async def send(self, data: bytes, **limits: int) -> tuple[list[Reply], Wire]:
        """Send bytes on a new connection and wait until every request of them is answered."""
        connection, wire = self.connect(**limits)
        connection.data_received(data)
        await settle(connection)
        return replies(wire.sent), wire

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request, one reply."""
        found, _ = await self.send(request(method, path, body, headers))
        assert len(found) == 1
        return found[0]


async def settle(connection: Connection) -> None:
    """Wait until nothing of the connection is unanswered."""
    async with asyncio.timeout(10):
        while connection.queue:
            await asyncio.sleep(0)


@pytest.fixture
async def app() -> App:
    loop = asyncio.get_running_loop()
    gate, limits, sums, recording = Gate(), Limits(), Sums(), Recording()
    metrics = Metrics(gate, lambda: [each.status() for each in models.values()], lambda: None)
    user = Sums(stackable=False)
    user.operations = {
        "explain": lambda body: {"why": body["instances" if "instances" in body else "inputs"]},
        "shout": lambda body: "LOUD",
    }
    loaded = {"iris": sums, "mixed": Mixed(), "user": user, "one": Sums(names=("x",))}
    models = {
        name: Served(
            ModelConfig(
                name=name, uri="file:///m", framework="sklearn", version="v3" if name == "iris" else None
            ),
            gate,
            limits,
            metrics,
        )
        for name in (*loaded, "broken", "loading")
    }
    table = routes.build(models.values(), metrics, lambda: True)
    for name, model in loaded.items():
        models[name].succeed(
            Loaded(model, "d" * 64, "sklearn", type(model).__name__, 0.1, 0.0001),  # type: ignore[arg-type]
            Identity("default", "test", "r1", "host"),
            loop,
            lambda _: recording,
        )
        routes.add_operations(table, models[name], metrics)
    models["broken"].fail(LoadError("no such file: /m"))
    router = Router((table,), routes.not_found(models.values()), metrics.route("", "server"))
    return App(models, router, gate, limits, Sweeper(loop, perf_counter_ns), metrics, recording, sums)
