"""Entry of the role: checks the config, opens the management port, runs the worker until SIGTERM."""

import json
import signal
import sys
import threading
from contextlib import ExitStack

from moorage_runtime.config import StreamPredictConfig
from moorage_runtime.management import Management
from moorage_runtime.models.threads import limit_threads
from moorage_runtime.stream_predict.build import BadStreamsError, plan
from moorage_runtime.stream_predict.worker import Worker
from moorage_runtime.streams.base import StreamError


def main(config: StreamPredictConfig) -> int:
    """Predict until SIGTERM or SIGINT; 0 after the drain, 1 where a stream or port cannot be opened, 2 for the
    configuration.
    """
    limit_threads()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        worker = Worker(config, plan(config), stop, say)
        with ExitStack() as closing:
            if config.management_port is not None:
                management = Management(
                    config.host,
                    config.management_port,
                    unready=lambda: worker.unready,
                    status=worker.status,
                    registry=worker.metrics.registry,
                )
                closing.enter_context(management)
                say("starting", models=[each.name for each in config.models], managementPort=management.port)
            return worker.run()
    except BadStreamsError as error:
        return _refuse(str(error), 2)
    except StreamError as error:
        return _refuse(str(error), 1)
    except OSError as error:
        return _refuse(f"management port {config.management_port}: {error.strerror}", 1)


def say(message: str, **fields: object) -> None:
    """One line of JSON for whoever reads the log."""
    known = {name: value for name, value in fields.items() if value is not None}
    print(json.dumps({"message": message, **known}), flush=True)  # noqa: T201 - a pod's output is its log


def _refuse(message: str, code: int) -> int:
    print(f"moorage-runtime: {message}", file=sys.stderr)  # noqa: T201
    return code
