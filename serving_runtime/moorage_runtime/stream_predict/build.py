"""From a config to the parts of a worker: which input, which senders, which delivery."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from moorage_runtime.config import StreamConfig, StreamPredictConfig
from moorage_runtime.stream_predict.delivery import AtLeastOnce, Delivery, Input, Letters, Sender
from moorage_runtime.stream_predict.directory import DirectoryInput, LineSender
from moorage_runtime.stream_predict.metrics import Metrics
from moorage_runtime.stream_predict.records import Partition
from moorage_runtime.streams import StreamError, kafka_address, stream_path


class BadStreamsError(Exception):
    """The config asks for what its streams cannot do; one line says which field."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A config that was found to be possible."""

    config: StreamPredictConfig
    group: str

    def input(self, leaving: Callable[[frozenset[Partition], bool], None]) -> Input:
        """Join the input. Raises StreamError."""
        config = self.config
        address = kafka_address(config.input.uri)
        if address is None:
            return DirectoryInput(config.input, self.group, config.start)
        from moorage_runtime.stream_predict.kafka_input import KafkaInput

        return KafkaInput(address, config.input, self.group, config.start, leaving)

    def delivery(self, source: Callable[[], Input], metrics: Metrics) -> Delivery:
        """Open the outputs. Raises StreamError."""
        config = self.config
        lines = kafka_address(config.dead_letter.uri) is None
        letters = Letters(_target(config.output), _target(config.dead_letter), dead_lines=lines)
        if config.delivery == "AtLeastOnce":
            output = _sender(config.output)
            dead = output if _same_cluster(config.output, config.dead_letter) else _sender(config.dead_letter)
            return AtLeastOnce(source, output, dead, letters, metrics)
        from moorage_runtime.stream_predict.kafka_input import KafkaInput
        from moorage_runtime.stream_predict.kafka_output import KafkaSender
        from moorage_runtime.stream_predict.transactions import ExactlyOnce

        servers = _servers(config.output)
        sender = KafkaSender(servers, config.output, f"{self.group}.{_instance(config)}")
        return ExactlyOnce(cast("Callable[[], KafkaInput]", source), sender, letters, metrics)


def plan(config: StreamPredictConfig) -> Plan:
    """Check what the types cannot say. Raises BadStreamsError or StreamError."""
    if not config.models:
        raise BadStreamsError("models: there is none to predict with")
    streams = {"input": config.input, "output": config.output, "deadLetter": config.dead_letter}
    places = {
        name: (kafka_address(stream.uri) or stream_path(stream.uri)) for name, stream in streams.items()
    }
    for name in ("output", "deadLetter"):
        if places[name] == places["input"]:
            raise BadStreamsError(f"{name}: is the input itself ({config.input.uri}): it would be read again")
    if config.delivery == "ExactlyOnce":
        for name, stream in streams.items():
            if kafka_address(stream.uri) is None:
                raise BadStreamsError(
                    f"delivery: ExactlyOnce needs Kafka's transactions, and {name} is the directory stream "
                    f"{stream.uri}: use AtLeastOnce"
                )
            if not _same_cluster(stream, config.input):
                raise BadStreamsError(
                    f"delivery: a transaction of ExactlyOnce spans one cluster, and {name} is on another one "
                    f"than input: {stream.uri}"
                )
    return Plan(config, config.group or f"moorage.{config.namespace}.{config.name}")


def _sender(stream: StreamConfig) -> Sender:
    if kafka_address(stream.uri) is None:
        return LineSender(stream)
    from moorage_runtime.stream_predict.kafka_output import KafkaSender

    return KafkaSender(_servers(stream), stream)


def _servers(stream: StreamConfig) -> str:
    address = kafka_address(stream.uri)
    if address is None:
        raise StreamError(f"{stream.uri}: is no Kafka stream")
    return address[0]


def _target(stream: StreamConfig) -> str:
    address = kafka_address(stream.uri)
    return Path(stream_path(stream.uri)).name if address is None else address[1]


def _same_cluster(one: StreamConfig, other: StreamConfig) -> bool:
    """Whether one client can serve both."""
    first, second = kafka_address(one.uri), kafka_address(other.uri)
    if first is None or second is None:
        return False
    same_servers = set(first[0].split(",")) == set(second[0].split(","))
    return same_servers and one.model_copy(update={"uri": ""}) == other.model_copy(update={"uri": ""})


def _instance(config: StreamPredictConfig) -> str:
    """A name that this process has again after a restart and no other has: its pod and its management port."""
    host = os.environ.get("HOSTNAME") or platform.node()
    return f"{host}.{config.management_port or os.getpid()}"
