"""How far batch predictions are, while a person waits: bars on a terminal, a line at each change elsewhere.

All of it goes to standard error, which leaves standard output to the answer.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from moorage_operator.cli.age import human
from moorage_operator.local.apiserver.objects import Key, Object

Show = Callable[[Key, Object | None], None]
"""Called with each object as it is now."""


@contextmanager
def progress(keys: Iterable[Key]) -> Iterator[Show]:
    """Shows the progress of these BatchPredictions until the end of the block; of none, nothing."""
    wanted = set(keys)
    if not wanted:
        yield lambda _key, _obj: None
    elif sys.stderr.isatty():
        with _bars(wanted) as show:
            yield show
    else:
        yield _Lines(wanted)


def words(status: Object, now: datetime) -> str:
    """`120,000 of 1,000,000 rows, 12 %, 40s left`."""
    done, total = status.get("rowsDone") or 0, status.get("rowsTotal")
    if total is None:
        return "planning"
    share = f", {100 * done // total} %" if total else ""
    return f"{done:,} of {total:,} rows{share}{_left(status, now)}"


def _left(status: Object, now: datetime) -> str:
    finish = status.get("estimatedFinishAt")
    if not finish or status.get("finishedAt"):
        return ""
    return f", {human(max(0.0, (datetime.fromisoformat(finish) - now).total_seconds()))} left"


class _Lines:
    def __init__(self, wanted: set[Key]) -> None:
        self._wanted = wanted
        self._said: dict[Key, object] = {}

    def __call__(self, key: Key, obj: Object | None) -> None:
        status = (obj or {}).get("status") or {}
        news = status.get("rowsDone"), status.get("rowsTotal")
        if key in self._wanted and news[1] is not None and news != self._said.get(key):
            self._said[key] = news
            click.echo(f"batchprediction/{key[2]} {words(status, datetime.now(UTC))}", err=True)


@contextmanager
def _bars(wanted: set[Key]) -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[words]}"),
    )
    # where only one of the two is a terminal, the answer must not go the way of the bars
    together = sys.stdout.isatty()
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=together,
        redirect_stderr=together,
    ) as bars:
        tasks = {key: bars.add_task(key[2], total=None, words="") for key in sorted(wanted)}

        def show(key: Key, obj: Object | None) -> None:
            if key in tasks:
                status = (obj or {}).get("status") or {}
                now = words(status, datetime.now(UTC))
                bars.update(
                    tasks[key],
                    total=status.get("rowsTotal"),
                    completed=status.get("rowsDone") or 0,
                    words=now,
                )

        yield show
