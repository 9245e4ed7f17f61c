"""What a person sees on stderr: a bar on a terminal, a line every few seconds elsewhere."""

import sys
import threading
import time
from types import TracebackType
from typing import Self

from moorage_runtime.batch_predict.state import State

_SECONDS = 5.0
_REFRESH = 0.2


class Progress:
    """Looks at the state from a thread of its own until the block ends."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._end = threading.Event()
        terminal = sys.stderr.isatty()
        self._thread = threading.Thread(
            target=self._bar if terminal else self._lines, name="progress", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _lines(self) -> None:
        begun, before = time.monotonic(), 0
        while not self._end.wait(_SECONDS):
            status = self._state.status()
            if status.state == "Predicting":
                rate = (status.rows_done - before) / _SECONDS
                part = f" of about {self._state.mine:,}" if self._state.mine else ""
                took = time.monotonic() - begun
                sys.stderr.write(f"{status.rows_done:,}{part} rows, {rate:,.0f} rows/s, {took:.0f} s\n")
                sys.stderr.flush()
                before = status.rows_done

    def _bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} rows, {task.speed:,.0f}/s"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("planning", total=None)
            while not self._end.wait(_REFRESH):
                status = self._state.status()
                bar.update(
                    task,
                    description=status.state.lower(),
                    total=max(self._state.mine, status.rows_done) or None,
                    completed=status.rows_done,
                )
