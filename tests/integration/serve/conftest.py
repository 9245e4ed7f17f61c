"""Real server processes with real scikit-learn models."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from parts.base import Process, free_port, wait_until


@dataclass
class Running:
    """A server process and its two ports."""

    process: Process
    port: int
    management: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def get(self, path: str, port: int | None = None) -> tuple[int, Any]:
        """Status and JSON (or text) of a GET; (0, None) where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port or self.port}{path}", timeout=5) as reply:
                return reply.status, _decoded(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decoded(error.read())
        except OSError:
            return 0, None

    def post(self, path: str, body: Any, port: int | None = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}", data=data)
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, _decoded(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decoded(error.read())

    def ready(self) -> bool:
        return self.get("/ready", self.management)[0] == 200

    def settled(self) -> bool:
        """Whether no model is loading any more."""
        status, document = self.get("/moorage/v1/status", self.management)
        return status == 200 and all(model["state"] != "Loading" for model in document["models"])


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()


Serve = Callable[..., Running]


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows, labels = load_iris(return_X_y=True, as_frame=True)
    path = tmp_path_factory.mktemp("models") / "iris.joblib"
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), path)
    return path


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start a server with a config; all are stopped at the end."""
    folder = tmp_path_factory.mktemp("serve")
    with ExitStack() as stack:

        def start(models: list[dict[str, Any]], port: int | None = None, **config: Any) -> Running:
            number = len(list(folder.iterdir()))
            http = {"host": "127.0.0.1", "port": port or free_port(), **config.pop("http", {})}
            management = free_port()
            document = {"models": models, "http": http, "managementPort": management, **config}
            file = folder / f"{number}.json"
            file.write_text(json.dumps(document))
            command = [sys.executable, "-m", "moorage_runtime", "serve", "--config", file]
            process = stack.enter_context(
                Process(command, folder / f"{number}.log", {"PYTHONWARNINGS": "default"})
            )
            running = Running(process, http["port"], management)
            process.wait_until(running.settled, "loading of the models")
            return running

        yield start


def model(path: Path, name: str = "iris", **more: Any) -> dict[str, Any]:
    return {"name": name, "uri": str(path), "framework": "sklearn", **more}


@pytest.fixture(scope="module")
def server(serve: Serve, iris: Path) -> Running:
    """One healthy server for the tests that do it no harm."""
    running = serve([model(iris, version="v3")])
    wait_until(running.ready, "readiness")
    return running
