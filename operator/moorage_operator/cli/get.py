"""`moorage get`."""

import threading
from collections.abc import Sequence

import click

from moorage_operator.cli.completing import complete_objects
from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import NotFound
from moorage_operator.cli.fetch import Fetch
from moorage_operator.cli.printing import FORMATS, Layout, is_table, print_objects, print_tables
from moorage_operator.cli.reader import check_reader
from moorage_operator.cli.selection import Target, selector, targets
from moorage_operator.cli.state import State, with_namespace, with_state
from moorage_operator.cli.tables import Table
from moorage_operator.local.apiserver.objects import Key, Object, key_of


@click.command(
    epilog=examples(
        "moorage get mserve",
        "moorage get mserve/iris -o wide",
        "moorage get mserve,mtest,pods -A -w",
        "moorage get mtest iris-live -o jsonpath='{.status.verdict}'",
    )
)
@click.argument("words", nargs=-1, metavar="KIND[/NAME] [NAME]...", shell_complete=complete_objects)
@with_namespace
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces.")
@click.option("-o", "--output", default="", metavar=FORMATS, help="Another format than the table.")
@click.option("-l", "--selector", "labels", default="", help="Only with these labels: a=b,c!=d,e in (f,g).")
@click.option("-w", "--watch", is_flag=True, help="Go on and print every change.")
@click.option("--no-headers", is_flag=True, help="Leave out the headings.")
@click.option("--ignore-not-found", is_flag=True, help="A name that does not exist is no error.")
@with_state
def command(
    words: Sequence[str],
    *,
    namespace: str,
    all_namespaces: bool,
    output: str,
    labels: str,
    watch: bool,
    no_headers: bool,
    ignore_not_found: bool,
    state: State,
) -> None:
    """List objects: kinds of Moorage, and the objects that it makes of them.

    KIND is a plural, singular or short name, several with commas, or a category: all, moorage.
    """
    wanted, table = targets(words), is_table(output)
    named = any(target.name for target in wanted)
    if all_namespaces and named:
        raise click.UsageError("a resource cannot be retrieved by name across all namespaces")
    fetch = Fetch(state.store, None if all_namespaces else namespace, selector(labels))
    if watch:
        _watch(state, wanted, fetch, output, headings=not no_headers, namespaces=all_namespaces)
        return
    objects, missing = _find(wanted, fetch)
    if table:
        print_tables(objects, wide=output == "wide", namespaces=all_namespaces, headings=not no_headers)
        if not objects and not missing:
            where = "" if all_namespaces else f" in {namespace} namespace"
            click.echo(f"No resources found{where}", err=True)
        elif any("status" in obj for obj in objects):
            state.say_if_still()
    elif objects or not named:
        print_objects(objects, output, as_list=not named or len(wanted) > 1)
    if missing and not ignore_not_found:
        for error in missing:
            error.show()
        raise click.exceptions.Exit(1)


def _find(wanted: Sequence[Target], fetch: Fetch) -> tuple[list[Object], list[NotFound]]:
    objects: list[Object] = []
    missing: list[NotFound] = []
    for target in wanted:
        try:
            objects += fetch(target)
        except NotFound as error:
            missing.append(error)
    return objects, missing


def _watch(
    state: State, wanted: Sequence[Target], fetch: Fetch, output: str, *, headings: bool, namespaces: bool
) -> None:
    """Print what there is, then each object whenever it is written, and a last time when it is deleted."""
    resources = {target.resource.kind: target.resource for target in wanted}
    layouts = {
        kind: Layout(resource, wide=output == "wide", namespaces=namespaces, prefixed=len(resources) > 1)
        for kind, resource in resources.items()
    }
    tables = {kind: Table(layout.headings, show=headings) for kind, layout in layouts.items()}
    known: dict[Key, Object] | None = None
    for changed in state.store.changes(threading.Event()):
        if not changed and known is not None:
            check_reader()
            continue
        now = {key_of(obj): obj for obj in _find(wanted, fetch)[0]}
        fresh = list(now) if known is None else sorted(key for key in changed if key in now or key in known)
        for kind in resources:
            objects = [now.get(key) or (known or {})[key] for key in fresh if key[0] == kind]
            if not is_table(output):
                for obj in objects:
                    print_objects([obj], output, as_list=False)
            elif objects:
                tables[kind].print([layouts[kind].row(obj) for obj in objects])
        known = now
