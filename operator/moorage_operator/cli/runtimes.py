"""`moorage runtimes`."""

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
    return ctx.invoke(get.command, words=("clustermodelruntimes",), output=output, state=state.path)
