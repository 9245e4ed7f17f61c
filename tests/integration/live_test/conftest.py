"""A small server of the Open Inference Protocol whose faults a test chooses, and the tester run against it."""

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from moorage_runtime.config import TERMINATION_LOG_ENV, DatasetConfig, TestConfig, TestStatus
from moorage_runtime.live_test import main
from moorage_runtime.live_test.limits import Limits
from moorage_runtime.streams import Message, Writer

DIGEST = "ab" * 32
LIMITS = Limits(patience=0.5, request=5.0, capture=2.0)
FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


class RefusedError(Exception):
    """A bad request, answered by `{"error": …}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Oip:
    """Strict where the protocol is, except for what a test has broken. Counts what it was asked."""

    predict: Any
    probabilities: Any = None
    digest: str | None = DIGEST
    digest_later: str | None = None
    """The digest once a record was predicted: a model exchanged during the run."""
    delay: float = 0.0
    lenient: bool = False
    """Answers 200 to whatever it is sent."""
    plain_errors: bool = False
    dies_of_nan: bool = False
    ready: bool = True
    status: int = 200
    """Of inference replies."""
    metadata: bool = True
    token: str | None = None
    writer: Writer | None = None
    """Where requests are captured to, in MLRun's format."""
    copies: Any = None
    """How many events the request with this id becomes."""
    ids: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    dead: bool = False
    url: str = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v2/models/{name}/ready", self._answer(self._ready))
        app.router.add_get("/v2/models/{name}", self._answer(self._metadata))
        app.router.add_get("/v2/models", self._answer(self._models))
        app.router.add_post("/v2/models/{name}/infer", self._answer(self._infer))
        return app

    def _answer(self, handler):
        async def handle(request: web.Request) -> web.Response:
            try:
                self._admit(request)
                return web.json_response(await handler(request))
            except RefusedError as error:
                if self.plain_errors:
                    return web.Response(status=error.status, text=str(error))
                return web.json_response({"error": str(error)}, status=error.status)

        return handle

    def _admit(self, request: web.Request) -> None:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            raise RefusedError(401, "who are you?")

    async def _models(self, request: web.Request) -> dict[str, Any]:
        return {"models": ["iris"]}

    async def _ready(self, request: web.Request) -> dict[str, Any]:
        self._known(request)
        if not self.ready:
            raise RefusedError(503, "model iris could not be loaded: DigestMismatch")
        return {"name": "iris", "ready": True}

    async def _metadata(self, request: web.Request) -> dict[str, Any]:
        self._known(request)
        if not self.metadata:
            raise RefusedError(404, "no metadata here")
        outputs = [{"name": "predict", "datatype": "INT64", "shape": [-1]}]
        if self.probabilities is not None:
            outputs.append({"name": "predict_proba", "datatype": "FP64", "shape": [-1, 3]})
        digest = self.digest_later if self.digest_later and self.ids else self.digest
        return {
            "name": "iris",
            "versions": ["v3"],
            "platform": "sklearn",
            "inputs": [{"name": name, "datatype": "FP64", "shape": [-1]} for name in FEATURES],
            "outputs": outputs,
            "parameters": {"digest": digest, "revision": "r1"},
        }

    async def _infer(self, request: web.Request) -> dict[str, Any]:
        if self.dead:
            raise RefusedError(500, "still dead")
        self._known(request)
        raw = await request.read()
        try:
            body = json.loads(raw, parse_constant=self._constant)
            matrix = self._matrix(body)
        except RefusedError as error:
            if not self.lenient or error.status != 400:
                raise
            body, matrix = {"id": "?"}, np.zeros((1, 4))
        except ValueError as error:
            if not self.lenient:
                raise RefusedError(400, f"no JSON: {error}") from error
            body, matrix = {"id": "?"}, np.zeros((1, 4))
        self.ids.append(body["id"])
        self.bodies.append(body)
        await asyncio.sleep(self.delay)
        if self.status != 200:
            raise RefusedError(self.status, "as the test wants it")
        data = np.asarray(self.predict(matrix))
        self._capture(body["id"], matrix.tolist(), data.tolist())
        outputs = [{"name": "predict", "shape": [len(data)], "datatype": "INT64", "data": data.tolist()}]
        if any(output["name"] == "predict_proba" for output in body.get("outputs", [])):
            scores = self.probabilities(matrix)
            outputs.append(
                {
                    "name": "predict_proba",
                    "shape": list(scores.shape),
                    "datatype": "FP64",
                    "data": scores.ravel().tolist(),
                }
            )
        return {"model_name": "iris", "id": body["id"], "outputs": outputs}

    def _capture(self, request_id: str, rows: list[Any], answers: list[Any]) -> None:
        if self.writer is None:
            return
        event = {
            "class": "M",
            "worker": 0,
            "model": "iris",
            "host": "h",
            "function_uri": "p/f",
            "op": "infer",
            "request": {"id": request_id, "inputs": rows},
            "resp": {"id": request_id, "model_name": "iris", "outputs": answers},
            "when": "2026-01-01 00:00:00.000000+00:00",
            "microsec": 1,
        }
        copies = self.copies(request_id) if self.copies else 1
        self.writer.write([Message(json.dumps(event).encode())] * copies)

    def _constant(self, text: str) -> float:
        if self.dies_of_nan:
            self.dead = True
        if not self.lenient:
            raise RefusedError(400, f"{text} is no JSON")
        return 0.0

    def _known(self, request: web.Request) -> None:
        if request.match_info["name"] != "iris":
            raise RefusedError(404, f"model {request.match_info['name']} is unknown")

    def _matrix(self, body: dict[str, Any]) -> np.ndarray:
        inputs = body.get("inputs")
        if not inputs:
            raise RefusedError(400, "inputs is empty")
        for tensor in inputs:
            if int(np.prod(tensor["shape"])) != len(tensor["data"]):
                raise RefusedError(400, f"{tensor['name']}: shape and data differ")
            if any(isinstance(value, str) for value in tensor["data"]):
                raise RefusedError(400, f"{tensor['name']} is not FP64")
        if len(inputs) == 1 and tuple(inputs[0]["shape"])[1:] == (4,):
            return np.array(inputs[0]["data"], np.float64).reshape(-1, 4)
        columns = {tensor["name"]: tensor["data"] for tensor in inputs}
        if set(columns) != set(FEATURES):
            raise RefusedError(400, f"the features are {FEATURES}")
        return np.array([columns[name] for name in FEATURES], np.float64).T


def serve(oip: Oip, stack) -> Oip:
    """Run the server on a thread until the stack is closed."""
    loop = asyncio.new_event_loop()
    started: list[int] = []
    up = threading.Event()

    async def begin() -> web.AppRunner:
        runner = web.AppRunner(oip.app(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
        started.append(runner.addresses[0][1])
        return runner

    def target() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(begin())
        up.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=target)
    thread.start()
    assert up.wait(20)
    oip.url = f"http://127.0.0.1:{started[0]}"

    def stop() -> None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)

    stack.callback(stop)
    return oip


@pytest.fixture(scope="session")
def iris():
    """A fitted pipeline."""
    data = load_iris()
    return LogisticRegression(max_iter=1000).fit(data.data, data.target)


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    """Iris as a CSV file with an extra column that the model does not take."""
    data = load_iris()
    lines = [",".join(["id", *FEATURES, "label"])]
    lines += [
        ",".join([f"flower-{row}", *map(str, values), str(label)])
        for row, (values, label) in enumerate(zip(data.data, data.target, strict=True))
    ]
    path = tmp_path_factory.mktemp("data") / "iris.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def served(iris):
    """Start a server; keyword arguments are its faults."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **faults: serve(Oip(**{"predict": iris.predict, **faults}), stack)


@pytest.fixture
def tested(records, tmp_path, monkeypatch, capfd):
    """Run the tester as its process would; the exit code, the last words and what it printed."""
    log = tmp_path / "termination-log"
    monkeypatch.setenv(TERMINATION_LOG_ENV, str(log))

    def run(url: str, **fields: Any) -> tuple[int, TestStatus, str]:
        dataset = {"uri": str(records), "label_column": "label", "rows": 40, "seed": 7}
        dataset |= fields.pop("dataset", {})
        config = TestConfig(
            **{
                "name": "iris-live",
                "url": url,
                "model": "iris",
                "dataset": DatasetConfig(**dataset),
                **fields,
            }
        )
        code = main(config, LIMITS)
        printed = capfd.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return code, TestStatus.model_validate_json(log.read_bytes()), printed.out

    return run
