"""`moorage up` in a process of its own, with a runtime that needs no model."""

import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from moorage_operator.local.apiserver.store import Store
from moorage_operator.plan.conditions import find
from parts import Process, free_port, wait_until

FAKE = Path(__file__).with_name("fake_runtime.py")
FAKE_IMAGES = {"ghcr.io/moorage/runtime-": (sys.executable, str(FAKE))}
_RUN = """
import json, sys
from pathlib import Path
from moorage_operator.local.backoff import Backoff
from moorage_operator.local.foreground import run
from moorage_operator.local.settings import Settings
state, paths, options, images, port = json.loads(sys.argv[1])
settings = Settings(first_port=port, restart=Backoff(first=0.1, most=1.0), probe_period=0.1, status_period=0.2,
                    liveness_period=0.1,
                    **({"images": {key: tuple(words) for key, words in images.items()}} if images else {}))
options = {"kafka": None, "object_store": None, "namespace": None, **options}
sys.exit(run(Path(state), [Path(path) for path in paths], settings=settings, **options))
"""


class Up(Process):
    """A running `moorage up` with its state folder."""

    def __init__(
        self,
        state: Path,
        manifests: list[Path],
        *,
        images=FAKE_IMAGES,
        port: int | None = None,
        env: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.state = state
        self.store = Store(state / "store")
        self.port = port or free_port()
        given = json.dumps([str(state), [str(path) for path in manifests], options, images, self.port])
        super().__init__(
            [sys.executable, "-c", _RUN, given],
            state.with_name(f"{state.name}.{self.port}.out"),
            env={"MOORAGE_LEAK": "no", "AWS_REGION": "here", **(env or {})},
        )

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        return self.store.get(kind, "default", name)

    def condition(self, kind: str, name: str, condition: str) -> tuple[str, str] | None:
        """(status, reason) of a condition of the present generation."""
        obj = self.get(kind, name) or {}
        status = obj.get("status") or {}
        found = find(status, condition)
        if found is None or status.get("observedGeneration") != obj["metadata"]["generation"]:
            return None
        return found["status"], found["reason"]

    def wait_condition(self, kind: str, name: str, condition: str, wanted: tuple[str, str]) -> None:
        self.wait_until(
            lambda: self.condition(kind, name, condition) == wanted, f"{kind} {name} {condition}={wanted}"
        )

    def wait_ready(self, name: str) -> dict[str, Any]:
        """Wait until the ModelServing is ready; what answers."""
        self.wait_condition("ModelServing", name, "Ready", ("True", "Reconciled"))
        return self.ask(name)

    def ask(self, name: str, path: str = "/") -> dict[str, Any]:
        """What the endpoint of the ModelServing answers."""
        url = self.get("ModelServing", name)["status"]["url"]
        with urllib.request.urlopen(f"{url}{path}", timeout=10) as reply:
            return json.load(reply)

    def pods(self) -> list[dict[str, Any]]:
        return self.store.list("Pod", "default")

    def pids(self) -> list[int]:
        """Processes of all pods."""
        notes = (pod["metadata"].get("annotations") or {} for pod in self.pods())
        return [
            int(note["moorage.dev/local-process"]) for note in notes if "moorage.dev/local-process" in note
        ]

    def wait_gone(self, pids: list[int]) -> None:
        """Wait until none of the processes runs any more, whether we still do or not."""
        wait_until(lambda: gone(pids), f"the end of {pids}")

    def says(self, words: str) -> None:
        """Wait until the output has the words: a status is written a moment before it is said."""
        self.wait_until(lambda: words in self.output(), f"the words {words!r}")

    def output(self) -> str:
        return self.log.read_text()


def gone(pids: list[int]) -> bool:
    """Whether none of the processes runs any more."""
    alive = [pid for pid in pids if psutil.pid_exists(pid)]
    return all(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE for pid in alive)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Start `moorage up`; whatever still runs is ended with the test, and by then nothing may be left."""
    started: list[Up] = []

    def start(*manifests: Path, state: Path | None = None, **options: Any) -> Up:
        running = Up(state or tmp_path / "state", list(manifests), **options)
        started.append(running)
        return running

    yield start
    pids = sorted({pid for running in started for pid in running.pids()})
    for running in started:
        running.stop(sig=signal.SIGTERM)
    wait_until(lambda: gone(pids), f"the end of {pids}")


@pytest.fixture
def serving(tmp_path: Path) -> Callable[..., Path]:
    """Write a ModelServing manifest; the same name again is an edit."""

    def write(name: str = "iris", version: str = "v1", extra: str = "", **parameters: Any) -> Path:
        folder = tmp_path / "manifests"
        folder.mkdir(exist_ok=True)
        text = f"""\
apiVersion: moorage.dev/v1alpha1
kind: ModelServing
metadata: {{name: {name}}}
spec:
  models:
    - name: m
      uri: s3://models/iris/v1
      framework: {{name: sklearn}}
      version: {version}
      parameters: {json.dumps(parameters)}
{extra}"""
        path = folder / f"{name}.yaml"
        unfinished = folder / f".{name}.tmp"
        unfinished.write_text(text)
        unfinished.replace(path)
        return folder

    return write
