"""Telling people and programs of a change: a CloudEvent, posted to a webhook or written to a stream.

At least once: a receiver that must act once keeps the ids it has seen. The id is a function of the change, so one
that is told again after a crash has the same.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from moorage_runtime.config import HttpTargetConfig, StreamConfig
from moorage_runtime.drift.sinks.delivery import Unavailable
from moorage_runtime.drift.sinks.http import Http
from moorage_runtime.drift.sinks.points import Identity
from moorage_runtime.drift.types import Change
from moorage_runtime.streams import Message, StreamError, Writer, open_writer

TYPE = "dev.moorage.drift.changed"
CONTENT_TYPE = "application/cloudevents+json"
ROOM_ALERTS = 1_000
FLUSH_SECONDS = 3.0
BUFFER_BYTES = 1 << 20
NAMED = 10
"""How many of the names at fault the summary gives; all of them are in `names`."""


def event(identity: Identity, change: Change) -> dict[str, Any]:
    """The change as a CloudEvent 1.0 in structured form; its time is the end of the window."""
    key = (
        identity.namespace,
        identity.monitor,
        change.aspect,
        change.partition,
        change.index,
        change.time,
        change.after,
    )
    names = ", ".join(change.names[:NAMED]) + (", …" if len(change.names) > NAMED else "")
    return {
        "specversion": "1.0",
        "id": hashlib.sha256(orjson.dumps(key)).hexdigest(),
        "source": f"/namespaces/{identity.namespace}/driftmonitors/{identity.monitor}",
        "type": TYPE,
        "subject": identity.model,
        "time": f"{np.datetime64(change.time, 'us')}Z",
        "datacontenttype": "application/json",
        "data": {
            "namespace": identity.namespace,
            "monitor": identity.monitor,
            "model": identity.model,
            "aspect": change.aspect,
            "before": change.before.value,
            "after": change.after.value,
            "names": list(change.names),
            "window": {"partition": change.partition, "index": change.index, "end_us": change.time},
            "summary": f"{identity.namespace}/{identity.monitor}: {change.aspect} drift of {identity.model}"
            f" went from {change.before.value} to {change.after.value}{f': {names}' if names else ''}",
        },
    }


class Webhook:
    """Posts each change."""

    batch = 1
    room = ROOM_ALERTS

    def __init__(self, target: HttpTargetConfig, identity: Identity) -> None:
        self._http = Http(target)
        self._identity = identity

    def units(self, item: Change) -> int:  # noqa: ARG002 - each is one alert
        """One."""
        return 1

    def send(self, items: Sequence[Change]) -> None:
        """Post the changes one by one. Raises Unavailable or Refused."""
        for change in items:
            body = orjson.dumps(event(self._identity, change))
            self._http.post(self._http.url, body, {"content-type": CONTENT_TYPE})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class StreamAlerts:
    """Writes each change to a topic or a directory stream, keyed by the monitor so that they keep their order."""

    batch = 1
    room = ROOM_ALERTS

    def __init__(self, stream: StreamConfig, identity: Identity) -> None:
        self._stream = stream
        self._identity = identity
        self._writer: Writer | None = None
        self._written: Sequence[Change] = ()
        self._dropped = 0

    def units(self, item: Change) -> int:  # noqa: ARG002 - each is one alert
        """One."""
        return 1

    def send(self, items: Sequence[Change]) -> None:
        """Write the changes and wait until the stream has them. Raises Unavailable."""
        try:
            writer = self._writer = self._writer or open_writer(self._stream, BUFFER_BYTES)
        except StreamError as error:
            raise Unavailable(str(error)) from None
        if self._written != items:  # else they are still in the writer's buffer, from the try before
            self._dropped = writer.stats.dropped
            writer.write([self._message(change) for change in items])
            self._written = items
        flushed = writer.flush(FLUSH_SECONDS)
        stats = writer.stats
        if stats.dropped > self._dropped:
            self._written = ()
        if not flushed or not self._written:
            raise Unavailable(stats.error or f"{self._stream.uri}: no answer")
        self._written = ()

    def close(self) -> None:
        """Release the stream; what it has not confirmed is still pending here."""
        if self._writer is not None:
            self._writer.close(0)

    def _message(self, change: Change) -> Message:
        key = f"{self._identity.namespace}/{self._identity.monitor}".encode()
        headers = (("content-type", CONTENT_TYPE.encode()),)
        return Message(orjson.dumps(event(self._identity, change)), key, headers)
