"""`moorage down`."""

import shutil
import time

import click
import psutil

from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure
from moorage_operator.cli.state import State, with_state

PARTS = ("run", "store", "logs", "streams", "objects", "volumes", "cache")
"""The folders of a state; nothing else in it is ever removed."""


@click.command(
    epilog=examples(
        "moorage down",
        "moorage down --purge",
    )
)
@click.option("--purge", is_flag=True, help="Remove objects, streams, logs and everything else of the state.")
@click.option("--timeout", "seconds", default=60, show_default=True, help="Seconds to wait for its end.")
@with_state
def command(*, purge: bool, seconds: int, state: State) -> None:
    """Stop a running `moorage up`: accepted requests are finished, no process stays behind."""
    pid = state.pid()
    if pid is None:
        click.echo(f"no `moorage up` runs for {state.path}")
    else:
        _end(pid, seconds)
        click.echo(f"stopped process {pid}")
    if purge:
        _purge(state)


def _end(pid: int, seconds: int) -> None:
    """SIGTERM, and wait until the process is gone: its lock is free a moment earlier."""
    deadline = time.monotonic() + seconds
    try:
        process = psutil.Process(pid)
        process.terminate()
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                raise Failure(f"error: process {pid} has not ended after {seconds} s; it is still draining")
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        return


def _purge(state: State) -> None:
    if not (state.path / "store").is_dir() and not (state.path / "run").is_dir():
        click.echo(f"nothing to remove at {state.path}")
        return
    for part in PARTS:
        shutil.rmtree(state.path / part, ignore_errors=True)
    left = [path.name for path in state.path.iterdir()]
    if not left:
        state.path.rmdir()
    click.echo(
        f"removed {state.path}" if not left else f"removed all but {', '.join(sorted(left))} of {state.path}"
    )
