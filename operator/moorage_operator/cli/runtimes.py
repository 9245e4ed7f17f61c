"""`moorage runtimes`: the first thing to ask of a new installation, so it answers before anything was started."""

import click

from moorage_api import catalogue
from moorage_operator.cli.fetch import Fetch
from moorage_operator.cli.printing import FORMATS, is_table, print_objects, print_tables
from moorage_operator.cli.selection import targets
from moorage_operator.cli.state import State, with_state


@click.command()
@click.option("-o", "--output", default="", metavar=FORMATS, help="Another format than the table.")
@with_state
def command(*, output: str, state: State) -> None:
    """List what can be served: the catalogue of runtimes, `moorage get clustermodelruntimes`."""
    (target,) = targets(["clustermodelruntimes"])
    table = is_table(output)
    runtimes = Fetch(state.store, None)(target) if state.exists() else catalogue.load()
    if table:
        print_tables(runtimes, wide=output == "wide", namespaces=False, headings=True)
    else:
        print_objects(runtimes, output, as_list=True)
