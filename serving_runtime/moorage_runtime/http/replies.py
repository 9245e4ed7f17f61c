"""Replies as raw bytes: status line and headers are formatted once, not built per request."""

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import orjson

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
OCTETS = b"application/octet-stream"
CLOSE = b"connection: close\r\n"
KEEP_ALIVE = b"connection: keep-alive\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
RETRY_AFTER = b"retry-after: 1\r\n"
REQUEST_ID_MAX = 256
"""A longer X-Request-ID is not taken over."""

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class HttpError(Exception):
    """A request is answered with an error; the message is for the caller, `extra` are whole header lines."""

    def __init__(self, status: int, message: str, extra: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.extra = extra


class Clock:
    """The Date header, formatted once a second by whoever sweeps."""

    __slots__ = ("date", "epoch_offset")

    def __init__(self) -> None:
        self.tick()

    def tick(self) -> None:
        """Refresh the date, and the distance from `perf_counter_ns` to the epoch."""
        self.date = f"date: {formatdate(time.time(), usegmt=True)}\r\ncontent-type: ".encode()
        self.epoch_offset = time.time_ns() - time.perf_counter_ns()


CLOCK = Clock()


def head(status: int, length: int, kind: bytes = JSON, extra: bytes = b"") -> bytes:
    """Status line and headers of a reply whose body has `length` bytes; `extra` are whole header lines."""
    return b"%b%b%b\r\ncontent-length: %d\r\n%b\r\n" % (_LINES[status], CLOCK.date, kind, length, extra)


def to_json(value: Any) -> bytes:
    """JSON of anything that a model or an operation may return; NaN and infinities become null."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def error_body(message: str, *, text: bool) -> tuple[bytes, bytes]:
    """Body and content type of an error: MLRun's is plain text, the others' `{"error": …}`."""
    if text:
        return message.encode("utf-8", "replace"), TEXT
    return orjson.dumps({"error": message.encode("utf-8", "replace").decode()}), JSON
