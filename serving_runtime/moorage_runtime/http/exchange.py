"""One request and the place that its reply has in its connection's order."""

from time import perf_counter_ns
from typing import Protocol

from moorage_runtime.http.replies import CLOSE, JSON, KEEP_ALIVE, REQUEST_ID_MAX, error_body, head


class Meter(Protocol):
    """Counts the answers of one route."""

    def count(self, status: int, nanoseconds: int) -> None:
        """One answer and the time from the request's last byte to it."""


class Gate:
    """How many predictions are being worked on, and whether the server is on its way out."""

    __slots__ = ("draining", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        self.draining = False


class Line(Protocol):
    """The connection, as an exchange sees it."""

    def is_last(self, exchange: "Exchange") -> bool:
        """Whether no later request of the connection waits behind this one."""

    def close_after(self) -> None:
        """Read no further request: the connection ends with the replies that are due."""

    def flush(self) -> None:
        """Write the replies that are ready, in the order of their requests."""


class Exchange:
    """A request, complete, and its reply once there is one. `reply` is set once: the first answer wins.

    `received` is perf_counter_ns at the request's last byte. `keep`: the client wants the connection to stay open.
    `refused`: the request was not read to its end, so the connection cannot stay open.
    """

    __slots__ = (
        "body",
        "close_told",
        "counted",
        "gate",
        "headers",
        "keep",
        "line",
        "meter",
        "method",
        "old",
        "path",
        "received",
        "refused",
        "reply",
        "text",
    )

    def __init__(
        self,
        line: Line,
        gate: Gate,
        method: bytes,
        path: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        received: int,
        *,
        keep: bool,
        old: bool,
    ) -> None:
        self.line = line
        self.gate = gate
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.received = received
        self.keep = keep
        self.old = old
        self.close_told = False
        self.counted = False
        self.refused = False
        self.text = False
        self.meter: Meter | None = None
        self.reply: bytes | None = None

    @property
    def request_id(self) -> str | None:
        """X-Request-ID of the client, where it sent a usable one."""
        value = self.headers.get(b"x-request-id")
        if not value or len(value) > REQUEST_ID_MAX:
            return None
        return value.decode("latin-1")

    def enter(self) -> None:
        """Count as in flight until the answer."""
        self.counted = True
        self.gate.in_flight += 1

    def leave(self) -> None:
        """End without a reply being written: the client is gone."""
        self.reply = self.reply or b""
        self.body = b""
        if self.counted:
            self.counted = False
            self.gate.in_flight -= 1

    def answer(
        self, status: int, body: bytes, kind: bytes = JSON, extra: bytes = b"", now: int | None = None
    ) -> None:
        """Reply, unless there is an answer already (a timeout's, say). `extra` are whole header lines."""
        if self.reply is not None:
            return
        if not self.keep or self.refused or (self.gate.draining and self.line.is_last(self)):
            self.close_told = True
            extra += CLOSE
            self.line.close_after()
        elif self.old:
            extra += KEEP_ALIVE
        reply = head(status, len(body), kind, extra)
        self.reply = reply if self.method == b"HEAD" else reply + body
        self.body = b""
        if self.counted:
            self.counted = False
            self.gate.in_flight -= 1
        if self.meter is not None:
            self.meter.count(status, (now or perf_counter_ns()) - self.received)
        self.line.flush()

    def fail(self, status: int, message: str, extra: bytes = b"", now: int | None = None) -> None:
        """Reply with an error in the dialect's own shape."""
        body, kind = error_body(message, text=self.text)
        self.answer(status, body, kind, extra, now)
