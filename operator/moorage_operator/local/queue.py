"""A level-triggered queue: a key is in it once, however often it was added, and due at one time."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

from moorage_operator.local.backoff import Backoff

K = TypeVar("K", bound=Hashable)


class Queue(Generic[K]):
    """Keys with the moment at which each is due. For one event loop and one worker."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._added = asyncio.Event()

    def add(self, key: K, delay: float = 0.0) -> None:
        """Make the key due after `delay` seconds, or earlier where it was already."""
        due = asyncio.get_running_loop().time() + delay
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            self._added.set()

    def failed(self, key: K) -> None:
        """Add the key again, later for every failure in a row."""
        self._failures[key] = self._failures.get(key, 0) + 1
        self.add(key, self._backoff.delay(self._failures[key]))

    def succeeded(self, key: K) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """Wait for the key that is due first, and take it out."""
        while True:
            self._added.clear()
            now = asyncio.get_running_loop().time()
            key = min(self._due, key=self._due.__getitem__, default=None)
            if key is not None and self._due[key] <= now:
                del self._due[key]
                return key
            wait = None if key is None else self._due[key] - now
            try:
                async with asyncio.timeout(wait):
                    await self._added.wait()
            except TimeoutError:
                continue
