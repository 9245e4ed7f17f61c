"""Reading series back from whatever answers Prometheus' HTTP API."""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

Labels = tuple[tuple[str, str], ...]
"""Name and value of each label, sorted, the metric's name under `__name__`."""


def fetch(url: str, data: bytes | None = None) -> bytes:
    """The body of a reply of a server of the test run; RuntimeError with the body where it is an error."""
    assert url.startswith("http://127.0.0.1:")
    try:
        with urllib.request.urlopen(url, data, timeout=30) as reply:  # noqa: S310 - loopback, asserted above
            return bytes(reply.read())
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url} answered {error.code}: {error.read()[:500]!r}") from error


def answers(url: str) -> bool:
    """Whether a GET is answered without an error."""
    try:
        fetch(url)
    except (OSError, RuntimeError, http.client.HTTPException):
        return False
    return True


class PromQl:
    """Queries of one server; times are ms since the epoch."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str) -> bytes:
        """A GET below the server's address."""
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        return fetch(f"{self.url}{path}{query}")

    def query(self, expression: str, time: int) -> list[dict[str, Any]]:
        """The result of an instant query."""
        reply = json.loads(self.get("/api/v1/query", query=expression, time=f"{time / 1000:.3f}"))
        result: list[dict[str, Any]] = reply["data"]["result"]
        return result

    def points(self, selector: str, start: int, end: int) -> dict[Labels, dict[int, float]]:
        """All raw points of the selected series from `start` to `end`: labels to timestamp to value.

        A point that the server holds twice would be there twice in its answer; AssertionError then.
        """
        length = f"{end - start + 1}ms"
        found: dict[Labels, dict[int, float]] = {}
        for series in self.query(f"{selector}[{length}]", end):
            values = [(round(float(time) * 1000), float(value)) for time, value in series["values"]]
            assert len({time for time, _ in values}) == len(values), f"a point twice in {series}"
            found[tuple(sorted(series["metric"].items()))] = dict(values)
        return found
