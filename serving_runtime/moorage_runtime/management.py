"""The management port of roles that are no HTTP servers themselves: probes, metrics and the status document.

Answered in threads of its own, so that a busy worker is still found alive.
"""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from moorage_runtime.config import STATUS_PATH, Config


class Management:
    """Answers `/live`, `/ready`, `/metrics` and the status until it is closed; a context manager."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        unready: Callable[[], str | None],
        status: Callable[[], Config],
        registry: CollectorRegistry,
    ) -> None:
        """`unready` says why the worker is not ready, or None; it and `status` are called from other threads.

        Raises OSError where the port is taken; port 0 takes a free one (`port`).
        """

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/live":
                    self._answer(200, b'{"live":true}')
                elif path == "/ready":
                    why = unready()
                    body = {"ready": True} if why is None else {"ready": False, "error": why}
                    self._answer(200 if why is None else 503, orjson.dumps(body))
                elif path == STATUS_PATH:
                    self._answer(200, status().model_dump_json(by_alias=True, exclude_none=True).encode())
                elif path == "/metrics":
                    encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                    self._answer(200, encode(registry), content_type)
                else:
                    self._answer(404, orjson.dumps({"error": f"{path} is not here"}))

            def _answer(self, code: int, body: bytes, content_type: str = "application/json") -> None:
                self.send_response(code)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes are not worth a line."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="moorage-management", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
