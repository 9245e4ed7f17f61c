"""The output formats of `get`: tables, and objects as JSON, YAML, names or JSONPath."""

import json
from collections.abc import Callable, Iterable

import click

from moorage_operator.cli.failure import Failure
from moorage_operator.cli.jsonpath import JsonPathError, render
from moorage_operator.cli.resources import BY_KIND, Resource
from moorage_operator.cli.tables import Table
from moorage_operator.local.apiserver.objects import Object
from moorage_operator.local.apiserver.yaml import dump

FORMATS = "json|yaml|name|wide|jsonpath=TEMPLATE"
JSONPATH = "jsonpath="


def name_of(obj: Object) -> str:
    """`modelserving.moorage.dev/iris`."""
    return BY_KIND[obj["kind"]].called(obj["metadata"]["name"])


def is_table(output: str) -> bool:
    """Whether the format is a table; Failure for a format that does not exist."""
    if output in ("", "wide"):
        return True
    if output in ("json", "yaml", "name") or output.startswith(JSONPATH):
        return False
    raise Failure(
        f'error: unable to match a printer suitable for the output format "{output}", '
        f"allowed formats are: {FORMATS}"
    )


def print_objects(objects: list[Object], output: str, *, as_list: bool) -> None:
    """Print objects in a format that is no table."""
    if output == "name":
        for obj in objects:
            click.echo(name_of(obj))
        return
    value = {"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {}} if as_list else objects[0]
    if output == "json":
        click.echo(json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False))
    elif output == "yaml":
        click.echo(dump(value), nl=False)
    else:
        try:
            click.echo(render(output.removeprefix(JSONPATH), value), nl=False)
        except JsonPathError as error:
            raise Failure(f"error: {error}") from None


class Layout:
    """Which cells the objects of a type have in a table."""

    def __init__(self, resource: Resource, *, wide: bool, namespaces: bool, prefixed: bool) -> None:
        self._columns = [column for column in resource.columns if wide or not column.wide]
        self._before: list[tuple[str, Callable[[Object], str]]] = []
        if namespaces:
            self._before.append(("NAMESPACE", lambda obj: obj["metadata"].get("namespace", "")))
        if resource.kind != "Event":
            self._before.append(("NAME", name_of if prefixed else lambda obj: str(obj["metadata"]["name"])))
        self.headings = [*(name for name, _ in self._before), *(column.name for column in self._columns)]

    def row(self, obj: Object) -> list[str]:
        """The cells of one object."""
        return [*(cell(obj) for _, cell in self._before), *(column.cell(obj) for column in self._columns)]


def print_tables(objects: Iterable[Object], *, wide: bool, namespaces: bool, headings: bool) -> None:
    """One table for each type; with several types the names say of which they are."""
    groups: dict[str, list[Object]] = {}
    for obj in objects:
        groups.setdefault(obj["kind"], []).append(obj)
    for number, (kind, group) in enumerate(groups.items()):
        if number:
            click.echo()
        layout = Layout(BY_KIND[kind], wide=wide, namespaces=namespaces, prefixed=len(groups) > 1)
        Table(layout.headings, show=headings).print([layout.row(obj) for obj in group])
