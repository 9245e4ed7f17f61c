"""Posting to an address with credentials from mounted folders, which are read again when they change.

An answer is sorted into three: taken, refused for good, or to be tried again. No secret enters a message.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

import urllib3

from moorage_runtime.config import HttpTargetConfig
from moorage_runtime.drift.sinks.delivery import Refused, Unavailable

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
REFUSING = frozenset({400, 413, 422})
"""Statuses that another try would not change. Others (credentials, limits, faults) may be mended meanwhile."""
WORDS = 300
"""Characters of a reply's body in a message."""


class Http:
    """One address. To be used from one thread."""

    def __init__(self, target: HttpTargetConfig) -> None:
        self._target = target
        self._pool: urllib3.PoolManager | None = None
        self._authority = ""

    @property
    def url(self) -> str:
        """The address as configured."""
        return self._target.url

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post, for a 2xx. Raises Refused or Unavailable with the reply's words."""
        try:
            sent = {**headers, **self._credentials()}
            reply = self._connected().request(
                "POST", url, body=body, headers=sent, redirect=False, retries=False
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise Unavailable(self._clean(_cause(error))) from None
        if reply.status // 100 != 2:
            text = " ".join(reply.data.decode("utf-8", "replace").split())
            words = self._clean(f"HTTP {reply.status}: {text}" if text else f"HTTP {reply.status}")
            raise (Refused if reply.status in REFUSING else Unavailable)(words)

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.clear()

    def _connected(self) -> urllib3.PoolManager:
        """The pool, a new one where the CA has changed."""
        path = Path(self._target.ca_dir) / "ca.crt" if self._target.ca_dir else None
        authority = hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
        if self._pool is None or authority != self._authority:
            self.close()
            timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
            self._pool = urllib3.PoolManager(
                timeout=timeout, maxsize=1, ca_certs=None if path is None else str(path)
            )
            self._authority = authority
        return self._pool

    def _credentials(self) -> dict[str, str]:
        if self._target.token_dir:
            return {"authorization": f"Bearer {_text(self._target.token_dir, 'token')}"}
        if self._target.basic_auth_dir:
            known = f"{_text(self._target.basic_auth_dir, 'username')}:{self._password()}"
            return {"authorization": f"Basic {base64.b64encode(known.encode()).decode()}"}
        return {}

    def _password(self) -> str:
        assert self._target.basic_auth_dir is not None
        return _text(self._target.basic_auth_dir, "password")

    def _clean(self, words: str) -> str:
        """The words without the secrets, should the other side repeat them."""
        secrets = [urllib3.util.parse_url(self._target.url).auth]
        try:
            if self._target.token_dir:
                secrets.append(_text(self._target.token_dir, "token"))
            if self._target.basic_auth_dir:
                secrets.append(self._password())
                secrets.append(self._credentials()["authorization"].removeprefix("Basic "))
        except OSError:
            pass
        for secret in secrets:
            words = words.replace(secret, "***") if secret else words
        return words[:WORDS]


def _text(folder: str, name: str) -> str:
    return (Path(folder) / name).read_text().strip()


def _cause(error: Exception) -> str:
    """One line of what went wrong, without addresses of objects."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    text = str(error)
    for mark in ("[Errno", "[SSL", "timed out", "Name or service", "certificate"):
        if mark in text:
            return text[text.index(mark) :].rstrip("')") if mark != "timed out" else "timed out"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
