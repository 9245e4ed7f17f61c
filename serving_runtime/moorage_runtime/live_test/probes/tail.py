"""A stream read from the end that it has now, by nobody's group: what the capture round trip needs.

A consumer group's `latest` is settled only when the group was assigned, some time after it was opened; events of
the first requests would be missed. Here the end is known before `open_tail` returns, and nothing is left behind.
"""

from typing import Any

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams import Reader, Record, StreamError, kafka_address, stream_path

TIMEOUT = 10.0
"""Seconds for the broker to say where the topic ends."""


def open_tail(stream: StreamConfig) -> Reader:
    """A reader from the stream's present end. Raises StreamError naming the stream."""
    address = kafka_address(stream.uri)
    if address is not None:
        return KafkaTail(*address, stream)
    from moorage_runtime.streams.directory import DirectoryReader

    return DirectoryReader(stream_path(stream.uri))


class KafkaTail:
    """All partitions of a topic, from their ends; of a topic that does not exist yet, from its beginning."""

    def __init__(self, servers: str, topic: str, stream: StreamConfig) -> None:
        try:
            from confluent_kafka import Consumer, KafkaException
        except ImportError:
            raise StreamError(
                f"{stream.uri}: reading it needs confluent-kafka: install moorage[kafka]"
            ) from None
        from moorage_runtime.streams.kafka_client import client_config

        self._name, self._topic = stream.uri, topic
        self._failures: type[Exception] = KafkaException
        settings = {
            "group.id": "moorage-test",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
        try:
            self._consumer = Consumer(client_config(servers, stream) | settings)
            self._assigned = self._assign(from_end=True)
        except (KafkaException, OSError, ValueError) as error:
            raise StreamError(f"{stream.uri}: {error}") from error

    def poll(self, most: int, timeout: float) -> list[Record]:
        """At most `most` records, waiting up to `timeout` seconds for the first."""
        try:
            self._assigned = self._assigned or self._assign(from_end=False)
            messages = self._consumer.consume(most, timeout) if self._assigned else []
        except self._failures as error:
            raise StreamError(f"{self._name}: {error}") from error
        return [
            Record(
                value=_bytes(message.value()),
                partition=str(message.partition()),
                offset=message.offset() or 0,
                headers=_headers(message.headers()),
            )
            for message in messages
            if message.error() is None
        ]

    def commit(self) -> None:
        """Nothing is kept: the reader belongs to no group."""

    def close(self) -> None:
        """Release the reader."""
        self._consumer.close()

    def _assign(self, *, from_end: bool) -> bool:
        """Take all partitions; whether there are any."""
        from confluent_kafka import TopicPartition

        topics = self._consumer.list_topics(self._topic, timeout=TIMEOUT).topics
        found = [TopicPartition(self._topic, number) for number in topics[self._topic].partitions]
        for partition in found:
            low, high = self._consumer.get_watermark_offsets(partition, timeout=TIMEOUT)
            partition.offset = high if from_end else low
        if found:
            self._consumer.assign(found)
        return bool(found)


def _headers(given: Any) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, _bytes(value)) for name, value in given or ())


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
