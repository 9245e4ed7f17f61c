"""A drift worker as a process, its stream and what it puts out, for tests that kill it."""

import gzip
import http.client
import json
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from parts.base import Process, free_port

MODEL = "iris"
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
START = 1_795_365_930_000_000
PROGRAM = """
import sys
from pathlib import Path
from moorage_runtime.config import DriftConfig
from moorage_runtime.drift.main import main
from moorage_runtime.drift.worker.parts import Timing
config = DriftConfig.model_validate_json(Path(sys.argv[1]).read_bytes())
sys.exit(main(config, Timing(checkpoint=0.2, idle=float(sys.argv[2]), retry=0.2, view=0.05, lag=0.1, close=5)))
"""


def values(seed, rows, shift=0.0):
    random = np.random.default_rng(seed)
    found = random.normal([5.8, 3.0, 3.7, 1.2], [0.8, 0.4, 1.7, 0.7], (rows, 4))
    found[:, 2] += shift
    return np.round(found, 3)


def write_reference(path, rows=3000):
    found = values(0, rows)
    columns = {name: found[:, i] for i, name in enumerate(FEATURES)}
    pq.write_table(pa.table({**columns, "predict": (found[:, 2] > 3).astype(int)}), path)
    return path


def message(number, rows=10, *, shift=0.0, model=MODEL, time=None, prefix="r"):
    """One native event of several one-row requests."""
    found = values(1000 + number, rows, shift)
    at = START + number * 100_000 if time is None else time
    document = {
        "schema": "moorage.capture/v1",
        "namespace": "ml",
        "serving": "iris",
        "revision": "r1",
        "model": model,
        "version": "v3",
        "digest": None,
        "framework": "sklearn",
        "class": "Pipeline",
        "host": "iris-0",
        "columns": [
            *(
                {"name": name, "role": "feature", "type": "numerical", "dtype": "float64"}
                for name in FEATURES
            ),
            {"name": "predict", "role": "prediction", "type": "numerical", "dtype": "int64"},
        ],
        "requests": {
            "id": [f"{prefix}{number}-{row}" for row in range(rows)],
            "time_us": [at + row for row in range(rows)],
            "latency_us": [800] * rows,
            "rows": [1] * rows,
            "first_row": [0] * rows,
            "operation": ["infer"] * rows,
        },
        "features": {name: found[:, i].tolist() for i, name in enumerate(FEATURES)},
        "predictions": {"predict": (found[:, 2] > 3).astype(int).tolist()},
    }
    return json.dumps(document).encode()


class Segment:
    """A writer's segment of a directory stream, as capture writes it."""

    def __init__(self, folder, writer, number=1):
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"1795365630920-{writer}-{number:06d}.jsonl"
        self._path.touch()

    def write(self, messages):
        with self._path.open("ab") as file:
            file.write(b"".join(one + b"\n" for one in messages))


class Lines:
    """An InfluxDB and a webhook as far as a worker sees them: keeps every distinct line and alert."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.lines = {}
        self.alerts = {}
        self.failing = False

    def take(self, path, body):
        if "/write" in path:
            for line in body.decode().splitlines():
                key, _, rest = line.rpartition(" ")
                series, _, value = key.rpartition(" ")
                known = self.lines.setdefault((series, rest), value)
                assert known == value, f"{series} at {rest}: {known}, then {value}"
        elif "/hook" in path:
            alert = json.loads(body)
            known = self.alerts.setdefault(alert["id"], alert)
            assert known == alert, f"one id, two alerts: {known}, then {alert}"


@contextmanager
def line_server():
    found = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            code = 503 if found[0].failing else 204
            if code == 204:
                try:
                    found[0].take(self.path, body)
                except AssertionError as error:
                    found[0].wrong = error
                    code = 400
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.append(Lines(server.server_address[1]))
    found[0].wrong = None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class DriftWorker:
    """A worker's config, and its process as often as it is started."""

    def __init__(self, folder, stream, reference, /, *, idle=30.0, **changes):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.history = folder / "history"
        self.idle = idle
        self.config = {
            "name": "watch",
            "namespace": "ml",
            "model": MODEL,
            "stream": {"uri": str(stream)},
            "start": "earliest",
            "reference": {"uri": str(reference)},
            "window": {"rows": 200},
            "predictionDrift": True,
            "objectStore": {"uri": str(self.history), "rows": 1000, "seconds": 3600},
            "checkpointUri": str(folder / "checkpoint"),
            "host": "127.0.0.1",
            "managementPort": self.port,
            **changes,
        }
        self.config = {name: value for name, value in self.config.items() if value is not None}
        self.process = None

    def start(self):
        file = self.folder / "config.json"
        file.write_text(json.dumps(self.config))
        command = [sys.executable, "-c", PROGRAM, file, str(self.idle)]
        self.process = Process(command, self.folder / "log.txt")
        return self

    def kill(self):
        self.process.process.kill()
        self.process.process.wait()

    def stop(self):
        return self.process.stop()

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.read()
        except (OSError, http.client.HTTPException):
            return None

    def status(self):
        found = self.get("/moorage/v1/status")
        return json.loads(found) if found else {}

    def metric(self, series, /, **labels):
        for line in (self.get("/metrics") or b"").decode().splitlines():
            wanted = all(f'{key}="{value}"' in line for key, value in labels.items())
            if wanted and line.startswith((f"{series}{{", f"{series} ")):
                return float(line.rpartition(" ")[2])
        return None

    def metrics(self, series, label):
        """Values of a metric by one of its labels."""
        found = {}
        for line in (self.get("/metrics") or b"").decode().splitlines():
            if line.startswith(f"{series}{{"):
                name = line.partition(f'{label}="')[2].partition('"')[0]
                found[name] = float(line.rpartition(" ")[2])
        return found

    def rows(self):
        return self.metric("moorage_drift_rows_total") or 0

    def wait(self, condition, what, seconds=60):
        self.process.wait_until(condition, what, seconds)

    def wait_rows(self, rows, seconds=60):
        self.wait(lambda: (self.metric("moorage_drift_rows_total") or 0) >= rows, f"{rows} rows", seconds)

    def wait_delivered(self):
        """Until no sink has anything to do."""

        def nothing():
            pending = [
                float(line.rpartition(" ")[2])
                for line in (self.get("/metrics") or b"").decode().splitlines()
                if line.startswith("moorage_drift_sink_pending{")
            ]
            return bool(pending) and not any(pending)

        self.wait(nothing, "delivery")

    def files(self):
        """Parquet files of the history: path to bytes."""
        return {
            str(path.relative_to(self.history)): path.read_bytes()
            for path in sorted(self.history.rglob("*.parquet"))
            if not path.name.startswith(".")
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.stop()
