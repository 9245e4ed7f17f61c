"""Records a second and CPU per record of the stream worker, beside a loop over records as one writes it by hand.

    python bench/stream.py [--records 1000000] [--loop-records 20000] [--json FILE]

One iris pipeline (StandardScaler + LogisticRegression), records of four numbers as JSON objects or lists, from a topic
to a topic. The broker (a real one, from e2e/parts) is pinned to one core, the process that predicts to the other. The
loops are what a person writes first: consume a record, predict it, send the answer; with kafka-python and with
confluent-kafka. Compare the CPU per record: rates on a shared machine are noisy, and the broker may be the limit.
MLServer's Kafka support is not measured.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from parts.base import free_port  # noqa: E402
from parts.kafka import Broker, kafka_broker  # noqa: E402

WORKER_CORE, BROKER_CORE = 0, 1
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
TRAIN = """
import sys, joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
rows, labels = load_iris(return_X_y=True)
joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), sys.argv[1])
"""
KAFKA_PYTHON = """
import json, sys, warnings
warnings.simplefilter("ignore")
import joblib
from kafka import KafkaConsumer, KafkaProducer
model, (servers, source, target) = joblib.load(sys.argv[1]), sys.argv[2:5]
consumer = KafkaConsumer(source, bootstrap_servers=servers, group_id="loop-kafka-python", auto_offset_reset="earliest")
producer = KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=5)
for message in consumer:
    record = json.loads(message.value)
    row = list(record.values()) if isinstance(record, dict) else record
    answer = {"input": record, "prediction": model.predict([row]).tolist()[0]}
    producer.send(target, json.dumps(answer).encode(), key=message.key)
"""
CONFLUENT = """
import json, sys
import joblib
from confluent_kafka import Consumer, Producer
model, (servers, source, target) = joblib.load(sys.argv[1]), sys.argv[2:5]
consumer = Consumer({"bootstrap.servers": servers, "group.id": "loop-confluent", "auto.offset.reset": "earliest"})
producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True, "linger.ms": 5})
consumer.subscribe([source])
while True:
    message = consumer.poll(1)
    if message is None or message.error():
        continue
    record = json.loads(message.value())
    row = list(record.values()) if isinstance(record, dict) else record
    answer = {"input": record, "prediction": model.predict([row]).tolist()[0]}
    producer.produce(target, json.dumps(answer), message.key())
    producer.poll(0)
"""


@dataclass
class Row:
    """One measurement; CPU (user and system, all threads of the process) in µs a record."""

    what: str
    records: int
    rate: float
    cpu_us: float


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=1_000_000, help="records for the worker")
    parser.add_argument("--loop-records", type=int, default=20_000, help="records for the loops")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="moorage-bench-") as name, kafka_broker() as broker:
        folder = Path(name)
        model = folder / "iris.joblib"
        subprocess.run([sys.executable, "-c", TRAIN, model], check=True)
        pin_broker(broker)
        for form in ("objects", "lists"):
            fill(broker, f"{form}.in", arguments.records, form)
        for form in ("objects", "lists"):
            for delivery in ("AtLeastOnce", "ExactlyOnce"):
                target = broker.create_topic(f"{form}.{delivery}")
                command = worker(broker, folder, model, f"{form}.in", target, delivery)
                rows.append(
                    measure(f"moorage, {delivery}, {form}", command, broker, target, arguments.records)
                )
        for title, code in (("kafka-python", KAFKA_PYTHON), ("confluent-kafka", CONFLUENT)):
            target = broker.create_topic(f"loop.{title}")
            command = [sys.executable, "-c", code, str(model), broker.bootstrap, "objects.in", target]
            rows.append(measure(f"loop, {title}, objects", command, broker, target, arguments.loop_records))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


def pin_broker(broker: Broker) -> None:
    """All threads of the broker on its core."""
    pid = str(broker.pid)
    subprocess.run(["taskset", "-acp", str(BROKER_CORE), pid], check=True, capture_output=True)


def fill(broker: Broker, topic: str, records: int, form: str) -> None:
    """A topic of two partitions with records."""
    broker.create_topic(topic, 2)
    chance = random.Random(1)
    rows = [[round(chance.uniform(0.1, 8), 1) for _ in FEATURES] for _ in range(1000)]
    values = [
        json.dumps(dict(zip(FEATURES, row, strict=True)) if form == "objects" else row).encode()
        for row in rows
    ]
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 20})
    for number in range(records):
        try:
            producer.produce(topic, values[number % 1000])
        except BufferError:
            producer.poll(1)
            producer.produce(topic, values[number % 1000])
    producer.flush()


def worker(broker: Broker, folder: Path, model: Path, source: str, target: str, delivery: str) -> list[str]:
    """Our worker; metrics are always on."""
    dead = broker.create_topic(f"{target}.dead")
    config = {
        "models": [{
            "name": "iris", "uri": str(model), "framework": "sklearn", "version": "v1",
            "features": [{"name": name, "type": "float64"} for name in FEATURES],
        }],
        "input": {"uri": f"kafka://{broker.bootstrap}/{source}"},
        "output": {"uri": f"kafka://{broker.bootstrap}/{target}"},
        "deadLetter": {"uri": f"kafka://{broker.bootstrap}/{dead}"},
        "group": target, "delivery": delivery, "host": "127.0.0.1", "managementPort": free_port(),
    }  # fmt: skip
    file = folder / f"{target}.json"
    file.write_text(json.dumps(config))
    return [sys.executable, "-m", "moorage_runtime", "stream", "--config", str(file)]


def measure(what: str, command: list[str], broker: Broker, target: str, records: int) -> Row:
    """From the first output on until `records` are there: the start of the process is not counted."""
    with subprocess.Popen(
        ["taskset", "-c", str(WORKER_CORE), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            there = counter(broker, target)
            watched = psutil.Process(process.pid)
            while not (first := there()):
                time.sleep(0.02)
            began, spent = time.monotonic(), cpu_seconds(watched)
            while (last := there()) < records and process.poll() is None:
                time.sleep(0.02)
            seconds, spent = time.monotonic() - began, cpu_seconds(watched) - spent
        finally:
            process.terminate()
    done = last - first
    row = Row(what, done, done / seconds, spent / done * 1e6)
    print(
        f"{what:40} {done:>9,} records {row.rate:>9,.0f} records/s {row.cpu_us:>8.2f} µs CPU/record",
        flush=True,
    )
    return row


def counter(broker: Broker, topic: str):
    """A function that says how many records a topic of one partition has."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "bench"})
    return lambda: consumer.get_watermark_offsets(TopicPartition(topic, 0))[1]


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time."""
    times = process.cpu_times()
    return times.user + times.system


if __name__ == "__main__":
    sys.exit(main())
