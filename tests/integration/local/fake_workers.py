"""Workers that keep the contract of the roles stream, batch and drift without any model, broker or data set.

A batch worker notes each of its runs under the output's folder; the model's parameters say what goes wrong (`fails`:
this index fails the first time; `refuses`: this one ends with exit code 2; `slow`: this one goes on only once the
file `until` exists). A drift worker holds a lock in its checkpoint's folder, and ends where another one has it; it
tells of a drift once the file `detected` is there.
"""

import fcntl
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from moorage_runtime import termination
from moorage_runtime.config import (
    BatchPredictConfig,
    BatchPredictStatus,
    DriftAspect,
    DriftConfig,
    DriftState,
    DriftStatus,
    FeatureStatus,
    ModelState,
    ModelStatus,
    StreamPredictConfig,
    StreamPredictStatus,
    WindowStatus,
)
from moorage_runtime.management import Management

ROWS = 100


def batch(config: BatchPredictConfig) -> None:
    index, faults = int(os.environ["JOB_COMPLETION_INDEX"]), config.model.parameters
    folder = Path(config.output_uri)
    folder.mkdir(parents=True, exist_ok=True)
    notes = folder / f"{index}.runs"
    with notes.open("a") as file:
        file.write(f"{os.getpid()}\n")
    first = len(notes.read_text().splitlines()) == 1
    status = BatchPredictStatus(
        name=config.name,
        namespace=config.namespace,
        revision=config.revision,
        index=index,
        run="run-1",
        state="Predicting",
        rows_total=ROWS * config.parallelism,
        fragments_total=config.parallelism,
        output_uri=config.output_uri,
        started_at=_now(),
    )

    def end(code: int, **news: object) -> None:
        last = status.model_copy(update={**news, "finished_at": _now()})
        termination.write(last.model_dump_json(by_alias=True, exclude_none=True).encode())
        sys.exit(code)

    print(f"index {index} predicts", flush=True)
    with _answering(config, lambda: status):
        if faults.get("refuses") == index:
            end(2, state="Failed", message="the columns do not fit")
        if faults.get("fails") == index and first:
            end(1, state="Failed", message="the disk is full")
        while faults.get("slow") == index and not Path(faults["until"]).exists():
            time.sleep(0.02)
        end(0, state="Finished", rows_done=ROWS, fragments_done=1)


def drift(config: DriftConfig) -> None:
    folder = Path(config.checkpoint_uri)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            (folder / "overlap").touch()
            sys.exit("error: another worker has the checkpoint")

        def status() -> DriftStatus:
            state = DriftState.DETECTED if (folder / "detected").exists() else DriftState.NONE
            return DriftStatus(
                name=config.name,
                namespace=config.namespace,
                revision=config.revision,
                ready=True,
                drift=state,
                data=DriftAspect(state=state, message="petal_length" if state == DriftState.DETECTED else ""),
                features=[FeatureStatus(name="petal_length", value=0.5, p_value=0.001, state=state)],
                last_window=WindowStatus(start=_now(), end=_now(), rows=config.window.rows or 0),
                windows=1,
            )

        with _answering(config, status):
            _until_sigterm()
            time.sleep(0.5)  # a last checkpoint; whoever started meanwhile would find the lock taken


def stream(config: StreamPredictConfig) -> None:
    status = StreamPredictStatus(
        name=config.name,
        namespace=config.namespace,
        revision=config.revision,
        ready=True,
        models=[ModelStatus(name=config.models[0].name, state=ModelState.READY)],
        lag=7,
    )
    print(f"from {config.input.uri} to {config.output.uri}", flush=True)
    with _answering(config, lambda: status):
        _until_sigterm()


def _answering(config, status) -> Management:
    return Management(
        config.host, config.management_port, unready=lambda: None, status=status, registry=CollectorRegistry()
    )


def _until_sigterm() -> None:
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    while not told.wait(0.05):
        pass


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
