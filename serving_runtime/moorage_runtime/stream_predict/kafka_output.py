"""Writes output records and dead letters to Kafka: acknowledged by all replicas, in order, without duplicates of ours."""

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from moorage_runtime.config import StreamConfig
from moorage_runtime.stream_predict.records import Outgoing
from moorage_runtime.streams.base import StreamError
from moorage_runtime.streams.kafka_client import client_config

_PURGED = (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)  # noqa: SLF001 - librdkafka's public names
_HOPELESS = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_TIMESTAMP)
"""Errors of the record itself: it would be refused again."""
_QUEUE = 200_000
"""Records that may wait in librdkafka; more than one batch has."""
_LOOK = 2.0
TRANSACTION_SECONDS = 60


class KafkaSender:
    """A producer for one cluster. `send` takes a batch, `wait` says whether the cluster has it.

    What the broker refuses is not retried here: `refused` hands it back with the error. Only failures are reported
    record by record, as a report of each success would cost as much as the record.
    """

    def __init__(self, servers: str, stream: StreamConfig, transactional_id: str | None = None) -> None:
        self._servers = servers
        self._stream = stream
        self.name = stream.uri
        self._transactional_id = transactional_id
        self.error: str | None = None
        self._reports: list[tuple[KafkaError, Message]] = []
        self._sent: list[Outgoing] = []
        self._broken = False
        self._looked = 0.0
        self.producer = self._connect()

    def _connect(self) -> Producer:
        settings: dict[str, Any] = {
            "enable.idempotence": True,
            "linger.ms": 5,
            "message.timeout.ms": 0,
            "message.max.bytes": 64 << 20,
            "batch.size": 1 << 19,
            "compression.type": "none",
            "queue.buffering.max.messages": _QUEUE,
            "delivery.report.only.error": True,
            "on_delivery": self._report,
            "error_cb": self._failing,
        }
        if self._transactional_id is not None:
            settings["transactional.id"] = self._transactional_id
            settings["transaction.timeout.ms"] = TRANSACTION_SECONDS * 1000
            settings["message.timeout.ms"] = TRANSACTION_SECONDS * 1000
        try:
            return Producer(client_config(self._servers, self._stream) | settings)
        except (KafkaException, OSError, ValueError) as error:
            raise StreamError(f"{self.name}: {words(error)}") from error

    def send(self, records: Sequence[Outgoing]) -> None:
        """Hand the records over; waits where librdkafka's queue is full."""
        self._sent.extend(records)
        produce = self.producer.produce
        for record in records:
            while True:
                try:
                    produce(
                        record.target,
                        record.value,
                        record.key,
                        headers=record.headers or None,  # type: ignore[arg-type]  # a list of pairs, as it wants
                        timestamp=record.timestamp or 0,
                    )
                except BufferError:
                    self.producer.poll(0.05)
                except KafkaException as error:
                    self._reports.append((error.args[0], _Unsent(record)))  # type: ignore[arg-type]
                    self._broken = self._broken or error.args[0].fatal()
                    break
                else:
                    break

    def wait(self, timeout: float) -> bool:
        """Whether everything that was sent is acknowledged or refused, within `timeout` seconds."""
        if self.producer.flush(timeout):
            if self._transactional_id is not None and self._reports:
                return True  # a transaction with a refused record sends no more: it can only be aborted
            self._look()
            return False
        if not self._reports:
            self._sent.clear()
            self.error = None
        return True

    def refused(self) -> list[tuple[Outgoing, str, bool]]:
        """What the cluster did not take: the record, why, and whether it is the record's own fault."""
        reports, self._reports = self._reports, []
        by_content = {(each.target, each.value, each.key): each for each in self._sent} if reports else {}
        self._sent.clear()
        found = []
        for error, message in reports:
            record = by_content.get((message.topic(), message.value(), message.key()))  # type: ignore[arg-type]
            if record is not None and error.code() not in _PURGED:
                own = error.code() in _HOPELESS
                found.append((record, str(error.str()), own))
                if not own:
                    self.error = f"{self.name}: {record.target}: {error.str()}"
        if self._broken:
            self.renew()
        return found

    def renew(self) -> None:
        """Go on with a new producer; what the old one holds is given up. Raises StreamError."""
        old = self.producer
        old.purge()
        self._reports, self._broken = [], False
        self._sent.clear()
        self.producer = self._connect()

    def close(self) -> None:
        """Give up what is not delivered."""
        self.producer.purge()
        self.producer.flush(1)

    def _report(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._reports.append((error, message))

    def _failing(self, error: KafkaError) -> None:
        self.error = f"{self.name}: {error.str()}"
        self._broken = self._broken or error.code() == KafkaError._FATAL  # noqa: SLF001

    def _look(self) -> None:
        """Ask what is wrong with a topic: librdkafka would tell of a missing one after half a minute only."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        try:
            for target in {each.target for each in self._sent}:
                failure = self.producer.list_topics(target, timeout=1).topics[target].error
                if failure is not None:
                    self.error = f"{self.name}: {target}: {failure.str()}"
        except KafkaException as error:
            self.error = f"{self.name}: {words(error)}"


class _Unsent:
    """A record that librdkafka refused at once, in the shape of its reports."""

    def __init__(self, record: Outgoing) -> None:
        self._record = record

    def topic(self) -> str:
        return self._record.target

    def value(self) -> bytes | None:
        return self._record.value

    def key(self) -> bytes | None:
        return self._record.key


def words(error: Exception) -> str:
    """Librdkafka's own words, where it spoke."""
    first = error.args[0] if error.args else error
    return str(first.str()) if isinstance(first, KafkaError) else str(error)
