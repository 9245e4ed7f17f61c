"""The HTTP client of a test: kept connections, a bearer token, a CA, and failures told apart."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from moorage_runtime.config import TestConfig
from moorage_runtime.live_test.fault import TestFault
from moorage_runtime.live_test.limits import Limits

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a whole body."""

    status: int
    body: bytes

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one where it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Unanswered(Exception):  # noqa: N818 - a result of the test, counted by `kind`
    """No reply: `kind` is timeout or connection."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Client:
    """Sends requests to one endpoint."""

    def __init__(self, session: aiohttp.ClientSession, base: str, model: str) -> None:
        self._session = session
        self.base = base
        self.model = model
        self.model_path = f"/v2/models/{model}"

    async def send(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """Send and read the whole reply, redirects not followed. Raises Unanswered."""
        try:
            async with self._session.request(
                method,
                self.base + path,
                data=body,
                headers=JSON if body is not None else None,
                allow_redirects=False,
            ) as reply:
                return Reply(reply.status, await reply.read())
        except TimeoutError as error:
            raise Unanswered("timeout", "no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unanswered("connection", str(error) or type(error).__name__) from error

    async def infer(self, body: bytes) -> Reply:
        """Ask the model under test."""
        return await self.send("POST", f"{self.model_path}/infer", body)

    async def send_patiently(self, path: str, patience: float) -> Reply:
        """GET again until the answer is no 5xx, for at most `patience` seconds. Raises Unanswered for the last try."""
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            last = asyncio.get_running_loop().time() >= deadline
            try:
                reply = await self.send("GET", path)
            except Unanswered:
                if last:
                    raise
            else:
                if reply.status < 500 or last:
                    return reply
            await asyncio.sleep(0.2)


@asynccontextmanager
async def open_client(config: TestConfig, limits: Limits, connections: int) -> AsyncIterator[Client]:
    """A client with up to `connections` kept connections. Raises TestFault naming an unreadable secret."""
    connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=90, ssl=_tls(config))
    timeout = aiohttp.ClientTimeout(total=limits.request)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=_headers(config), auto_decompress=True
    ) as session:
        yield Client(session, config.url.rstrip("/"), config.model)


def public_url(url: str) -> str:
    """The URL without user name and password, for reports."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _headers(config: TestConfig) -> Mapping[str, str]:
    if config.token_dir is None:
        return {}
    file = Path(config.token_dir) / "token"
    try:
        return {"Authorization": f"Bearer {file.read_text().strip()}"}
    except (OSError, UnicodeDecodeError) as error:
        raise TestFault(f"the bearer token {file} cannot be read: {error}") from error


def _tls(config: TestConfig) -> ssl.SSLContext | bool:
    if config.ca_dir is None:
        return True
    file = Path(config.ca_dir) / "ca.crt"
    try:
        return ssl.create_default_context(cafile=str(file))
    except (OSError, ssl.SSLError) as error:
        raise TestFault(f"the CA certificate {file} cannot be read: {error}") from error
