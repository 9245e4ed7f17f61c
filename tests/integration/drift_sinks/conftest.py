"""Real databases and stores, each of which a test may stop and start again, and a receiver of webhooks."""

import json
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import provide
from parts.base import need
from parts.influx import influx as influx_server
from parts.prometheus import prometheus as prometheus_server
from parts.s3 import s3_server
from parts.victoria import victoria as victoria_server


@pytest.fixture
def victoria():
    yield from provide(victoria_server)


@pytest.fixture
def prometheus():
    yield from provide(prometheus_server)


@pytest.fixture
def strict_prometheus():
    """As Prometheus comes: nothing out of order."""
    yield from provide(lambda: prometheus_server(out_of_order=None))


@pytest.fixture
def influx():
    yield from provide(influx_server)


@pytest.fixture
def guarded_influx():
    """With users: name admin, password s3cret-words."""
    yield from provide(lambda: influx_server(("admin", "s3cret-words")))


@pytest.fixture
def s3(monkeypatch):
    for server in provide(s3_server):
        for name, value in server.env.items():
            monkeypatch.setenv(name, value)
        yield server


class Receiver:
    """Notes what is posted; answers the statuses of `failing` first, each once."""

    def __init__(self, tls=None):
        self.failing = []
        self.words = b"out of order"
        self.bodies = []
        self.headers = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.headers.append(dict(self.headers))
                status = receiver.failing.pop(0) if receiver.failing else 204
                if status == 204:
                    receiver.bodies.append(body)
                words = receiver.words if status != 204 else b""
                self.send_response(status)
                self.send_header("content-length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        scheme = "http"
        if tls is not None:
            scheme = "https"
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
            self.server.handle_error = lambda *_: None  # a handshake that the client breaks off
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def events(self):
        return [json.loads(body) for body in self.bodies]

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def certificate(folder, name):
    """NAME.key and NAME.crt, its own authority."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"]
    subprocess.run([*command, *files], check=True, capture_output=True)


@contextmanager
def guarded_receiver(folder):
    need("openssl", "it makes the certificates")
    certificate(folder, "right")
    certificate(folder, "wrong")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "right.crt", folder / "right.key")
    receiver = Receiver(tls)
    try:
        yield receiver
    finally:
        receiver.close()


@pytest.fixture
def tls_receiver(tmp_path):
    """Its certificate is tmp_path/right.crt."""
    yield from provide(lambda: guarded_receiver(tmp_path))
