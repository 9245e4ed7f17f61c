"""Requests a second and CPU per request of Moorage's server, beside its peers in the same run.

    python bench/serving.py [--seconds 4] [--peers fastapi,mlserver] [--json FILE]

One iris pipeline (StandardScaler + LogisticRegression), one row a request, Open Inference Protocol JSON. The server
is pinned to one core, wrk to another, at 1, 8, 32 and 128 connections. Rates on a shared machine are noisy: compare
the CPU per request, which is what the kernel counted for the server's processes during the run. nginx's constant
reply is the limit of HTTP on this machine. Peers are installed into a virtual environment of their own in the cache
folder; where one cannot be, the table says so.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from parts.base import CACHE, free_port  # noqa: E402

CONNECTIONS = (1, 8, 32, 128)
SERVER_CORE, CLIENT_CORE = 0, 1
PEERS = {
    "fastapi": ["fastapi==0.121.*", "uvicorn[standard]==0.38.*", "scikit-learn", "joblib"],
    "mlserver": ["mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop<0.22", "joblib"],
}
WRK = """
wrk.method = "POST"
wrk.body = '{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[5.1,3.5,1.4,0.2]}]}'
wrk.headers["Content-Type"] = "application/json"
"""
TRAIN = """
import sys, joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
rows, labels = load_iris(return_X_y=True)
joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), sys.argv[1])
"""
FASTAPI = """
import sys, joblib, numpy as np, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
model = joblib.load(sys.argv[1])
app = FastAPI()
class Tensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]
class Request(BaseModel):
    inputs: list[Tensor]
@app.get("/ready")
def ready():
    return {}
@app.post("/v2/models/iris/infer")
async def infer(request: Request):
    tensor = request.inputs[0]
    found = model.predict(np.array(tensor.data).reshape(tensor.shape)).tolist()
    output = {"name": "predict", "shape": [len(found)], "datatype": "INT64", "data": found}
    return {"model_name": "iris", "outputs": [output]}
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
"""
NGINX = """
worker_processes 1; daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json;
    return 200 '{{"model_name":"iris","outputs":[{{"name":"predict","shape":[1],"datatype":"INT64","data":[0]}}]}}'; }} }} }}
"""


@dataclass
class Row:
    """One measurement; times in ms, CPU in µs a request."""

    server: str
    connections: int
    requests: int
    rps: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    errors: int


def main() -> int:
    """Measure and print; 1 where wrk is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=4, help="length of one measurement")
    parser.add_argument(
        "--peers", default="fastapi,mlserver", help="peers to install and measure; empty for none"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        print("bench/serving needs wrk, which is not installed", file=sys.stderr)
        return 1
    rows: list[Row] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="moorage-bench-") as name:
        folder = Path(name)
        (folder / "infer.lua").write_text(WRK)
        subprocess.run([sys.executable, "-c", TRAIN, folder / "iris.joblib"], check=True)
        servers = {"moorage": (folder, False), "moorage, capture on": (folder, True)}
        for title, (where, capture) in servers.items():
            command, port, probe = moorage(where, capture=capture)
            rows += measure(title, command, port, probe, folder, arguments.seconds)
        if shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            command, port = nginx(folder)
            rows += measure(
                "nginx, constant reply", command, port, f"http://127.0.0.1:{port}/", folder, arguments.seconds
            )
        else:
            notes.append("nginx is not installed: no limit of HTTP to compare with")
        for peer in filter(None, arguments.peers.split(",")):
            try:
                python = environment(peer)
            except subprocess.CalledProcessError as error:
                notes.append(
                    f"{peer} could not be installed: {error.stderr.decode().strip().splitlines()[-1]}"
                )
                continue
            port = free_port()
            command, probe = {"fastapi": fastapi, "mlserver": mlserver}[peer](python, folder, port)
            rows += measure(peer, command, port, probe, folder, arguments.seconds)
    print("\n".join(notes))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


def moorage(folder: Path, *, capture: bool) -> tuple[list[str], int, str]:
    """Our server; metrics are always on."""
    port, management = free_port(), free_port()
    config: dict[str, object] = {
        "models": [{"name": "iris", "uri": str(folder / "iris.joblib"), "framework": "sklearn"}],
        "http": {"host": "127.0.0.1", "port": port},
        "managementPort": management,
    }
    if capture:
        config["capture"] = {"stream": {"uri": str(folder / "stream")}}
    file = folder / f"moorage-{capture}.json"
    file.write_text(json.dumps(config))
    command = [sys.executable, "-m", "moorage_runtime", "serve", "--config", str(file)]
    return command, port, f"http://127.0.0.1:{management}/ready"


def nginx(folder: Path) -> tuple[list[str], int]:
    """A constant reply of the same size."""
    port = free_port()
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, port=port))
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"
    return [program, "-c", str(file), "-p", str(folder)], port


def fastapi(python: Path, folder: Path, port: int) -> tuple[list[str], str]:
    """FastAPI on uvicorn, as a person would write it."""
    file = folder / "app.py"
    file.write_text(FASTAPI)
    model = retrained(python, folder, "fastapi")
    return [str(python), str(file), str(model), str(port)], f"http://127.0.0.1:{port}/ready"


def mlserver(python: Path, folder: Path, port: int) -> tuple[list[str], str]:
    """MLServer in one process, without logs and metrics."""
    where = folder / "mlserver"
    where.mkdir()
    settings = {
        "host": "127.0.0.1", "http_port": port, "grpc_port": free_port(), "metrics_endpoint": None,
        "parallel_workers": 0, "debug": False,
    }  # fmt: skip
    (where / "settings.json").write_text(json.dumps(settings))
    model = {
        "name": "iris", "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(retrained(python, folder, "mlserver"))},
    }  # fmt: skip
    (where / "model-settings.json").write_text(json.dumps(model))
    command = [str(python.with_name("mlserver")), "start", str(where)]
    return command, f"http://127.0.0.1:{port}/v2/models/iris/ready"


def retrained(python: Path, folder: Path, peer: str) -> Path:
    """The same model, saved by the peer's own scikit-learn."""
    path = folder / f"{peer}.joblib"
    subprocess.run([python, "-c", TRAIN, path], check=True)
    return path


def environment(peer: str) -> Path:
    """The Python of a peer's virtual environment, made once."""
    folder = CACHE.parent / "bench" / peer
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        print(f"installing {peer} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True)
        words = [python, "-m", "pip", "install", "-q", *PEERS[peer]]
        subprocess.run(words, check=True, capture_output=True)
        done.touch()
    return python


def measure(title: str, command: list[str], port: int, probe: str, folder: Path, seconds: int) -> list[Row]:
    """A server at every number of connections."""
    rows = []
    with running(command, probe, folder / "server.log") as process:
        wrk(port, 8, 1, folder)
        for connections in CONNECTIONS:
            before = cpu_seconds(process)
            result = wrk(port, connections, seconds, folder)
            spent = cpu_seconds(process) - before
            row = parsed(title, connections, result, spent)
            rows.append(row)
            print(
                f"{row.server:22} c={row.connections:<4} {row.rps:>9,.0f} req/s {row.cpu_us:>7.1f} µs CPU/req "
                f"p50 {row.p50_ms:7.2f} ms  p99 {row.p99_ms:7.2f} ms"
                + (f"  {row.errors} errors" * bool(row.errors)),
                flush=True,
            )
    return rows


@contextlib.contextmanager
def running(command: list[str], probe: str, log: Path) -> Iterator[psutil.Process]:
    """A server on its core, from its readiness on."""
    with log.open("wb") as output:
        started = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 90
        while not answers(probe):
            if started.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not become ready:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield psutil.Process(started.pid)
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def answers(probe: str) -> bool:
    """Whether a URL says 200."""
    try:
        with urllib.request.urlopen(probe, timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process and its children."""
    family = [process, *process.children(recursive=True)]
    return sum(times.user + times.system for times in (each.cpu_times() for each in family))


def wrk(port: int, connections: int, seconds: int, folder: Path) -> str:
    """wrk's report."""
    words = [
        *("taskset", "-c", str(CLIENT_CORE), "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency"),
        *("-s", str(folder / "infer.lua"), f"http://127.0.0.1:{port}/v2/models/iris/infer"),
    ]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def parsed(title: str, connections: int, report: str, spent: float) -> Row:
    """wrk's report as a row."""
    found = {key: re.search(pattern, report) for key, pattern in _PATTERNS.items()}
    requests = int(found["requests"][1]) if found["requests"] else 0
    failed = sum(
        int(number) for match in (found["status"], found["socket"]) if match for number in match.groups()
    )
    return Row(
        title,
        connections,
        requests,
        float(found["rps"][1]) if found["rps"] else 0.0,
        spent / requests * 1e6 if requests else 0.0,
        milliseconds(found["p50"]),
        milliseconds(found["p99"]),
        failed,
    )


_PATTERNS = {
    "requests": r"(\d+) requests in",
    "rps": r"Requests/sec:\s+([\d.]+)",
    "p50": r"50%\s+([\d.]+)(us|ms|s)",
    "p99": r"99%\s+([\d.]+)(us|ms|s)",
    "status": r"Non-2xx or 3xx responses: (\d+)",
    "socket": r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)",
}


def milliseconds(match: re.Match[str] | None) -> float:
    """A duration as wrk writes it."""
    return float(match[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match[2]] if match else 0.0


if __name__ == "__main__":
    sys.exit(main())
