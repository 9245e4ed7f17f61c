"""A real Kafka broker (KRaft, one node, loopback) that can be stopped and started again on its port and data."""

import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from parts.base import Missing, Process, cached, free_port, need

POM = Path(__file__).parent / "kafka" / "pom.xml"
JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOGGING = """
log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


def _fetch(folder: Path) -> None:
    maven = need("mvn", "Kafka comes from Maven Central")
    command = [
        maven,
        "-q",
        "-B",
        "-f",
        str(POM),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={folder}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Missing(f"Maven could not fetch Kafka: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def jars() -> Path:
    """The folder of Kafka's jars; fetched on the first call."""
    return cached("kafka", [POM], _fetch)


class Broker:
    """A broker with its data under `folder`; `settings` are further lines of server.properties."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self._java = need("java", "Kafka runs on it")
        self._jars = jars()
        self._folder = folder
        self._process: Process | None = None
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        controller = free_port()
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(folder / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            "num.network.threads": "2",
            "num.io.threads": "2",
        }
        for name, value in (settings or {}).items():
            properties[name] = f"{properties[name]},{value}" if value and name in properties else value
        (folder / "log4j.properties").write_text(LOGGING)
        self._properties = folder / "server.properties"
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        subprocess.run(
            [
                *self._command("kafka.tools.StorageTool"),
                "format",
                "-t",
                _cluster_id(),
                "-c",
                self._properties,
            ],
            check=True,
            capture_output=True,
        )

    def _command(self, main: str) -> list[str]:
        logging = f"-Dlog4j.configuration=file:{self._folder / 'log4j.properties'}"
        return [self._java, *JVM, logging, "-cp", f"{self._jars}/*", main]

    def start(self) -> None:
        """Start it, again if need be, and wait until it answers."""
        command = [*self._command("kafka.Kafka"), str(self._properties)]
        self._process = Process(command, self._folder / "broker.log")
        self._process.wait_until(self._answers, f"an answer of Kafka at {self.bootstrap}")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            return bool(self._admin().list_topics(timeout=5).brokers)
        except Exception:  # noqa: BLE001 - whatever it is, it is no answer yet
            return False

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1) -> str:
        """Create a topic; its name."""
        admin = self._admin()
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        return name

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop it; port and data stay its own."""
        if self._process is not None:
            self._process.stop()
            self._process = None


def _cluster_id() -> str:
    return uuid.uuid4().hex[:22]


@contextmanager
def kafka_broker(settings: dict[str, str] | None = None) -> Iterator[Broker]:
    """A running broker; a value in `settings` is appended to a list that the broker has by default."""
    folder = Path(tempfile.mkdtemp(prefix="moorage-kafka-"))
    broker = Broker(folder, settings)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)
