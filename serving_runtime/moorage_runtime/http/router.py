"""From path to handler: every path that exists is a key of one table, so routing is one dictionary look-up."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from moorage_runtime.http.exchange import Exchange, Meter
from moorage_runtime.http.replies import HttpError
from moorage_runtime.models.base import InputError

Handler = Callable[[Exchange], None]
NotFound = Callable[[bytes], tuple[str, bool]]
"""Message for a path that does not exist, and whether it is MLRun's, so that the error is plain text."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Endpoint:
    """What a path answers: a handler per method; `text` says that its errors are plain text."""

    handlers: dict[bytes, Handler]
    meter: Meter
    text: bool = False
    allow: bytes = field(init=False)

    def __post_init__(self) -> None:
        if b"GET" in self.handlers:
            self.handlers.setdefault(b"HEAD", self.handlers[b"GET"])
        self.allow = b"allow: " + b", ".join(sorted(self.handlers)) + b"\r\n"


Table = dict[bytes, Endpoint]


def canonical(target: bytes) -> bytes:
    """The path of a request target as the table has it: no query, no escapes, no trailing slash."""
    if target.startswith((b"http://", b"https://")):
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    path = unquote_to_bytes(target.partition(b"?")[0])
    return path.rstrip(b"/") or b"/"


class Router:
    """Answers each exchange by its endpoint, and turns what a handler raises into the right error."""

    def __init__(
        self, tables: tuple[Mapping[bytes, Endpoint], ...], not_found: NotFound, other: Meter
    ) -> None:
        self._tables = tables
        self._not_found = not_found
        self._other = other

    def _endpoint(self, path: bytes) -> Endpoint | None:
        for table in self._tables:
            if (endpoint := table.get(path)) is not None:
                return endpoint
        path = canonical(path)
        for table in self._tables:
            if (endpoint := table.get(path)) is not None:
                return endpoint
        return None

    def dispatch(self, exchange: Exchange) -> None:
        """Answer, now or later; never raises."""
        endpoint = self._endpoint(exchange.path)
        if endpoint is None:
            exchange.meter = self._other
            message, exchange.text = self._not_found(canonical(exchange.path))
            exchange.fail(404, message)
            return
        exchange.meter = endpoint.meter
        exchange.text = endpoint.text
        handler = endpoint.handlers.get(exchange.method)
        if handler is None:
            exchange.fail(405, f"method {exchange.method.decode()} is not allowed here", endpoint.allow)
            return
        try:
            handler(exchange)
        except HttpError as error:
            exchange.fail(error.status, error.message, error.extra)
        except InputError as error:
            exchange.fail(400, str(error))
        except Exception:
            log.exception("a request to %s failed", exchange.path.decode("latin-1"))
            exchange.fail(500, "internal error")

    def refuse(self, exchange: Exchange, status: int, message: str, extra: bytes = b"") -> None:
        """Answer a request that was not read to its end."""
        endpoint = self._endpoint(exchange.path)
        exchange.meter = endpoint.meter if endpoint else self._other
        exchange.text = endpoint.text if endpoint else False
        exchange.fail(status, message, extra)
