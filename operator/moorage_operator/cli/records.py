"""Messages of a stream as they are, in and out: a directory stream's lines, or a topic's by kafka-python."""

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from moorage_operator.cli.broker import connected, security
from moorage_operator.cli.failure import Failure
from moorage_operator.cli.reader import check_reader
from moorage_operator.local.apiserver.objects import Object
from moorage_runtime.streams.base import Message, Record, StreamError
from moorage_runtime.streams.directory import DirectoryReader, DirectoryWriter

_MOST = 500
_STEP = 0.5
"""Seconds after which whoever waits looks whether anybody still reads."""
_BUFFER = 32 << 20
_UNFLUSHED = 8 << 20
_PATIENCE = 30.0
_LARGEST = 1 << 20
"""Bytes of a message; Kafka's own default."""


@dataclass(frozen=True, slots=True)
class Security:
    """How a broker lets us in: a manifest's `kafka` block, and its secrets."""

    spec: Object = field(default_factory=dict)
    secret: Object | None = None
    ca: Object | None = None

    def options(self, folder: Path) -> dict[str, Any]:
        """For kafka-python."""
        return security(self.spec, self.secret, self.ca, folder)


@dataclass(frozen=True, slots=True)
class Address:
    """A topic of a broker, or the folder that takes its place."""

    topic: str
    folder: Path
    kafka: str | None = None
    security: Security = Security()

    def __str__(self) -> str:
        return str(self.folder) if self.kafka is None else f"kafka://{self.kafka}/{self.topic}"


class Sink(Protocol):
    """Takes messages; `count` are those that it took."""

    count: int

    def write(self, message: Message) -> None:
        """Take one; waits where it has no room. Raises Failure."""

    def finish(self) -> None:
        """Wait until all have arrived. Raises Failure."""


def messages_of(lines: Iterable[bytes], key: str | None) -> Iterator[Message]:
    """A message for each line that is not empty; Failure names the line that has no such key."""
    for number, line in enumerate(lines, 1):
        value = line.rstrip(b"\r\n")
        if not value:
            continue
        if len(value) > _LARGEST:
            raise Failure(f"error: line {number} has {len(value)} bytes, more than {_LARGEST}")
        yield Message(value, _key(number, value, key))


def shown(record: Record) -> Object:
    """A record for `-o json`; what is no UTF-8 is in base64 under a name that says so."""
    headers = [{"name": name, **_text("value", value)} for name, value in record.headers]
    return {
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        **_text("key", record.key),
        "headers": headers,
        **_text("value", record.value),
    }


@contextmanager
def open_sink(address: Address) -> Iterator[Sink]:
    """Where messages are written to. Raises Failure."""
    if address.kafka is not None:
        options = {"acks": "all", "linger_ms": 10, "max_block_ms": 10_000, "delivery_timeout_ms": 40_000}
        with connected(
            address.kafka, address.topic, address.security.options, "KafkaProducer", **options
        ) as producer:
            yield _Topic(producer, address)
        return
    try:
        writer = DirectoryWriter(address.folder, _BUFFER)
    except StreamError as error:
        raise Failure(f"error: {error}") from None
    try:
        yield _Folder(writer, address)
    finally:
        writer.close(_PATIENCE)


@contextmanager
def open_records(
    address: Address, *, from_beginning: bool, timeout: float | None
) -> Iterator[Iterator[Record]]:
    """What the stream has and what comes, until nothing has come for `timeout` seconds. Raises Failure."""
    if address.kafka is None:
        try:
            reader = DirectoryReader(address.folder, start="earliest" if from_beginning else "latest")
        except StreamError as error:
            raise Failure(f"error: {error}") from None
        yield _until_silent(lambda: reader.poll(_MOST, _step(timeout)), timeout)
        return
    options = {"enable_auto_commit": False, "isolation_level": "read_committed"}
    with connected(
        address.kafka, address.topic, address.security.options, "KafkaConsumer", **options
    ) as consumer:
        _assign(consumer, address, from_beginning=from_beginning)
        yield _until_silent(lambda: polled(consumer, _step(timeout)), timeout)


def _until_silent(poll: Callable[[], list[Record]], timeout: float | None) -> Iterator[Record]:
    heard = time.monotonic()
    while True:
        records = poll()
        yield from records
        if records:
            heard = time.monotonic()
        elif timeout is not None and time.monotonic() - heard >= timeout:
            return
        check_reader()


def _step(timeout: float | None) -> float:
    return _STEP if timeout is None else min(_STEP, max(timeout, 0.01))


def _assign(consumer: Any, address: Address, *, from_beginning: bool) -> None:
    from kafka import TopicPartition

    numbers = consumer.partitions_for_topic(address.topic)
    if not numbers:
        raise Failure(f"error: {address}: there is no such topic")
    partitions = [TopicPartition(address.topic, number) for number in sorted(numbers)]
    consumer.assign(partitions)
    (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)(*partitions)
    for partition in partitions:
        consumer.position(partition)


def polled(consumer: Any, seconds: float) -> list[Record]:
    """What a KafkaConsumer has, after waiting so many seconds for the first."""
    batches = consumer.poll(timeout_ms=int(seconds * 1000), max_records=_MOST)
    return [
        Record(
            value=record.value or b"",
            partition=str(record.partition),
            offset=record.offset,
            key=record.key,
            headers=tuple((name, value or b"") for name, value in record.headers),
            timestamp=record.timestamp,
        )
        for records in batches.values()
        for record in records
    ]


class _Folder:
    def __init__(self, writer: DirectoryWriter, address: Address) -> None:
        self._writer, self._address = writer, address
        self._unflushed = 0
        self.count = 0

    def write(self, message: Message) -> None:
        self._writer.write([message])
        self.count += 1
        self._unflushed += len(message.value)
        if self._unflushed > _UNFLUSHED:
            self.finish()

    def finish(self) -> None:
        if not self._writer.flush(_PATIENCE):
            stats = self._writer.stats
            lost = stats.pending + stats.dropped
            raise Failure(f"error: {stats.error or self._address}: {lost} messages could not be written")
        self._unflushed = 0


class _Topic:
    def __init__(self, producer: Any, address: Address) -> None:
        self._producer, self._address = producer, address
        self._problem: Exception | None = None
        self._failed = self._sent = 0
        self.count = 0
        from kafka.errors import KafkaTimeoutError

        try:
            producer.partitions_for(address.topic)
        except KafkaTimeoutError:
            raise Failure(f"error: {address}: there is no such topic") from None

    def write(self, message: Message) -> None:
        sent = self._producer.send(self._address.topic, value=message.value, key=message.key)
        sent.add_errback(self._refused)
        self.count += 1
        self._sent += len(message.value)
        if self._sent > _UNFLUSHED:
            self.finish()

    def finish(self) -> None:
        self._producer.flush(timeout=_PATIENCE)
        self._sent = 0
        if self._problem is not None:
            raise Failure(f"error: {self._address}: {self._failed} messages were refused: {self._problem}")

    def _refused(self, problem: Exception) -> None:
        self._failed += 1
        self._problem = problem


def _key(number: int, value: bytes, field_name: str | None) -> bytes | None:
    if field_name is None:
        return None
    try:
        found = json.loads(value)[field_name]
    except (ValueError, TypeError, KeyError):
        raise Failure(f"error: line {number} is no JSON object with a field {field_name!r}") from None
    return (found if isinstance(found, str) else json.dumps(found)).encode()


def _text(name: str, data: bytes | None) -> Object:
    if data is None:
        return {name: None}
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(data).decode()}
