"""Where captured events go to and come from: a Kafka topic, or a folder on one machine; a URI says which."""

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import unquote, urlsplit

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams.base import (
    Chunk,
    Message,
    PartitionReader,
    Reader,
    Record,
    StreamError,
    Writer,
    WriterStats,
)

__all__ = [
    "Chunk",
    "Message",
    "PartitionReader",
    "Reader",
    "Record",
    "StreamError",
    "Writer",
    "WriterStats",
    "kafka_address",
    "open_partitions",
    "open_reader",
    "open_writer",
    "stream_path",
]

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


def kafka_address(uri: str) -> tuple[str, str] | None:
    """(bootstrap servers, topic) of `kafka://HOST:PORT,…/TOPIC`; None where the URI is no Kafka address."""
    if not uri.startswith("kafka://"):
        return None
    servers, _, topic = uri.removeprefix("kafka://").partition("/")
    if not servers or not _TOPIC.fullmatch(topic):
        raise StreamError(f"{uri}: a Kafka stream is written kafka://HOST:PORT,…/TOPIC")
    return servers, topic


def stream_path(uri: str) -> str:
    """The folder of a directory stream: a plain path as it is, or that of a file:/// URI."""
    if "://" not in uri:
        return uri
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise StreamError(f"{uri}: a stream is kafka://HOST:PORT,…/TOPIC, a path, or file:///PATH")
    return unquote(parts.path)


def open_writer(stream: StreamConfig, buffer_bytes: int) -> Writer:
    """A writer that holds back at most about `buffer_bytes`. Raises StreamError, naming the stream.

    A folder that cannot be written is an error at once. A broker that does not answer is none: it may come later.
    """
    address = kafka_address(stream.uri)
    if address is not None:
        from moorage_runtime.streams.kafka import KafkaWriter

        return KafkaWriter(*address, stream, buffer_bytes)
    from moorage_runtime.streams.directory import DirectoryWriter

    return DirectoryWriter(stream_path(stream.uri), buffer_bytes)


def open_reader(stream: StreamConfig, group: str, start: Literal["earliest", "latest"]) -> Reader:
    """A reader for `group`; `start` counts where the group has no position yet. Raises StreamError."""
    address = kafka_address(stream.uri)
    if address is not None:
        from moorage_runtime.streams.kafka import KafkaReader

        return KafkaReader(*address, stream, group, start)
    from moorage_runtime.streams.directory import DirectoryReader

    return DirectoryReader(stream_path(stream.uri), group, start)


def open_partitions(
    stream: StreamConfig, group: str, positions: Mapping[str, int], start: Literal["latest", "earliest"]
) -> PartitionReader:
    """A reader of all partitions from `positions`; `start` counts where there are none at all. Raises StreamError.

    With positions, a partition without one came into being since: it is read from its beginning. A broker, topic or
    folder that is not there is no error: the reader waits for it, and says so.
    """
    address = kafka_address(stream.uri)
    if address is not None:
        from moorage_runtime.streams.kafka_partitions import KafkaPartitions

        return KafkaPartitions(*address, stream, group, positions, start)
    from moorage_runtime.streams.directory_partitions import DirectoryPartitions

    return DirectoryPartitions(stream_path(stream.uri), group, positions, start)
