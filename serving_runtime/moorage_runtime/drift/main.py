"""The process around a drift worker: signals, the management port, the exit code."""

import contextlib
import gc
import logging
import signal
import sys
import threading

from moorage_runtime.config import DriftConfig
from moorage_runtime.drift.worker.loop import Worker
from moorage_runtime.drift.worker.metrics import registry
from moorage_runtime.drift.worker.parts import Timing
from moorage_runtime.management import Management
from moorage_runtime.storage import StorageError
from moorage_runtime.storage.uri import resolve
from moorage_runtime.streams import StreamError, kafka_address, stream_path

USAGE = 2
OBJECTS = 50_000
"""Objects made and not freed that let Python look for cycles: a poll brings as many messages as that, none in one."""


def main(config: DriftConfig, timing: Timing | None = None) -> int:
    """Run until SIGTERM; 0, or 1 where another worker has taken over, 2 where the config cannot be used."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    try:
        _check(config)
        worker = Worker(config, stop, timing)
    except (ValueError, StreamError, StorageError) as error:
        sys.stderr.write(f"moorage-runtime: {error}\n")
        return USAGE
    with contextlib.suppress(ValueError):  # only the main thread may listen
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    with contextlib.ExitStack() as stack:
        if config.management_port is not None:
            try:
                stack.enter_context(
                    Management(
                        config.host,
                        config.management_port,
                        unready=lambda: _unready(worker),
                        status=worker.status,
                        registry=registry(worker.view),
                    )
                )
            except OSError as error:
                sys.stderr.write(f"moorage-runtime: port {config.management_port}: {error.strerror}\n")
                return USAGE
        gc.collect()
        gc.freeze()  # else modules are searched for garbage over and over while messages come and go
        gc.set_threshold(OBJECTS)
        return worker.run()


def _check(config: DriftConfig) -> None:
    """Addresses that can never work are told at once."""
    if (config.reference.uri is None) == (config.reference.first_rows is None):
        raise ValueError("reference: exactly one of uri and firstRows is needed")
    if (config.window.rows is None) == (config.window.seconds is None):
        raise ValueError("window: exactly one of rows and seconds is needed")
    streams = [config.stream]
    if config.concept_drift is not None:
        streams.append(config.concept_drift.labels.stream)
    for stream in streams:
        if kafka_address(stream.uri) is None:
            stream_path(stream.uri)
    for uri in (config.checkpoint_uri, config.reference.uri):
        if uri is not None:
            resolve(uri)


def _unready(worker: Worker) -> str | None:
    status = worker.view().status
    return None if status.ready else status.error or "not consuming yet"
