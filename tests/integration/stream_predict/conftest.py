"""A real Kafka, a trained iris pipeline, and workers as processes that can be killed."""

import json
import re
import sys
import time
import urllib.error
import urllib.request
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import pytest
from confluent_kafka import Producer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from conftest import provide
from parts import Process, free_port, wait_until
from parts.kafka import kafka_broker

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaConsumer, TopicPartition

FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@pytest.fixture(scope="session")
def kafka():
    yield from provide(kafka_broker)


@pytest.fixture(scope="session")
def iris(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "iris.joblib"
    rows, labels = load_iris(return_X_y=True)
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), path)
    return path


@dataclass
class Pipeline:
    """Three topics, and the workers between them."""

    kafka: object
    folder: Path
    model: Path
    name: str
    delivery: str
    changes: dict = field(default_factory=dict)
    workers: list[Process] = field(default_factory=list)
    ports: dict[int, int] = field(default_factory=dict)
    began: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    """Timestamp of record 0, in ms; the broker would remove records of long ago."""

    def topic(self, role):
        return f"{self.name}.{role}"

    def config(self, port):
        def stream(role):
            return {"uri": f"kafka://{self.kafka.bootstrap}/{self.topic(role)}"}

        features = [{"name": name, "type": "float64"} for name in FEATURES]
        model = {"name": "iris", "uri": str(self.model), "framework": "sklearn", "features": features}
        return {
            "name": "test",
            "models": [model | {"version": "v3"}],
            "input": stream("in"),
            "output": stream("out"),
            "deadLetter": stream("dead"),
            "group": self.name,
            "delivery": self.delivery,
            "host": "127.0.0.1",
            "managementPort": port,
        } | self.changes

    def start(self, port=None):
        """A worker; its process."""
        port = port or free_port()
        file = self.folder / f"{port}.json"
        file.write_text(json.dumps(self.config(port)))
        command = [sys.executable, "-m", "moorage_runtime", "stream", "--config", file]
        worker = Process(command, self.folder / f"{port}.log")
        self.workers.append(worker)
        self.ports[worker.pid] = port
        return worker

    def status(self, worker):
        try:
            url = f"http://127.0.0.1:{self.ports[worker.pid]}/moorage/v1/status"
            with urllib.request.urlopen(url, timeout=5) as reply:
                return json.load(reply)
        except (OSError, urllib.error.URLError):
            return {"ready": False}

    def ready(self, worker):
        worker.wait_until(lambda: self.status(worker)["ready"], "readiness")
        return worker

    def send(self, first, last, value=None):
        """Records of which the key is the number; half of them lists, half of them objects."""
        producer = Producer(
            {"bootstrap.servers": self.kafka.bootstrap, "linger.ms": 20, "message.max.bytes": 4 << 20}
        )
        for number in range(first, last):
            row = [number % 80 / 10, 3.5, number % 7, 0.2]
            body = row if number % 2 else dict(zip(FEATURES, row, strict=True))
            data = json.dumps(body).encode() if value is None else value(number)
            producer.produce(
                self.topic("in"),
                data,
                b"%d" % number,
                headers=[("n", b"%d" % number)],
                timestamp=self.began + number,
            )
            producer.poll(0)
        assert producer.flush(60) == 0

    def read(self, role="out"):
        """All committed records of a topic."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_bytes=64 << 20,
        )
        try:
            topic = self.topic(role)
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
            consumer.assign(partitions)
            for partition in partitions:
                consumer.seek(partition, 0)
            ends = consumer.end_offsets(partitions)
            found = []
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                for records in consumer.poll(1000, max_records=50_000).values():
                    found.extend(records)
            return found
        finally:
            consumer.close()

    def wait_for(self, count, role="out", seconds=60):
        """The topic's records, once they are at least `count`."""
        found = []

        def enough():
            found[:] = self.read(role)
            return len(found) >= count

        wait_until(enough, f"{count} records in {self.topic(role)}", seconds)
        return found


@pytest.fixture
def pipeline(kafka, iris, tmp_path, request):
    """Makes a pipeline with its topics; ends its workers."""
    made = []

    def make(delivery="AtLeastOnce", partitions=3, roles=("in", "out", "dead"), **changes):
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[-60:] + str(len(made))
        for role in roles:
            kafka.create_topic(f"{name}.{role}", partitions)
        made.append(Pipeline(kafka, tmp_path, iris, name, delivery, changes))
        return made[-1]

    yield make
    for each in made:
        for worker in each.workers:
            worker.stop()
