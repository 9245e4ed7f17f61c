"""`moorage runtimes`: the first thing to ask of a new installation, so it answers before anything was started."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from moorage_operator.cli import get
from moorage_operator.cli.printing import FORMATS
from moorage_operator.cli.state import State, with_state


@click.command()
@click.option("-o", "--output", default="", metavar=FORMATS, help="Another format than the table.")
@with_state
@click.pass_context
def command(ctx: click.Context, *, output: str, state: State) -> Any:
    """List what can be served: the catalogue of runtimes, `moorage get clustermodelruntimes`."""
    with TemporaryDirectory(prefix="moorage-") as empty:
        (Path(empty) / "store").mkdir()
        known = state.path if (state.path / "store").is_dir() else Path(empty)
        return ctx.invoke(get.command, words=("clustermodelruntimes",), output=output, state=known)
