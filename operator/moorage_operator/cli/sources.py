"""Captured messages from either kind of stream, without a consumer group and without a native client.

A source gives the newest messages first, then whatever comes. It commits nothing, so that looking changes nothing.
"""

import base64
import logging
import socket
import ssl
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from moorage_operator.cli.failure import Failure
from moorage_operator.local.apiserver.objects import Object
from moorage_runtime.streams.base import StreamError
from moorage_runtime.streams.directory import DirectoryReader, tail

Headers = tuple[tuple[str, bytes], ...]
Value = tuple[bytes, Headers]
EVERYTHING = 10**9
_POLL = 1000
_MOST = 500
_CONNECT_SECONDS = 10
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
        return [(record.value, record.headers) for record in self._reader.poll(_MOST, _POLL / 1000)]


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
        polled = self._consumer.poll(timeout_ms=_POLL, max_records=_MOST)
        return [
            (record.value, tuple((name, value) for name, value in record.headers if value is not None))
            for records in polled.values()
            for record in records
            if record.value is not None
        ]


@contextmanager
def open_source(
    state: Path, capture: Object, kafka: str | None, secret: Object | None, ca: Object | None
) -> Iterator[Source]:
    """The stream of `spec.capture`: the folder of its topic, or the broker that `moorage up` was given."""
    topic = capture["kafka"]["topic"]
    if kafka is None:
        try:
            yield Folder(state / "streams" / topic)
        except StreamError as error:
            raise Failure(f"error: {error}") from None
        return
    _reach(kafka, topic)
    # kafka-python's own, on Python 3.11
    warnings.filterwarnings("ignore", r"(open|read)_text is deprecated", DeprecationWarning)
    from kafka import KafkaConsumer
    from kafka.errors import KafkaError

    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        try:
            consumer = KafkaConsumer(
                bootstrap_servers=kafka.split(","),
                enable_auto_commit=False,
                **security(capture["kafka"], secret, ca, Path(folder)),
            )
        except (KafkaError, OSError, ValueError) as error:
            raise Failure(f"error: kafka://{kafka}/{topic} does not answer: {error}") from None
        try:
            yield Topic(consumer, topic)
        except KafkaError as error:
            raise Failure(f"error: kafka://{kafka}/{topic}: {error}") from None
        finally:
            consumer.close()


def _reach(kafka: str, topic: str) -> None:
    """Say at once where no broker listens; kafka-python would try for half a minute."""
    problem = ""
    for address in kafka.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS):
                return
        except (OSError, ValueError) as error:
            problem = f"{address}: {error}"
    raise Failure(f"error: kafka://{kafka}/{topic} does not answer: {problem}")


def security(spec: Object, secret: Object | None, ca: Object | None, folder: Path) -> dict[str, Any]:
    """kafka-python's options for `tls` and `authSecretRef`; keys and certificates are written under `folder`."""
    auth, authority = _decoded(secret), _decoded(ca)
    options: dict[str, Any] = {}
    if "tls" in spec:
        context = ssl.create_default_context(cadata=authority.get("ca.crt"))
        if "tls.crt" in auth:
            for name in ("tls.crt", "tls.key"):
                (folder / name).touch(mode=0o600)
                (folder / name).write_text(auth[name], encoding="utf-8")
            context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        options |= {"ssl_context": context}
    if "username" in auth:
        options |= {
            "sasl_mechanism": auth.get("mechanism", "PLAIN").strip(),
            "sasl_plain_username": auth["username"].strip(),
            "sasl_plain_password": auth.get("password", "").strip(),
        }
    protocol = ("SASL_" if "username" in auth else "") + ("SSL" if "tls" in spec else "PLAINTEXT")
    return {**options, "security_protocol": protocol}


def _decoded(secret: Object | None) -> dict[str, str]:
    data = (secret or {}).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
