"""`moorage apply`."""

from collections.abc import Sequence

import click

from moorage_operator.cli.examples import examples
from moorage_operator.cli.manifests import default_namespace_option, files_option, read, recursive_option
from moorage_operator.cli.resources import BY_KIND
from moorage_operator.cli.state import State, with_state
from moorage_operator.local.apiserver.admission import admit
from moorage_operator.local.apiserver.yaml import ManifestError


@click.command(
    epilog=examples(
        "moorage apply -f examples/iris/manifests/serving.yaml",
        "cat *.yaml | moorage apply -f -",
    )
)
@files_option
@recursive_option
@default_namespace_option
@with_state
def command(files: Sequence[str], *, recursive: bool, namespace: str | None, state: State) -> None:
    """Create or change objects from manifests.

    What is wrong is refused with the path of the field; everything else is applied.
    """
    if not files:
        raise click.UsageError("must specify -f")
    store, refused = state.new_store, 0
    for document in read(files, recursive=recursive):
        try:
            obj = admit(document, namespace)
        except ManifestError as error:
            click.echo(str(error), err=True)
            refused += 1
            continue
        outcome = store.apply(obj)
        click.echo(f"{BY_KIND[obj['kind']].called(obj['metadata']['name'])} {outcome}")
    if state.pid() is None:
        click.echo(
            f"(no `moorage up` runs for {state.path}: it will carry this out when it starts)", err=True
        )
    if refused:
        raise click.exceptions.Exit(1)
