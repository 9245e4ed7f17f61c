"""All partitions of a Kafka topic, read from positions that the caller keeps: no group membership, so no rebalance
and no wait for a dead member's session. The group only learns the positions, so that Kafka's tools show the lag.
"""

import logging
import time
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Literal

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams.base import Chunk, StreamError
from moorage_runtime.streams.kafka_client import client_config, fingerprint, said, words

log = logging.getLogger(__name__)

CHECK = 2.0
"""Seconds between looks at changed secrets, and at a broker or topic that failed."""
DISCOVER = 30.0
"""Seconds between looks for new partitions."""
ASK = 1.0
"""Seconds for which such a look waits for the broker's answer."""
CONNECT = 5.0
"""Seconds for which opening waits for it; a broker that comes later is no error."""
QUEUED_KILOBYTES = 32 << 10
"""What librdkafka holds ahead of the reader."""

_SECOND = itemgetter(1)
_END = KafkaError._PARTITION_EOF  # noqa: SLF001 - the library's public names for librdkafka's own codes begin so
_ASTRAY = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001


class KafkaPartitions:
    """A PartitionReader of a topic; `lost` counts messages.

    `start` counts where `positions` is empty, and `latest` is the end as it is when the topic is first reached, so that
    nothing written after that is missed. With positions, a partition without one was added since, and is read from its
    beginning. A position that the topic has no more (retention, or a topic made anew) goes on at the earliest.
    Only committed transactions are read. One thread at a time.
    """

    def __init__(
        self,
        servers: str,
        topic: str,
        stream: StreamConfig,
        group: str,
        positions: Mapping[str, int],
        start: Literal["latest", "earliest"],
    ) -> None:
        self.error: str | None = None
        self.lost = 0
        self._servers = servers
        self._topic = topic
        self._stream = stream
        self._known = {int(partition): offset for partition, offset in positions.items()}
        self._first: Literal["latest", "earliest"] = "earliest" if positions else start
        self._settings: dict[str, Any] = {
            "group.id": group,
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": QUEUED_KILOBYTES,
            # a full queue is looked at again after this time: by default a second, in which it runs empty
            "fetch.queue.backoff.ms": 5,
            "fetch.error.backoff.ms": 100,
            "error_cb": self._failing,
            "on_commit": self._committed,
        }
        self._assigned: dict[int, int] = {}
        self._ended: set[int] = set()
        self._astray: set[int] = set()
        self._commit_failed = False
        self._secrets = fingerprint(stream)
        self._consumer = self._connect()
        self._discovered = self._checked = time.monotonic()
        self._discover(CONNECT)

    def _connect(self) -> Consumer:
        try:
            return Consumer(client_config(self._servers, self._stream) | self._settings)
        except (KafkaException, OSError, ValueError) as error:
            raise StreamError(f"{self._stream.uri}: {words(error)}") from error

    @property
    def positions(self) -> dict[str, int]:
        """Of every partition that is known: the offset of its next message."""
        return {str(partition): offset for partition, offset in (self._known | self._assigned).items()}

    @property
    def caught_up(self) -> frozenset[str]:
        """Partitions of which nothing was left to read; none while the broker is away, for who knows."""
        return frozenset() if self.error else frozenset(map(str, self._ended))

    def poll(self, most: int, timeout: float) -> list[Chunk]:
        """At most `most` messages, one chunk per partition that has some."""
        self._look_after()
        messages = self._consumer.consume(most, 0)
        if not messages and timeout > 0:
            # `consume` waits until it has all that it was asked for, so it is asked for one
            messages = self._consumer.consume(1, timeout)
            if messages and most > 1:
                messages += self._consumer.consume(most - 1, 0)
        return self._chunks(messages) if messages else []

    def lag(self) -> int | None:
        """Messages left to read by the broker's last answer, transactions' markers included."""
        behind = 0
        if not self._assigned:
            return None
        for partition, offset in self._assigned.items():
            ends = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
            if ends is not None and ends[1] >= 0:
                behind += max(0, ends[1] - offset)
            elif partition not in self._ended:
                return None
        return behind

    def commit(self, positions: Mapping[str, int]) -> None:
        """Commit in the group's name without being its member; a failure is logged once, and told to nobody else."""
        offsets = [
            TopicPartition(self._topic, int(partition), offset) for partition, offset in positions.items()
        ]
        if offsets:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                self._committed(error.args[0], offsets)

    def close(self) -> None:
        """Release the reader."""
        self._consumer.close()

    def _committed(self, error: KafkaError | None, _: list[TopicPartition]) -> None:
        if error is not None and not self._commit_failed:
            log.warning("stream %s: the group's positions are not kept: %s", self._stream.uri, said(error))
        self._commit_failed = error is not None

    def _failing(self, error: KafkaError) -> None:
        if self.error is None:
            log.warning("stream %s fails: %s", self._stream.uri, said(error))
        self.error = f"{self._stream.uri}: {said(error)}"

    def _chunks(self, messages: list[Message]) -> list[Chunk]:
        errors = list(map(Message.error, messages))
        partitions: list[Any] = list(map(Message.partition, messages))
        ends: dict[int, int] = {}
        if any(error is not None for error in errors):
            for message, error, partition in zip(messages, errors, partitions, strict=True):
                if error is None:
                    ends.pop(partition, None)
                elif error.code() == _END:
                    ends[partition] = message.offset() or 0
                elif error.code() in _ASTRAY and partition in self._assigned:
                    self._astray.add(partition)
                else:
                    self._failing(error)
            messages = [message for message, error in zip(messages, errors, strict=True) if error is None]
            partitions = list(map(Message.partition, messages))
        by_partition: dict[int, list[Message]] = {}
        if messages and partitions.count(partitions[0]) == len(partitions):
            by_partition[partitions[0]] = messages
        else:
            for message, partition in zip(messages, partitions, strict=True):
                by_partition.setdefault(partition, []).append(message)
        chunks = [_chunk(partition, some) for partition, some in by_partition.items()]
        for chunk, partition in zip(chunks, by_partition, strict=True):
            self._assigned[partition] = chunk.next_offset
            self._ended.discard(partition)
        for partition, offset in ends.items():
            # the end may lie behind markers of transactions, which are no messages
            self._assigned[partition] = max(offset, self._assigned.get(partition, 0))
            self._ended.add(partition)
        if chunks or ends:
            self._working()
        return chunks

    def _working(self) -> None:
        if self.error is not None:
            log.info("stream %s works again", self._stream.uri)
            self.error = None

    def _look_after(self) -> None:
        now = time.monotonic()
        if now - self._checked < CHECK:
            return
        self._checked = now
        secrets = fingerprint(self._stream)
        if secrets != self._secrets:
            self._renew()
            self._secrets = secrets
        failing = self.error is not None or not self._assigned or self._astray
        if failing or now - self._discovered >= DISCOVER:
            self._discovered = now
            self._discover(ASK)

    def _renew(self) -> None:
        """Go on with a client that has the new secrets, at the same positions."""
        try:
            fresh = self._connect()
        except StreamError as error:
            self.error = str(error)
            return
        self._consumer.close()
        self._consumer = fresh
        self._ended.clear()
        self._assign(self._assigned)

    def _assign(self, offsets: Mapping[int, int]) -> None:
        if offsets:
            self._consumer.incremental_assign(
                [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
            )

    def _discover(self, timeout: float) -> None:
        """Take up partitions that are new, and those whose position the topic has no more."""
        try:
            found = self._consumer.list_topics(self._topic, timeout=timeout).topics[self._topic]
            if found.error is not None:
                self._failing(found.error)
                return
            fresh = {
                partition: self._begin(partition, timeout)
                for partition in sorted(found.partitions)
                if partition not in self._assigned
            }
            for partition in sorted(self._astray):
                self._restart(partition, timeout)
        except KafkaException as error:
            self._failing(error.args[0])
            return
        self._assign(fresh)
        self._assigned |= fresh
        # partitions that come from now on are new: all of their messages are to be read
        self._first = "earliest"
        self._working()

    def _begin(self, partition: int, timeout: float) -> int:
        if partition in self._known:
            return self._known[partition]
        earliest, latest = self._ends(partition, timeout)
        return latest if self._first == "latest" else earliest

    def _restart(self, partition: int, timeout: float) -> None:
        earliest, _ = self._ends(partition, timeout)
        missed = max(0, earliest - self._assigned[partition])
        log.warning(
            "stream %s: partition %d has no offset %d any more: %d messages are lost, it goes on at %d",
            self._stream.uri,
            partition,
            self._assigned[partition],
            missed,
            earliest,
        )
        self.lost += missed
        self._consumer.incremental_unassign([TopicPartition(self._topic, partition)])
        self._assign({partition: earliest})
        self._assigned[partition] = earliest
        self._astray.discard(partition)

    def _ends(self, partition: int, timeout: float) -> tuple[int, int]:
        ends = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=timeout)
        if ends is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        return ends


def _chunk(partition: int, messages: list[Message]) -> Chunk:
    values: list[Any] = list(map(Message.value, messages))
    if None in values:
        values = [value or b"" for value in values]
    offsets: list[Any] = list(map(Message.offset, messages))
    keys: list[Any] = list(map(Message.key, messages))
    headers: list[Any] = list(map(Message.headers, messages))
    none = len(messages)
    return Chunk(
        partition=str(partition),
        values=values,
        offsets=offsets,
        next_offset=offsets[-1] + 1,
        keys=None if keys.count(None) == none else keys,
        headers=None if headers.count(None) == none else [_headers(held) for held in headers],
        timestamps=list(map(_SECOND, map(Message.timestamp, messages))),
    )


def _headers(held: Any) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, content or b"") for name, content in held or ())
