"""Downloads by http and https: bounded in size and in waiting."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from moorage_runtime.storage.uri import StorageError

MAX_BYTES = 16 << 30
"""A larger body is refused."""
TIMEOUT_SECONDS = 30
"""Longest wait for a connection and for each part of the body."""
_CHUNK = 1 << 20


@contextmanager
def opened(uri: str) -> Iterator[http.client.HTTPResponse]:
    """An answered GET; StorageError with the status where it is not 200."""
    request = urllib.request.Request(uri, headers={"User-Agent": "moorage"})  # noqa: S310 - resolve() checked it
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:  # noqa: S310
            yield reply
    except urllib.error.HTTPError as error:
        error.close()
        raise StorageError(f"{uri}: the server answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise StorageError(f"{uri}: {error.reason}") from None
    except (http.client.HTTPException, OSError) as error:
        raise StorageError(f"{uri}: {str(error) or type(error).__name__}") from None


def copy(reply: http.client.HTTPResponse, sink: BinaryIO, uri: str, limit: int | None = None) -> None:
    """Write the body to `sink`; StorageError where it is cut short or larger than `limit` (MAX_BYTES) bytes."""
    limit = MAX_BYTES if limit is None else limit
    announced = reply.headers.get("Content-Length")
    size = 0
    while chunk := reply.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise StorageError(f"{uri}: larger than {limit} bytes")
        sink.write(chunk)
    if announced is not None and announced.isdigit() and int(announced) != size:
        raise StorageError(f"{uri}: cut short after {size} of {announced} bytes")


def fingerprint(reply: http.client.HTTPResponse) -> str | None:
    """What tells this version of the document from others; None where the server says nothing of the kind."""
    headers = reply.headers
    return headers.get("ETag") or headers.get("Last-Modified")
