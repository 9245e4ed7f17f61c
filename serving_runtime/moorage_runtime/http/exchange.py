"""One request and the place that its reply has in its connection's order."""

from time import perf_counter_ns
from typing import Any, Protocol, TypeVar

from moorage_runtime.http.replies import CLOSE, JSON, KEEP_ALIVE, REQUEST_ID_MAX, error_body, head

W = TypeVar("W")


class Meter(Protocol):
    """Counts the answers of one route."""

    def count(self, status: int, nanoseconds: int) -> None:
        """One answer and the time from the request's last byte to it."""


class Gate:
    """What the server holds now, and whether it is on its way out.

    `in_flight`: predictions being worked on; `body_bytes`: request bodies that are being received or not answered.
    """

    __slots__ = ("body_bytes", "draining", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        self.body_bytes = 0
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
    `refused`: the request was not read to its end, so the connection cannot stay open. `weight` are the bytes that
    its body has in the gate's count.
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
        "waiting",
        "weight",
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
        self.waiting: dict[Exchange, Any] | None = None
        self.weight = len(body)

    @property
    def request_id(self) -> str | None:
        """X-Request-ID of the client, where it sent a usable one."""
        value = self.headers.get(b"x-request-id")
        if not value or len(value) > REQUEST_ID_MAX:
            return None
        return value.decode("latin-1")

    def enter(self, waiting: "dict[Exchange, W]", work: W) -> None:
        """Count as in flight until the answer; `work` waits in `waiting`, and is forgotten with an early answer."""
        self.counted = True
        self.gate.in_flight += 1
        self.waiting = waiting
        waiting[self] = work

    def leave(self) -> None:
        """End without a reply being written: the client is gone."""
        self.reply = self.reply or b""
        self._release()

    def _release(self) -> None:
        """Let go of what the request held."""
        gate = self.gate
        self.body = b""
        gate.body_bytes -= self.weight
        self.weight = 0
        if self.counted:
            self.counted = False
            gate.in_flight -= 1
            assert self.waiting is not None
            self.waiting.pop(self, None)

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
        self._release()
        if self.meter is not None:
            self.meter.count(status, (now or perf_counter_ns()) - self.received)
        self.line.flush()

    def fail(self, status: int, message: str, extra: bytes = b"", now: int | None = None) -> None:
        """Reply with an error in the dialect's own shape."""
        body, kind = error_body(message, text=self.text)
        self.answer(status, body, kind, extra, now)
