"""A runtime that keeps the contract of `moorage-runtime` without any model: the first model's parameters say
what goes wrong (`fails`: it cannot be loaded; `exits`: the process ends at once with that code; `dies`: the
liveness probe fails as soon as the file named so exists; `hangs`: SIGTERM is not heard)."""

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from moorage_runtime.config import (
    STATUS_PATH,
    TERMINATION_LOG_ENV,
    BatchPredictConfig,
    DriftConfig,
    ModelState,
    ModelStatus,
    ServeConfig,
    ServeStatus,
    StreamPredictConfig,
    TestConfig,
    TestStatus,
)


class Shared(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


class Quiet(BaseHTTPRequestHandler):
    def reply(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve(config: ServeConfig) -> None:
    model = config.models[0]
    faults = model.parameters
    if "exits" in faults:
        print(f"error: model {model.name} makes the process end", file=sys.stderr)
        sys.exit(faults["exits"])
    failed = "fails" in faults
    state = ModelStatus(
        name=model.name,
        digest=None if failed else "0" * 64,
        state=ModelState.FAILED if failed else ModelState.READY,
        reason="ModelLoadFailed" if failed else None,
        message="it is broken" if failed else None,
    )
    status = ServeStatus(
        name=config.name,
        namespace=config.namespace,
        revision=config.revision,
        ready=not failed,
        models=[state],
    )

    asked = Counter()

    class Management(Quiet):
        def do_GET(self):
            asked[self.path] += 1
            if self.path == STATUS_PATH:
                self.reply(200, status.model_dump_json(by_alias=True).encode())
            elif self.path == "/live":
                self.reply(500 if "dies" in faults and Path(faults["dies"]).exists() else 200, b"")
            else:
                self.reply(503 if failed else 200, b"")

    class Traffic(Quiet):
        def do_GET(self):
            if self.path == "/slow":
                time.sleep(1)
            answer = {
                "revision": config.revision,
                "pid": os.getpid(),
                "asked": asked[STATUS_PATH],
                "config": json.loads(config.model_dump_json()),
            }
            answer["env"] = dict(os.environ)
            self.reply(200, json.dumps(answer).encode())

    management = Shared((config.http.host, config.management_port), Management)
    threading.Thread(target=management.serve_forever, daemon=True).start()
    if failed:
        threading.Event().wait()
    traffic = Shared((config.http.host, config.http.port), Traffic)
    traffic.daemon_threads = False  # a request under way is answered before the end

    def end(*_: object) -> None:
        if "hangs" not in faults:
            threading.Thread(target=traffic.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    print("listening", flush=True)
    traffic.serve_forever(poll_interval=0.01)
    traffic.socket.setblocking(False)
    while select.select([traffic.socket], [], [], 0)[0]:  # who has connected already is answered
        traffic.handle_request()
    traffic.server_close()


def test(config: TestConfig) -> None:
    status = TestStatus(
        name=config.name,
        namespace=config.namespace,
        revision=config.revision,
        verdict="Passed",
        message=config.url,
        finished_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    Path(os.environ[TERMINATION_LOG_ENV]).write_text(status.model_dump_json(by_alias=True))


if __name__ == "__main__":
    role, _, path = sys.argv[1:]
    text = Path(path).read_text()
    if role == "serve":
        serve(ServeConfig.model_validate_json(text))
    elif role == "test":
        test(TestConfig.model_validate_json(text))
    else:
        import fake_workers

        run, config = {
            "stream": (fake_workers.stream, StreamPredictConfig),
            "batch": (fake_workers.batch, BatchPredictConfig),
            "drift": (fake_workers.drift, DriftConfig),
        }[role]
        run(config.model_validate_json(text))
