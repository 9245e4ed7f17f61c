"""Rows a second that a drift worker judges, and CPU per row; and beside Evidently on the same table.

    python bench/drift.py [--rows 2000000] [--events 400000] [--peers evidently] [--json FILE]

From Kafka: 20 numeric features, native events of 500 rows, native events of one row, MLRun events of one row. The
worker is pinned to one core, the broker to the other; windows of 10,000 rows, all six statistics. Read from the time
of the worker's first counted rows to that of its last, by its own /metrics; the CPU is what the kernel counted for
the worker meanwhile. Offline: a million rows of 10 numbers and 2 categories against a reference of 100,000, on one
core each. Peers are installed into a virtual environment of their own in the cache folder.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from confluent_kafka import Producer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from moorage_runtime.capture.event import Event, Source  # noqa: E402
from moorage_runtime.capture.formats import encoder  # noqa: E402
from parts.base import CACHE, free_port  # noqa: E402
from parts.kafka import Broker, kafka_broker  # noqa: E402

FEATURES = [f"f{number:02}" for number in range(20)]
WORKER_CORE, OTHER_CORE = 0, 1
SCRAPE = 0.25
"""Seconds between looks at /metrics, which are work for the worker, too; it makes new numbers no oftener."""
EVIDENTLY = ["evidently==0.7.23", "pandas<3", "pyarrow"]
PEER = """
import sys, time, resource, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from evidently import Report, Dataset, DataDefinition
from evidently.presets import DataDriftPreset
reference, current = (pd.read_parquet(path) for path in sys.argv[1:3])
started, cpu = time.perf_counter(), time.process_time()
Report([DataDriftPreset()]).run(current, reference).dict()
print(time.perf_counter() - started, time.process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
OURS = """
import sys, time, resource
import numpy as np
import pyarrow.parquet as pq
from moorage_runtime.config import DriftConfig
from moorage_runtime.drift.judging.judge import judge
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.types import Block
def columns(path):
    table = pq.read_table(path)
    return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
reference, current = columns(sys.argv[1]), columns(sys.argv[2])
started, cpu = time.perf_counter(), time.process_time()
known = Reference.summarise(reference, {}, categorical=lambda name: False, mlrun=False)
rows = len(next(iter(current.values())))
whole = None
for begin in range(0, rows, 10_000):
    end = min(rows, begin + 10_000)
    n = end - begin
    block = Block(partition="0", first_offset=begin, next_offset=end, offsets=np.arange(begin, end),
        times=np.arange(begin, end), request_ids=[""] * n, counts=np.ones(n, dtype=np.int64),
        first_rows=np.zeros(n, dtype=np.int64), latencies=np.zeros(n, dtype=np.int64),
        features={name: values[begin:end] for name, values in current.items()}, predictions={})
    pane = known.pane(known.encode(block), 0, n)
    whole = pane if whole is None else whole + pane
config = DriftConfig(model="m", stream={"uri": "s"}, reference={"uri": "r"}, checkpoint_uri="c")
assert len(judge(known, whole, config)) == 12
print(time.perf_counter() - started, time.process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@dataclass
class Measured:
    """One line of the table."""

    what: str
    rows: int
    seconds: float
    cpu_seconds: float
    memory_mb: float
    grown_mb: float = 0.0

    def __str__(self) -> str:
        rate, cost = self.rows / self.seconds, self.cpu_seconds / self.rows * 1e6
        return (
            f"{self.what:34} {rate:>12,.0f} rows/s {cost:>8.2f} µs CPU/row  {self.memory_mb:>6.0f} MB"
            f" (grew by {self.grown_mb:.0f})"
        )


def messages(form: str, rows: int, per_event: int, seed: int) -> list[bytes]:
    """Events of `per_event` rows as our server writes them."""
    source = Source(
        namespace="ml",
        serving="bench",
        revision="r1",
        model="bench",
        version="v1",
        digest="0" * 64,
        framework="sklearn",
        class_name="Pipeline",
        features=tuple(FEATURES),
        outputs=("predict",),
        host="bench-0",
    )
    encode = encoder(form, structured=True)
    rng = np.random.default_rng(seed)
    made: list[bytes] = []
    for number in range(rows // per_event):
        matrix = rng.normal(size=(per_event, len(FEATURES)))
        event = Event(
            source,
            f"{number:032x}",
            "infer",
            matrix,
            {"predict": (matrix[:, 0] > 0).astype(np.int64)},
            1_790_000_000_000_000_000 + number * 1_000_000,
            800_000,
        )
        made += [message.value for message in encode([event])]
    return made


def fill(broker: Broker, topic: str, values: list[bytes], copies: int) -> None:
    """Put the messages into a topic of one partition, over and over."""
    broker.create_topic(topic)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 20, "batch.size": 1_000_000})
    for _ in range(copies):
        for value in values:
            while True:
                try:
                    producer.produce(topic, value)
                    break
                except BufferError:
                    producer.poll(0.1)
    producer.flush()


@contextmanager
def worker(folder: Path, broker: Broker, topic: str) -> Iterator[tuple[psutil.Process, int]]:
    """A drift worker on its core; (process, management port)."""
    port = free_port()
    config = {
        "name": topic,
        "model": "bench",
        "stream": {"uri": f"kafka://{broker.bootstrap}/{topic}"},
        "start": "earliest",
        "features": [{"name": name, "type": "numerical"} for name in FEATURES],
        "reference": {"uri": str(folder / "reference.parquet")},
        "window": {"rows": 10_000},
        "checkpointUri": str(folder / topic),
        "host": "127.0.0.1",
        "managementPort": port,
    }
    file = folder / f"{topic}.json"
    file.write_text(json.dumps(config))
    command = [sys.executable, "-m", "moorage_runtime", "drift", "--config", str(file)]
    with (
        (folder / f"{topic}.log").open("wb") as log,
        subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}
        ) as process,
    ):
        known = psutil.Process(process.pid)
        known.cpu_affinity([WORKER_CORE])
        try:
            yield known, port
        finally:
            process.terminate()
            process.wait(60)


def counted(port: int) -> int:
    """Rows that the worker has counted so far."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            text = reply.read().decode()
    except OSError:
        return 0
    lines = [line for line in text.splitlines() if line.startswith("moorage_drift_rows_total")]
    return int(sum(float(line.rpartition(" ")[2]) for line in lines))


def from_kafka(folder: Path, broker: Broker, what: str, topic: str, rows: int) -> Measured:
    """Let a worker read the topic to its end."""
    with worker(folder, broker, topic) as (process, port):
        first: tuple[float, float, int, float] | None = None
        memory = 0.0
        while True:
            if process.status() == psutil.STATUS_ZOMBIE:
                raise RuntimeError((folder / f"{topic}.log").read_text())
            done, now, cpu = counted(port), time.perf_counter(), sum(process.cpu_times()[:2])
            memory = max(memory, process.memory_info().rss / 2**20)
            if done and first is None:
                first = (now, cpu, done, memory)
            if done >= rows and first is not None:
                break
            time.sleep(SCRAPE)
    began, used, already, start_memory = first
    return Measured(what, rows - already, now - began, cpu - used, memory, memory - start_memory)


def tables(folder: Path) -> None:
    """The references, and a current table for the offline comparison."""
    rng = np.random.default_rng(1)

    def mixed(rows: int) -> pa.Table:
        columns = {f"n{number}": rng.normal(size=rows) for number in range(10)}
        levels = np.array([f"level{number}" for number in range(30)], dtype=object)
        columns |= {f"c{number}": levels[rng.integers(0, 30, rows)] for number in range(2)}
        return pa.table(columns)

    pq.write_table(
        pa.table({name: rng.normal(size=20_000) for name in FEATURES}), folder / "reference.parquet"
    )
    pq.write_table(mixed(100_000), folder / "mixed_reference.parquet")
    pq.write_table(mixed(1_000_000), folder / "mixed_current.parquet")


def offline(folder: Path, what: str, python: str | Path, program: str) -> Measured:
    """Judge the table once, on one core."""
    words = [python, "-c", program, folder / "mixed_reference.parquet", folder / "mixed_current.parquet"]
    done = subprocess.run(
        ["taskset", "-c", str(WORKER_CORE), *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "DO_NOT_TRACK": "1"},
    )
    seconds, cpu, memory = map(float, done.stdout.split()[-3:])
    return Measured(what, 1_000_000, seconds, cpu, memory)


def evidently() -> Path:
    """The Python of Evidently's virtual environment, made once."""
    folder = CACHE.parent / "bench" / "evidently"
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        print("installing evidently …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *EVIDENTLY], check=True, capture_output=True)
        (folder / "installed").touch()
    return python


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=4_000_000, help="rows in events of 500")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of one row")
    parser.add_argument("--peers", default="evidently", help="evidently, or nothing")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    measured: list[Measured] = []

    def show(one: Measured) -> None:
        measured.append(one)
        print(one, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables(folder)
        show(offline(folder, "Moorage, offline 1M x 12", sys.executable, OURS))
        if arguments.peers:
            show(offline(folder, "Evidently 0.7.23, offline 1M x 12", evidently(), PEER))
            ours, theirs = measured[-2:]
            print(f"{theirs.seconds / ours.seconds:.0f} times as fast", flush=True)
        with kafka_broker() as broker:
            for child in psutil.Process().children():
                command = ["taskset", "-apc", str(OTHER_CORE), str(child.pid)]
                subprocess.run(command, check=True, capture_output=True)
            for what, form, per_event, total in (
                ("native, 500 rows an event", "native", 500, arguments.rows),
                ("native, one row an event", "native", 1, arguments.events),
                ("mlrun-v2, one row an event", "mlrun-v2", 1, arguments.events),
            ):
                once = 100_000 if per_event > 1 else 20_000
                topic = what.replace(" ", "-").replace(",", "")
                fill(broker, topic, messages(form, once, per_event, seed=7), max(1, total // once))
                show(from_kafka(folder, broker, what, topic, total // once * once))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in measured], indent=2))


if __name__ == "__main__":
    main()
