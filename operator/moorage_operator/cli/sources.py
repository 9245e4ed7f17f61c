"""Captured messages from either kind of stream, without a consumer group and without a native client.

A source gives the newest messages first, then whatever comes. It commits nothing, so that looking changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from moorage_operator.cli.broker import connected, security
from moorage_operator.cli.failure import Failure
from moorage_operator.cli.records import polled
from moorage_operator.local.apiserver.objects import Object
from moorage_runtime.streams.base import StreamError
from moorage_runtime.streams.directory import DirectoryReader, tail

Headers = tuple[tuple[str, bytes], ...]
Value = tuple[bytes, Headers]
EVERYTHING = 10**9
_POLL = 1.0
_MOST = 500
_PATIENCE = 20
"""Polls without an answer while messages are known to be there."""


class Source(Protocol):
    """Messages of one stream."""

    def last(self, most: int) -> list[Value]:
        """At most `most` of the newest messages of each partition or writer, in its order."""

    def more(self) -> list[Value]:
        """What has come since, after waiting up to a second for it."""


class Folder:
    """A directory stream."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reader: DirectoryReader | None = None

    def last(self, most: int) -> list[Value]:
        """Nothing where the folder does not exist yet."""
        records, position = tail(self._folder, most)
        self._reader = DirectoryReader(self._folder, start=position)
        return [(record.value, record.headers) for record in records]

    def more(self) -> list[Value]:
        """New lines."""
        assert self._reader is not None
        return [(record.value, record.headers) for record in self._reader.poll(_MOST, _POLL)]


class Topic:
    """A Kafka topic, by kafka-python."""

    def __init__(self, consumer: Any, topic: str) -> None:
        from kafka import TopicPartition

        self._consumer = consumer
        numbers = consumer.partitions_for_topic(topic) or ()
        self._partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(self._partitions)

    def last(self, most: int) -> list[Value]:
        """Nothing where the topic does not exist yet."""
        if not self._partitions:
            return []
        begins = self._consumer.beginning_offsets(self._partitions)
        ends = self._consumer.end_offsets(self._partitions)
        for partition in self._partitions:
            self._consumer.seek(partition, max(begins[partition], ends[partition] - most))
        found: list[Value] = []
        silent = 0
        while any(self._consumer.position(partition) < ends[partition] for partition in self._partitions):
            values = self.more()
            silent = 0 if values else silent + 1
            if silent > _PATIENCE:
                raise Failure(f"error: {ends} was promised, but the broker has sent nothing for {silent} s")
            found += values
        return found

    def more(self) -> list[Value]:
        """New messages."""
        return [(record.value, record.headers) for record in polled(self._consumer, _POLL) if record.value]


@contextmanager
def open_source(
    state: Path, kafka_spec: Object, kafka: str | None, secret: Object | None, ca: Object | None
) -> Iterator[Source]:
    """The stream of a manifest's `kafka` block: the folder of its topic, or the broker that `moorage up` was given."""
    topic = kafka_spec["topic"]
    if kafka is None:
        try:
            yield Folder(state / "streams" / topic)
        except StreamError as error:
            raise Failure(f"error: {error}") from None
        return

    def security_of(folder: Path) -> dict[str, Any]:
        return security(kafka_spec, secret, ca, folder)

    with connected(kafka, topic, security_of, "KafkaConsumer", enable_auto_commit=False) as consumer:
        yield Topic(consumer, topic)
