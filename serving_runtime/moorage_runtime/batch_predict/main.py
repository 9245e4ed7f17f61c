"""The process around a worker: signals, management port, progress, the last words, the exit code."""

import contextlib
import os
import signal
import sys
import threading

from moorage_runtime import termination
from moorage_runtime.batch_predict.fault import BatchFault, Stopped
from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.batch_predict.progress import Progress
from moorage_runtime.batch_predict.state import State
from moorage_runtime.batch_predict.worker import Worker
from moorage_runtime.config import BatchPredictConfig
from moorage_runtime.management import Management
from moorage_runtime.models import LoadError
from moorage_runtime.storage import StorageError

INDEX_ENV = "JOB_COMPLETION_INDEX"
FAILED, STOPPED = 1, 143


def main(config: BatchPredictConfig, limits: Limits | None = None) -> int:
    """Run the worker: 0 its share is done, 1 it failed, 143 it was asked to stop and may be started again."""
    stop = threading.Event()
    with contextlib.suppress(ValueError):  # only the main thread may listen
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        index = _index(config)
    except ValueError as error:
        sys.stderr.write(f"moorage-runtime batch: {error}\n")
        return FAILED
    state = State(config, index)
    code = FAILED
    try:
        with _management(config, state), Progress(state):
            text = Worker(config, index, state, stop, limits or Limits()).run()
        state.end("Finished", text)
        sys.stderr.write(f"{text}\n")
        code = 0
    except Stopped:
        state.end("Failed", "stopped by a signal; what is done is kept")
        code = STOPPED
    except (BatchFault, LoadError, StorageError, OSError) as error:
        state.end("Failed", str(error))
        sys.stderr.write(f"moorage-runtime batch: {error}\n")
    try:
        termination.write(state.last_words())
    except OSError as error:
        sys.stderr.write(f"the termination log cannot be written: {error}\n")
    return code


def _index(config: BatchPredictConfig) -> int:
    said = os.environ.get(INDEX_ENV) or "0"
    if not said.isdecimal() or int(said) >= config.parallelism:
        raise ValueError(f"{INDEX_ENV}={said}: a number below {config.parallelism} is needed")
    return int(said)


def _management(config: BatchPredictConfig, state: State) -> contextlib.AbstractContextManager[object]:
    if config.management_port is None:
        return contextlib.nullcontext()
    return Management(
        config.host,
        config.management_port,
        unready=lambda: None,
        status=state.status,
        registry=state.registry(),
    )
