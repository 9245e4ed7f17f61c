"""HTTP/1.1 on an asyncio Protocol: llhttp parses, requests go to a dispatcher, replies leave in order."""

import asyncio
from collections import deque
from time import perf_counter_ns
from typing import Protocol, cast

import httptools

from moorage_runtime.http.exchange import Exchange, Gate
from moorage_runtime.http.limits import PIPELINE, Limits, Sweeper
from moorage_runtime.http.replies import CONTINUE, RETRY_AFTER


class Dispatcher(Protocol):
    """What answers the requests."""

    def dispatch(self, exchange: Exchange) -> None:
        """Answer a complete request, now or later; never raises."""

    def refuse(self, exchange: Exchange, status: int, message: str, extra: bytes = b"") -> None:
        """Answer a request that was not read to its end, in the shape that its path asks for."""


_KNOWN = frozenset(
    (
        b"accept",
        b"content-encoding",
        b"content-length",
        b"expect",
        b"host",
        b"inference-header-content-length",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    )
)
_NO_HEADERS: dict[bytes, bytes] = {}


class Connection(asyncio.Protocol):
    """One client. Requests are dispatched as they are complete; `queue` keeps those without a written reply."""

    def __init__(
        self, dispatcher: Dispatcher, gate: Gate, limits: Limits, sweeper: "Sweeper[Connection]"
    ) -> None:
        self._dispatcher = dispatcher
        self._gate = gate
        self._limits = limits
        self._sweeper = sweeper
        self._parser = httptools.HttpRequestParser(self)
        self.queue: deque[Exchange] = deque()
        self.active = perf_counter_ns()
        self._deaf = False
        """Nothing further is parsed: what still comes in is thrown away."""
        self._reading = True
        self._stalled_since = 0
        self._partial_since = 0
        self._linger_since = 0
        self._owes_continue = False
        self._body_bytes = 0
        self._between()

    def _between(self) -> None:
        self._partial = False
        self._partial_since = 0
        self._in_head = False
        self._head_bytes = 0
        self._gate.body_bytes -= self._body_bytes
        self._body_bytes = 0
        self._url = b""
        self._headers: dict[bytes, bytes] = _NO_HEADERS
        self._body: bytes | bytearray = b""

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by behaviour only
        self._sweeper.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._sweeper.connections.discard(self)
        self._deaf = True
        for exchange in self.queue:
            exchange.leave()
        self.queue.clear()
        self._between()

    def eof_received(self) -> bool:
        """A client may end its side and still read the replies that are due."""
        self._deaf = True
        return bool(self.queue)

    def pause_writing(self) -> None:
        self._stalled_since = perf_counter_ns()
        self._steer()

    def resume_writing(self) -> None:
        self._stalled_since = 0
        self._steer()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        began_before = self._partial
        rest: bytes | memoryview = data
        while rest and not self._deaf:
            try:
                self._parser.feed_data(rest)
                break
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
                began_before = False
                if not self._deaf:
                    self._parse_without_upgrade()
            except httptools.HttpParserError as error:
                self._refuse(400, f"malformed HTTP request: {error}")
        if self._in_head and not self._deaf:
            if began_before:
                self._head_bytes += len(data)
            if self._head_bytes > self._limits.head:
                self._refuse(431, f"request line and headers exceed {self._limits.head} bytes")

    def _parse_without_upgrade(self) -> None:
        """Give the head of a request that offers another protocol to a new parser, without the offer.

        The offer is not taken up (Java's client makes it with its first request), but llhttp would not read on.
        """
        headers, method, url = self._headers, self._parser.get_method(), self._url
        self._parser = httptools.HttpRequestParser(self)
        self._between()
        lines = [b"%b: %b\r\n" % line for line in headers.items() if line[0] != b"upgrade"]
        self._parser.feed_data(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, url, b"".join(lines)))

    # httptools

    def on_message_begin(self) -> None:
        self._partial = self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer says nothing that is not decided already
        self._head_bytes += len(name) + len(value) + 4
        name = name.lower()
        if name in _KNOWN:
            if not self._headers:
                self._headers = {}
            elif name in self._headers and name != b"accept":
                self._refuse(400, f"header {name.decode()} is given twice")
                return
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._deaf:
            return
        headers, limits = self._headers, self._limits
        if self._head_bytes > limits.head:
            self._refuse(431, f"request line and headers exceed {limits.head} bytes")
            return
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            self._refuse(415, "compressed request bodies are not supported: send it without Content-Encoding")
            return
        length = headers.get(b"content-length")
        if length is not None and int(length) > limits.body:
            self._refuse(413, f"the body has {int(length)} bytes, the limit is {limits.body}")
            return
        if length is not None and self._gate.body_bytes + int(length) > limits.bodies:
            self._refuse_for_now()
            return
        expect = headers.get(b"expect")
        if expect is not None:
            if expect.lower() != b"100-continue":
                self._refuse(417, "only the expectation 100-continue is met")
            elif self.queue:
                self._owes_continue = True
            else:
                self._transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._deaf:
            return
        size = len(body)
        self._body_bytes += size
        self._gate.body_bytes += size
        if self._body_bytes > self._limits.body:
            self._refuse(413, f"the body exceeds the limit of {self._limits.body} bytes")
        elif self._gate.body_bytes > self._limits.bodies:
            self._refuse_for_now()
        elif not self._body:
            self._body = body
        elif isinstance(self._body, bytes):
            self._body = bytearray(self._body) + body
        else:
            self._body += body

    def on_message_complete(self) -> None:
        if self._deaf:
            return
        parser, headers, body = self._parser, self._headers, self._body
        if b"upgrade" in headers and parser.should_upgrade():
            return  # read once more without the offer
        version = parser.get_http_version()
        if version == "1.1":
            if b"host" not in headers:
                self._refuse(400, "header host is missing")
                return
        elif version != "1.0":
            self._refuse(505, f"HTTP/{version} is not spoken here")
            return
        self.active = perf_counter_ns()
        exchange = Exchange(
            self,
            self._gate,
            parser.get_method(),
            self._url,
            headers,
            bytes(body),
            self.active,
            keep=parser.should_keep_alive(),
            old=version == "1.0",
        )
        if not exchange.keep or exchange.method == b"CONNECT":
            exchange.keep = False
            self._deaf = True
        self._body_bytes = 0  # the exchange counts them from now on
        self._between()
        self._owes_continue = False
        self.queue.append(exchange)
        if len(self.queue) >= PIPELINE:
            self._steer()
        self._dispatcher.dispatch(exchange)

    # what exchanges need

    def is_last(self, exchange: Exchange) -> bool:
        """Whether no later request waits behind this one."""
        return self.queue[-1] is exchange and not self._partial

    def close_after(self) -> None:
        """Read no further request."""
        self._deaf = True

    def flush(self) -> None:
        """Write what is ready at the front of the queue."""
        queue, transport = self.queue, self._transport
        while queue:
            exchange = queue[0]
            if exchange.reply is None:
                return
            queue.popleft()
            transport.write(exchange.reply)
            if exchange.close_told:
                self._hang_up(gently=exchange.keep)
                return
        if self._owes_continue:
            self._owes_continue = False
            transport.write(CONTINUE)
        if self._deaf and not self._linger_since:
            transport.close()
        elif not self._reading:
            self._steer()

    # ends

    def sweep(self, now: int) -> None:
        """Answer or close what is overdue."""
        limits = self._limits
        if self._linger_since:
            if now - self._linger_since > limits.linger:
                self._transport.abort()
        elif self._stalled_since and now - self._stalled_since > limits.stalled:
            self._transport.abort()
        elif self.queue:
            for exchange in list(self.queue):
                if now - exchange.received <= limits.timeout:
                    break
                exchange.fail(504, f"no answer within {limits.timeout // 1_000_000_000} s", now=now)
        elif self._partial:
            self._partial_since = self._partial_since or now
            if now - self._partial_since > (limits.head_time if self._in_head else limits.timeout):
                self._refuse(408, "the request did not arrive in time")
        elif now - self.active > limits.idle:
            self._transport.close()

    @property
    def quiet(self) -> bool:
        """Whether no request has begun that is not answered."""
        return not self.queue and (self._deaf or not self._partial)

    def close(self) -> None:
        """End the connection; what was written still leaves."""
        self._deaf = True
        self._transport.close()

    def _refuse_for_now(self) -> None:
        """Answer 503: the server holds as many bodies as it may."""
        self._refuse(
            503,
            f"request bodies of {self._limits.bodies} bytes are in flight already, try again",
            RETRY_AFTER,
        )

    def _refuse(self, status: int, message: str, extra: bytes = b"") -> None:
        """Answer the request that is being read with an error, and read no further."""
        if self._deaf:
            return
        exchange = Exchange(
            self, self._gate, b"", self._url, self._headers, b"", perf_counter_ns(), keep=True, old=False
        )
        exchange.refused = True
        self._between()
        self._deaf = True
        self.queue.append(exchange)
        self._dispatcher.refuse(exchange, status, message, extra)

    def _hang_up(self, *, gently: bool) -> None:
        """Close after the last reply; gently where the client may still be sending, so that no reset eats the reply."""
        if gently and self._transport.can_write_eof() and not self._transport.is_closing():
            self._linger_since = perf_counter_ns()
            self._transport.write_eof()
            self._steer()
        else:
            self._transport.close()

    def _steer(self) -> None:
        """Read only while there is room for more requests and the client takes its replies."""
        if self._transport.is_closing():
            return
        room = not self._stalled_since and len(self.queue) < PIPELINE
        if room and not self._reading:
            self._reading = True
            self._transport.resume_reading()
        elif not room and self._reading:
            self._reading = False
            self._transport.pause_reading()
