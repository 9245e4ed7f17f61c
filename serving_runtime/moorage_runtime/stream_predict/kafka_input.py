"""A member of the input topic's consumer group: polls by batch, keeps positions by hand.

Cooperative: in a rebalance only the partitions that move stop. What is in hand for those is settled first.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from moorage_runtime.config import StreamConfig
from moorage_runtime.stream_predict.records import Batch, Partition, Positions
from moorage_runtime.streams.base import StreamError
from moorage_runtime.streams.kafka_client import client_config

LINGER = 0.01
"""Seconds for which a batch gathers once its first record is there."""
QUEUED_KIB = 16 * 1024
"""Bound of what is fetched ahead."""
IDLE = 2.0
"""Seconds of waiting after which fetching is paused; what was fetched ahead is given up by that."""
CONNECT = 5.0
_LOOK = 2.0
"""Seconds between looks at whether a topic or broker that failed is back."""
Leaving = Callable[[frozenset[Partition], bool], None]
"""Called with partitions that are about to go, and whether they are lost already."""


class KafkaInput:
    """Reads a topic as a member of `group`; for one thread. Raises StreamError where it is set up wrongly."""

    ahead = True
    """Whether a batch may be taken before the one before is committed."""

    def __init__(
        self,
        address: tuple[str, str],
        stream: StreamConfig,
        group: str,
        start: Literal["earliest", "latest"],
        leaving: Leaving,
    ) -> None:
        servers, self._topic = address
        self._name = stream.uri
        self._start = start
        self._leaving = leaving
        self.error: str | None = None
        self._joined = self._paused = False
        self._epochs: dict[Partition, int] = {}
        self._taken: dict[Partition, int] = {}
        self._assigned: set[Partition] = set()
        self._kept: dict[Partition, int] = {}
        self._held: list[Message] = []
        self._looked = 0.0
        self._waiting_since: float | None = None
        settings: dict[str, Any] = {
            "group.id": group,
            "auto.offset.reset": start,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 10_000,
            "heartbeat.interval.ms": 2_000,
            # also how long the group waits for a member that was killed while it joined
            "max.poll.interval.ms": 60_000,
            "topic.metadata.refresh.interval.ms": 5_000,
            "queued.max.messages.kbytes": QUEUED_KIB,
            "fetch.queue.backoff.ms": 10,
            "fetch.max.bytes": QUEUED_KIB * 1024,
            "error_cb": self._failing,
        }
        try:
            self._consumer = Consumer(client_config(servers, stream) | settings)
            self._consumer.subscribe(
                [self._topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose
            )
        except (KafkaException, OSError, ValueError) as error:
            raise StreamError(f"{self._name}: {_words(error)}") from error

    @property
    def joined(self) -> bool:
        """Whether the group has given this member its share, which may be none."""
        return self._joined or bool(self._consumer.memberid())

    def take(self, most: int, wait: float) -> Batch | None:
        """At most `most` records, waiting up to `wait` seconds for the first."""
        before = dict(self._epochs)
        messages, self._held = self._held, []
        if not messages:
            messages = self._consumer.consume(1, wait)
        if not messages:
            self._look()
            return None
        if most > len(messages):
            messages += self._consumer.consume(most - len(messages), LINGER)
        good = [message for message in messages if message.error() is None]
        if len(good) != len(messages):
            bad = next(error for message in messages if (error := message.error()) is not None)
            self.error = f"{self._name}: {_said(bad)}"
        if good:
            self.error = None
        if before != self._epochs:
            good = self._still_ours(good, before)
        self._taken = dict(self._epochs)
        return _columns(self._topic, good) if good else None

    def _still_ours(self, messages: list[Message], before: dict[Partition, int]) -> list[Message]:
        """Without what was read before its partition went; of a partition that came back, what is read anew."""
        moved = {p for p in before if before[p] != self._epochs[p]}
        last: dict[Partition, int] = {}
        begin: dict[Partition, int] = {}
        for place, message in enumerate(messages):
            partition, offset = _place(message)
            if partition in moved and offset <= last.get(partition, -1):
                begin[partition] = place
            last[partition] = offset
        return [
            message
            for place, message in enumerate(messages)
            if (p := message.partition()) in self._assigned and place >= begin.get(p or 0, 0)
        ]

    def moved(self) -> frozenset[Partition]:
        """Partitions that went since the last `take`, though they may be back."""
        return frozenset(p for p, epoch in self._taken.items() if self._epochs[p] != epoch)

    def commit(self, positions: Positions) -> None:
        """Keep the positions, without waiting; a commit that fails is made good by the next."""
        self._kept |= positions
        if positions:
            try:
                self._consumer.commit(offsets=self.positions(positions), asynchronous=True)
            except KafkaException as error:
                self.error = f"{self._name}: position not kept: {_words(error)}"

    def positions(self, ends: Positions) -> list[TopicPartition]:
        """Positions as a transaction takes them."""
        return [TopicPartition(self._topic, int(p), at) for p, at in ends.items()]

    def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The group's positions, transactions that are under way awaited. Raises KafkaException."""
        asked = [TopicPartition(self._topic, int(p)) for p in partitions]
        return {each.partition: each.offset for each in self._consumer.committed(asked, timeout=CONNECT)}

    def membership(self) -> object:
        """What a transaction proves the membership with."""
        return self._consumer.consumer_group_metadata()

    def idle(self) -> None:
        """Stay a member while nothing can be taken: after a while fetching is paused and rebalances are answered."""
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        if now - self._waiting_since < IDLE:
            return
        if not self._paused:
            self._paused = True
            self._consumer.pause(self._consumer.assignment())
        message = self._consumer.poll(0.05)
        if message is not None and message.error() is None:
            self._held.append(message)

    def resume(self) -> None:
        """Fetch again."""
        self._waiting_since = None
        if self._paused:
            self._paused = False
            self._consumer.resume(self._consumer.assignment())

    def lag(self) -> int | None:
        """Records between the position and the end, of this member's partitions; None where not known."""
        total = 0
        try:
            for at in self._consumer.position(self._consumer.assignment()):
                low, high = self._consumer.get_watermark_offsets(at, timeout=1, cached=at.offset >= 0)
                position = at.offset
                if position < 0:
                    (known,) = self._consumer.committed([at], timeout=1)
                    position = known.offset if known.offset >= 0 else low
                total += max(0, high - position)
        except KafkaException:
            return None
        return total

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined = True
        self.error = None
        if self._start == "latest":
            self._begin_at_end(consumer, partitions)
        for each in partitions:
            self._epochs[each.partition] = self._epochs.get(each.partition, 0) + 1
            self._assigned.add(each.partition)
        consumer.incremental_assign(partitions)
        if self._paused:
            consumer.pause(partitions)

    def _begin_at_end(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Fix the end as the position of a group that has none: later starts go on from there."""
        try:
            fresh = [each for each in consumer.committed(partitions, timeout=CONNECT) if each.offset < 0]
            ends = {
                each.partition: consumer.get_watermark_offsets(each, timeout=CONNECT)[1] for each in fresh
            }
            if ends:
                for each in partitions:
                    each.offset = ends.get(each.partition, each.offset)
                offsets = [TopicPartition(self._topic, p, at) for p, at in ends.items()]
                consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            self.error = f"{self._name}: {_words(error)}"

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._go(partitions, lost=False)
        last = [
            TopicPartition(self._topic, each.partition, at)
            for each in partitions
            if (at := self._kept.pop(each.partition, None)) is not None
        ]
        if last:
            try:
                consumer.commit(offsets=last, asynchronous=False)
            except KafkaException as error:
                self.error = f"{self._name}: position not kept: {_words(error)}"

    def _lose(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._go(partitions, lost=True)
        for each in partitions:
            self._kept.pop(each.partition, None)

    def _go(self, partitions: list[TopicPartition], *, lost: bool) -> None:
        numbers: frozenset[Partition] = frozenset(each.partition for each in partitions)
        self._leaving(numbers, lost)
        self._held = [message for message in self._held if message.partition() not in numbers]
        for number in numbers:
            self._epochs[number] = self._epochs.get(number, 0) + 1
            self._assigned.discard(number)

    def _failing(self, error: KafkaError) -> None:
        self.error = f"{self._name}: {_said(error)}"

    def _look(self) -> None:
        """Whether what failed works again; a quiet topic would not say so by itself."""
        now = time.monotonic()
        if (self.error is None and self._joined) or now - self._looked < _LOOK:
            return
        self._looked = now
        try:
            failure = self._consumer.list_topics(self._topic, timeout=1).topics[self._topic].error
        except KafkaException as error:
            self.error = f"{self._name}: {_words(error)}"
            return
        self.error = None if failure is None else f"{self._name}: {_said(failure)}"


def _columns(topic: str, messages: list[Message]) -> Batch:
    """By column; what confluent-kafka's types allow beside bytes needs a deserializer or an error to come about."""
    columns: dict[str, Any] = {
        "values": [message.value() for message in messages],
        "keys": [message.key() for message in messages],
        "headers": [message.headers() for message in messages],
        "timestamps": [message.timestamp()[1] for message in messages],
        "partitions": [message.partition() for message in messages],
        "offsets": [message.offset() for message in messages],
    }
    return Batch(topic, **columns)


def _place(message: Message) -> tuple[int, int]:
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return partition, offset


def _said(error: KafkaError) -> str:
    return str(error.str())


def _words(error: Exception) -> str:
    """Librdkafka's own words, where it spoke."""
    first = error.args[0] if error.args else error
    return _said(first) if isinstance(first, KafkaError) else str(error)
