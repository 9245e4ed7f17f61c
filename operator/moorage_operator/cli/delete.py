"""`moorage delete`."""

from collections.abc import Sequence

import click

from moorage_operator.cli.completing import complete_objects
from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure, NotFound
from moorage_operator.cli.fetch import Fetch
from moorage_operator.cli.manifests import files_option, read, recursive_option
from moorage_operator.cli.resources import BY_KIND
from moorage_operator.cli.selection import Target, selector, targets
from moorage_operator.cli.state import State, with_namespace, with_state
from moorage_operator.local.apiserver.objects import Object, key_of
from moorage_operator.local.apiserver.yaml import Document


@click.command(
    epilog=examples(
        "moorage delete mserve iris",
        "moorage delete mtest --all",
        "moorage delete -f examples/iris/manifests",
    )
)
@click.argument("words", nargs=-1, metavar="KIND[/NAME] [NAME]...", shell_complete=complete_objects)
@files_option
@recursive_option
@click.option("-l", "--selector", "labels", default="", help="All objects with these labels.")
@click.option("--all", "every", is_flag=True, help="All objects of the type.")
@click.option("--ignore-not-found", is_flag=True, help="An object that is gone already is no error.")
@with_namespace
@with_state
def command(
    words: Sequence[str],
    *,
    files: Sequence[str],
    recursive: bool,
    labels: str,
    every: bool,
    ignore_not_found: bool,
    namespace: str,
    state: State,
) -> None:
    """Delete objects; what was made for them goes with them, and their processes end."""
    if bool(words) == bool(files):
        raise click.UsageError("say either KIND NAME or -f")
    doomed: list[Object] = []
    missing: list[NotFound] = []
    if files:
        for document in read(files, recursive=recursive):
            _collect(doomed, missing, _fetch(state, document, namespace), _target(document))
    else:
        wanted = targets(words)
        if not (labels or every) and any(target.name is None for target in wanted):
            raise Failure("error: resource(s) were provided, but no name was specified")
        for target in wanted:
            _collect(doomed, missing, Fetch(state.store, namespace, selector(labels)), target)
    for obj in doomed:
        kind, _, name = key_of(obj)
        if state.store.delete(*key_of(obj)):
            click.echo(f'{BY_KIND[kind].called("")[:-1]} "{name}" deleted')
    if not doomed and not missing:
        click.echo("No resources found", err=True)
    if missing and not ignore_not_found:
        for error in missing:
            error.show()
        raise click.exceptions.Exit(1)


def _collect(doomed: list[Object], missing: list[NotFound], fetch: Fetch, target: Target) -> None:
    try:
        doomed += fetch(target)
    except NotFound as error:
        missing.append(error)


def _target(document: Document) -> Target:
    kind, meta = document.object.get("kind"), document.object.get("metadata")
    if not isinstance(kind, str) or kind not in BY_KIND or not isinstance(meta, dict) or not meta.get("name"):
        raise Failure(f'error: "{document.source}" (object {document.index}) has no kind and name known here')
    return Target(BY_KIND[kind], str(meta["name"]))


def _fetch(state: State, document: Document, namespace: str) -> Fetch:
    meta = document.object.get("metadata")
    written = meta.get("namespace") if isinstance(meta, dict) else None
    return Fetch(state.store, str(written or namespace))
