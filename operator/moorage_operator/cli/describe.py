"""`moorage describe`."""

import re
from collections.abc import Iterator, Sequence

import click

from moorage_operator.cli.age import age
from moorage_operator.cli.completing import complete_objects
from moorage_operator.cli.examples import examples
from moorage_operator.cli.fetch import Fetch
from moorage_operator.cli.pods import pods_of
from moorage_operator.cli.printing import Layout
from moorage_operator.cli.resources import BY_KIND
from moorage_operator.cli.selection import selector, targets
from moorage_operator.cli.state import State, with_namespace, with_state
from moorage_operator.cli.tables import print_table
from moorage_operator.local.apiserver.objects import Object
from moorage_operator.local.apiserver.store import Store
from moorage_operator.local.apiserver.yaml import dump

_WIDTH = 14
_TABLES = {
    "conditions": ("type", "status", "reason", "message"),
    "models": ("name", "state", "version", "digest", "predictor", "reason", "message"),
    "metrics": ("name", "value", "unit", "passed"),
    "features": ("name", "role", "statistic", "value", "pValue", "state"),
    "history": ("name", "verdict", "finishedAt", "revision"),
}
"""Lists of a status that are shown as tables, and their columns."""
_DIGEST = 12


@click.command(
    epilog=examples(
        "moorage describe mserve iris", "moorage describe mtest/iris-live", "moorage describe drift iris"
    )
)
@click.argument(
    "words", nargs=-1, required=True, metavar="KIND[/NAME] [NAME]...", shell_complete=complete_objects
)
@click.option("-l", "--selector", "labels", default="", help="Only with these labels.")
@with_namespace
@with_state
def command(words: Sequence[str], *, labels: str, namespace: str, state: State) -> None:
    """Show objects whole: the answer first, then conditions, models, metrics or features, pods, spec and events."""
    fetch = Fetch(state.store, namespace, selector(labels))
    objects = [obj for target in targets(words) for obj in fetch(target)]
    if not objects:
        click.echo(f"No resources found in {namespace} namespace", err=True)
    for number, obj in enumerate(objects):
        if number:
            click.echo("\n")
        _describe(state.store, obj)
    if any("status" in obj for obj in objects):
        state.say_if_still()


def _describe(store: Store, obj: Object) -> None:
    meta, status = obj["metadata"], obj.get("status") or {}
    resource = BY_KIND[obj["kind"]]
    _line("Name", meta["name"])
    if resource.namespaced:
        _line("Namespace", meta.get("namespace", ""))
    _line("Kind", obj["kind"])
    for heading, field in (("Labels", "labels"), ("Annotations", "annotations")):
        _pairs(heading, meta.get(field) or {})
    for owner in meta.get("ownerReferences") or ():
        _line("Controlled by", f"{owner['kind']}/{owner['name']}")
    _line("Age", age(meta.get("creationTimestamp")))
    for column in resource.columns:
        if obj.get("status") and column.name not in ("AGE", "MESSAGE", "MODELS") and column.cell(obj):
            _line(column.name.capitalize() if column.name != "URL" else "URL", column.cell(obj))
    for heading, text in _parts(status):
        _line(heading, text)
    for field, columns in _TABLES.items():
        _table(field, columns, status.get(field) or [])
    pods = pods_of(store, obj) if obj["kind"] != "Pod" and meta.get("uid") else []
    if pods:
        layout = Layout(BY_KIND["Pod"], wide=True, namespaces=False, prefixed=False)
        click.echo("Pods:")
        print_table(layout.headings, [layout.row(pod) for pod in pods], indent="  ")
    for field in ("spec", "data"):
        if obj.get(field):
            shown = obj[field] if obj["kind"] != "Secret" else dict.fromkeys(obj[field], "(hidden)")
            click.echo(f"{field.capitalize()}:\n" + _indented(dump(shown)))
    _events(store.events(obj) if meta.get("uid") else [])


def _parts(status: Object) -> Iterator[tuple[str, str]]:
    """What of a status is neither a column nor a table."""
    if window := status.get("lastWindow"):
        yield "Last window", f"{window['rows']} rows, {window['start']} to {window['end']}"
    if stream := status.get("stream"):
        words = [f"{stream.get('readyReplicas', 0)}/{stream.get('replicas', 0)} ready"]
        words += [f"{stream['recordsPerSecond']} records/s"] if "recordsPerSecond" in stream else []
        words += [f"lag {stream['lag']}"] if "lag" in stream else []
        words += [f"{stream['deadLettered']} dead-lettered"] if stream.get("deadLettered") else []
        yield "Stream", ", ".join(words)
    if total := status.get("fragmentsTotal"):
        yield "Fragments", f"{status.get('fragmentsDone', 0)} of {total}"


def _line(heading: str, text: str) -> None:
    click.echo(f"{heading + ':':<{_WIDTH}} {text}")


def _pairs(heading: str, pairs: Object) -> None:
    for at, (key, value) in enumerate(sorted(pairs.items())):
        shown = f"{heading}:" if at == 0 else ""
        click.echo(f"{shown:<{_WIDTH}} {key}: {value}")


def _table(field: str, columns: Sequence[str], entries: Sequence[Object]) -> None:
    """Columns that no entry has are left out."""
    used = [column for column in columns if any(entry.get(column) not in (None, "") for entry in entries)]
    if entries:
        click.echo(f"{field.capitalize()}:")
        rows = [[_cell(column, entry.get(column)) for column in used] for entry in entries]
        print_table([_heading(column) for column in used], rows, indent="  ")


def _heading(field: str) -> str:
    return re.sub(r"([A-Z])", r" \1", field).upper()


def _cell(column: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return str(value)[:_DIGEST] if column == "digest" else str(value).replace("\n", " ")


def _events(events: Sequence[Object]) -> None:
    if not events:
        _line("Events", "<none>")
        return
    click.echo("Events:")
    rows = [[e["type"], e["reason"], _seen(e), e["message"].replace("\n", " ")] for e in events]
    print_table(["TYPE", "REASON", "AGE", "MESSAGE"], rows, indent="  ")


def _seen(event: Object) -> str:
    last = age(event["lastTimestamp"])
    return last if event["count"] == 1 else f"{last} (x{event['count']} over {age(event['firstTimestamp'])})"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
