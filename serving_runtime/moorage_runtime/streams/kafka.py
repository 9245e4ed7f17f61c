"""A Kafka topic as a stream, by librdkafka: the event loop only ever appends to its queue.

The producer is idempotent, waits for all replicas and never gives a message up while it fits the buffer, so a broker
may be away for as long as the buffer lasts. No compression: every client can read the topic.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Delivery

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams.base import Message, Record, StreamError, WriterStats
from moorage_runtime.streams.kafka_client import client_config, credentials, fingerprint, said, words

log = logging.getLogger(__name__)

FATAL = KafkaError._FATAL  # noqa: SLF001 - the library's public names for librdkafka's own codes begin so
PURGED = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)  # noqa: SLF001
ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001

TICK = 0.05
"""Seconds between looks at delivery reports: they are taken in bulk, which is kinder to the event loop."""
CHECK = 2.0
"""Seconds between looks at changed secrets and at whether a broker that failed is back."""
CONNECT = 10.0
"""Seconds for which a reader waits for an answer that it cannot do without."""
MESSAGE_OVERHEAD = 256
"""Bytes that a queued message takes beside its value, about."""


class KafkaWriter:
    """Produces from the caller's thread without blocking, and takes delivery reports in a thread of its own."""

    structured = False

    def __init__(self, servers: str, topic: str, stream: StreamConfig, buffer_bytes: int) -> None:
        self._topic = topic
        self._stream = stream
        self._name = stream.uri
        self._settings = {
            "enable.idempotence": True,
            "linger.ms": 5,
            "message.timeout.ms": 0,
            "compression.type": "none",
            "queue.buffering.max.kbytes": max(1, buffer_bytes // 1024),
            "queue.buffering.max.messages": max(1000, buffer_bytes // MESSAGE_OVERHEAD),
        }
        self._servers = servers
        # each counter is written by one thread only
        self._accepted = self._refused = 0
        self._delivered = self._failed = self._seen = 0
        self._refusal: str | None = None
        self._error: str | None = None
        self._fatal = False
        self._callbacks: dict[int, Callable[[KafkaError | None, Delivery], None]] = {}
        self._secrets = fingerprint(stream)
        self._leaving: list[Producer] = []
        self._producer = self._connect()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="moorage-kafka", daemon=True)
        self._thread.start()

    def _connect(self) -> Producer:
        try:
            config = client_config(self._servers, self._stream) | self._settings
            return Producer(config | {"error_cb": self._failing})
        except (KafkaException, OSError, ValueError) as error:
            raise StreamError(f"{self._name}: {words(error)}") from error

    @property
    def stats(self) -> WriterStats:
        """The counts now."""
        delivered, dropped = self._delivered, self._refused + self._failed
        pending = max(0, self._accepted - delivered - dropped)
        return WriterStats(delivered, dropped, pending, self._error or self._refusal)

    def write(self, messages: Sequence[Message]) -> None:
        """Queue the messages in librdkafka; what it refuses is dropped and counted."""
        producer = self._producer
        self._accepted += sum(message.events for message in messages)
        incomplete = False
        for taken, message in enumerate(messages):
            if incomplete:
                # messages without an event of their own belong to the next that has one
                self._refused += message.events
                incomplete = not message.events
                continue
            report = self._callbacks.get(message.events) or self._report(message.events)
            headers: list[tuple[str, str | bytes | None]] = [*message.headers]
            try:
                producer.produce(
                    self._topic, message.value, message.key, on_delivery=report, headers=headers or None
                )
            except BufferError:
                self._refused += sum(late.events for late in messages[taken:])
                return
            except KafkaException as error:
                self._refused += message.events
                incomplete = not message.events
                self._refusal = f"{self._name}: {words(error)}"
                self._fatal = self._fatal or error.args[0].fatal()

    def flush(self, timeout: float) -> bool:
        """Wait until every message is delivered or given up."""
        deadline = time.monotonic() + timeout
        while self.stats.pending and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self.stats.pending

    def close(self, timeout: float) -> None:
        """Flush; what is still here counts as dropped, though a part of it may have arrived."""
        self.flush(timeout)
        self._closing.set()
        self._thread.join()
        for producer in (*self._leaving, self._producer):
            producer.purge()
            producer.flush(1)

    def _report(self, events: int) -> Callable[[KafkaError | None, Delivery], None]:
        def report(error: KafkaError | None, _: Delivery) -> None:
            if error is None:
                self._delivered += events
                if self._error is not None:
                    self._working()
            else:
                self._failed += events
                if error.code() not in PURGED:
                    self._error = f"{self._name}: {said(error)}"

        self._callbacks[events] = report
        return report

    def _failing(self, error: KafkaError) -> None:
        if error.code() == ALL_DOWN and self._error is not None:
            return
        if self._error is None:
            log.warning("stream %s fails: %s", self._name, said(error))
        self._error = f"{self._name}: {said(error)}"
        if error.code() == FATAL:
            self._fatal = True

    def _working(self) -> None:
        log.info("stream %s works again", self._name)
        self._error = None

    def _run(self) -> None:
        checked = time.monotonic()
        while not self._closing.wait(TICK):
            for producer in (*self._leaving, self._producer):
                producer.poll(0)
            now = time.monotonic()
            if now - checked >= CHECK or self._fatal:
                checked = now
                self._look_after()

    def _look_after(self) -> None:
        secrets = fingerprint(self._stream)
        if self._fatal or secrets != self._secrets:
            self._renew()
            self._secrets = secrets
        for producer in [one for one in self._leaving if not len(one)]:
            self._leaving.remove(producer)
        delivered, self._seen = self._seen, self._delivered
        pending = self.stats.pending
        stuck = pending and delivered == self._delivered
        if (stuck and self._error is None) or (not pending and self._error is not None):
            self._ask()

    def _ask(self) -> None:
        """Ask the broker what it thinks of the topic: a missing one would be told after half a minute only."""
        try:
            error = self._producer.list_topics(self._topic, timeout=1).topics[self._topic].error
        except KafkaException:
            return
        if error is not None:
            self._failing(error)
        elif self._error is not None:
            self._working()

    def _renew(self) -> None:
        """Go on with a new producer; the old one delivers what it holds, unless it is broken for good."""
        try:
            fresh = self._connect()
        except StreamError as error:
            self._error = str(error)
            return
        old, self._producer = self._producer, fresh
        if self._fatal:
            old.purge()
            self._fatal = False
        known = credentials(self._stream)
        if known is not None:
            old.set_sasl_credentials(*known)
        self._leaving.append(old)


class KafkaReader:
    """A member of a consumer group, in whose name positions are committed by hand."""

    def __init__(
        self,
        servers: str,
        topic: str,
        stream: StreamConfig,
        group: str,
        start: Literal["earliest", "latest"],
    ) -> None:
        self._name = stream.uri
        settings: dict[str, Any] = {
            "group.id": group,
            "auto.offset.reset": start,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "error_cb": self._failing,
        }
        self.error: str | None = None
        self._positions: dict[tuple[str, int], int] = {}
        self._ends: dict[int, int] = {}
        try:
            self._consumer = Consumer(client_config(servers, stream) | settings)
            if start == "latest":
                self._ends = self._find_ends(topic)
            self._consumer.subscribe(
                [topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
            )
        except (KafkaException, OSError, ValueError) as error:
            raise StreamError(f"{self._name}: {words(error)}") from error

    def _find_ends(self, topic: str) -> dict[int, int]:
        """Where each partition ends now: joining the group takes seconds, and what comes meanwhile is to be read."""
        known = self._consumer.list_topics(topic, timeout=CONNECT).topics[topic]
        if known.error is not None:
            raise KafkaException(known.error)
        ends = {}
        for partition in known.partitions:
            _, ends[partition] = self._consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=CONNECT
            )
        return ends

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._ends:
            for partition in consumer.committed(partitions, timeout=CONNECT):
                end = self._ends.get(partition.partition)
                if partition.offset < 0 and end is not None:
                    mine = next(one for one in partitions if one.partition == partition.partition)
                    mine.offset = end
            consumer.assign(partitions)

    def _failing(self, error: KafkaError) -> None:
        self.error = f"{self._name}: {said(error)}"

    def _revoked(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._positions.pop((partition.topic, partition.partition), None)

    def poll(self, most: int, timeout: float) -> list[Record]:
        """At most `most` records; a broker that is away is an empty answer, and `error` says so."""
        records = []
        for message in self._consumer.consume(most, timeout):
            error = message.error()
            if error is not None:
                self.error = f"{self._name}: {said(error)}"
                continue
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None
            assert partition is not None
            assert offset is not None
            self._positions[topic, partition] = offset + 1
            records.append(_record(message, partition, offset))
        if records:
            self.error = None
        return records

    def commit(self) -> None:
        """Commit the position after all records returned so far, of partitions that are still ours."""
        offsets = [TopicPartition(topic, partition, at) for (topic, partition), at in self._positions.items()]
        self._positions.clear()
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise StreamError(f"{self._name}: position not kept: {words(error)}") from error

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


def _record(message: Delivery, partition: int, offset: int) -> Record:
    kind, timestamp = message.timestamp()
    key = message.key()
    held = message.headers() or []
    headers = held.items() if isinstance(held, dict) else held
    return Record(
        value=_bytes(message.value()),
        partition=str(partition),
        offset=offset,
        key=None if key is None else _bytes(key),
        headers=tuple((name, _bytes(content)) for name, content in headers),
        timestamp=timestamp if kind else None,
    )


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
