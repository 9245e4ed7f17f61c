"""Readiness and liveness of a process: the rules as pure functions, and the one HTTP request that they need."""

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import Any

from moorage_operator.local.kubelet.addresses import LOOPBACK

_MAX_REPLY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Probe:
    """An httpGet probe of a container; times in seconds."""

    path: str
    period: float = 10.0
    timeout: float = 1.0
    initial_delay: float = 0.0
    success_threshold: int = 1
    failure_threshold: int = 3

    @classmethod
    def of(cls, spec: Any) -> "Probe | None":
        """A probe of a container's spec; None where it has none by HTTP."""
        get = (spec or {}).get("httpGet")
        if not get:
            return None
        return cls(
            path=get.get("path", "/"),
            period=float(spec.get("periodSeconds", 10)),
            timeout=float(spec.get("timeoutSeconds", 1)),
            initial_delay=float(spec.get("initialDelaySeconds", 0)),
            success_threshold=int(spec.get("successThreshold", 1)),
            failure_threshold=int(spec.get("failureThreshold", 3)),
        )


@dataclass(frozen=True, slots=True)
class Health:
    """What the answers to a probe so far come to: `good` changes only after enough equal answers in a row."""

    good: bool
    run: int = 0
    last: bool | None = None

    def after(self, probe: Probe, *, answer: bool) -> "Health":
        """The health after one more answer."""
        run = self.run + 1 if answer == self.last else 1
        needed = probe.success_threshold if answer else probe.failure_threshold
        return replace(self, good=answer if run >= needed else self.good, run=run, last=answer)


async def get(port: int, path: str, timeout: float) -> tuple[int, bytes] | None:  # noqa: ASYNC109 - whole exchange
    """(status, body) of a GET on loopback; None where nothing sensible answers in time."""
    with contextlib.suppress(OSError, ValueError, IndexError, TimeoutError):
        async with asyncio.timeout(timeout):
            return await _exchange(port, path)
    return None


async def _exchange(port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        request = f"GET {path} HTTP/1.0\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        reply = b""
        while len(reply) < _MAX_REPLY and (chunk := await reader.read(_MAX_REPLY)):
            reply += chunk
    finally:
        writer.close()
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body
