"""One daemon thread that works off calls in order and reports back to the event loop.

Not concurrent.futures: its threads are joined at interpreter exit, so a predict call that never returns would
keep a drained server from ending.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Done = Callable[[Any, BaseException | None], None]


class Worker:
    """Runs calls one after another in its own thread, started with the first."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop = loop
        self._name = name
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Done] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, call: Callable[[], Any], done: Done) -> None:
        """Run `call` in the thread; `done(result, error)` runs on the event loop."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._calls.put((call, done))

    def stop(self) -> None:
        """End the thread after the calls that it already has."""
        self._calls.put(None)

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            call, done = item
            result, error = None, None
            try:
                result = call()
            except BaseException as raised:  # noqa: BLE001 - SystemExit of user code must not end the thread
                error = raised
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(done, result, error)
