"""`moorage plan`."""

import json
from collections.abc import Sequence

import click

from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure
from moorage_operator.cli.manifests import default_namespace_option, files_option, read, recursive_option
from moorage_operator.cli.state import State, with_state
from moorage_operator.local.apiserver.admission import admit
from moorage_operator.local.apiserver.objects import CLUSTER_SCOPED, Object
from moorage_operator.local.apiserver.yaml import dump
from moorage_operator.plan.conditions import find

_UID = "00000000-0000-0000-0000-000000000000"
"""The owner in what is printed: a real one exists only on a cluster."""


@click.command(
    epilog=examples(
        "moorage plan -f examples/iris/manifests", "moorage plan -f serving.yaml | kubectl diff -f -"
    )
)
@files_option
@recursive_option
@default_namespace_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "name"]),
    default="yaml",
    show_default=True,
    help="Format.",
)
@with_state
def command(
    files: Sequence[str], *, recursive: bool, namespace: str | None, output: str, state: State
) -> None:
    """Print the objects that the operator would make of manifests; nothing is stored or run.

    A ModelTest is planned as if its ModelServing, of the same manifests or applied already, were ready.
    """
    from moorage_api import catalogue
    from moorage_operator.plan import KINDS, Catalogue, Observed, Ref

    if not files:
        raise click.UsageError("must specify -f")
    objects = [_placed(admit(document, namespace)) for document in read(files, recursive=recursive)]
    given = {obj["metadata"]["name"] for obj in objects if obj["kind"] == "ClusterModelRuntime"}
    defaults = [runtime for runtime in catalogue.load() if runtime["metadata"]["name"] not in given]
    runtimes = Catalogue.of([*defaults, *objects])
    there = {
        Ref(obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj
        for obj in [*_applied(state), *objects]
    }
    children: list[Object] = []
    refusals: list[str] = []
    for obj in objects:
        if obj["kind"] in KINDS:
            kind = KINDS[obj["kind"]]
            known = {ref: _ready(there[ref]) for ref in kind.references(obj) if ref in there}
            plan = kind.plan(obj, runtimes, Observed(referenced=known))
            children += plan.children or ()
            refusals += _said(obj, plan.status, "Stalled", "error")
            if not plan.children:
                for note in _said(obj, plan.status, "Reconciling", "nothing to print yet"):
                    click.echo(note, err=True)
    if output == "json":
        click.echo(
            json.dumps({"apiVersion": "v1", "kind": "List", "items": children}, indent=4, sort_keys=True)
        )
    elif output == "name":
        for child in children:
            click.echo(f"{child['kind'].lower()}/{child['metadata']['name']}")
    else:
        click.echo("---\n".join(dump(child) for child in children), nl=False)
    if refusals:
        raise Failure("\n".join(refusals))


def _placed(obj: Object) -> Object:
    """As the server would hold it."""
    meta = {"uid": _UID, "generation": 1, **obj["metadata"]}
    if obj["kind"] not in CLUSTER_SCOPED:
        meta.setdefault("namespace", "default")
    return {**obj, "metadata": meta}


def _applied(state: State) -> list[Object]:
    """ModelServings of the local Moorage, where there is one."""
    return state.store.list("ModelServing") if state.exists() else []


def _ready(obj: Object) -> Object:
    """The object as it will be once everything that it asks for is there."""
    condition = {"type": "Ready", "status": "True", "reason": "Reconciled"}
    generation = obj["metadata"]["generation"]
    return {**obj, "status": {"observedGeneration": generation, "conditions": [condition]}}


def _said(obj: Object, status: Object, type_: str, heading: str) -> list[str]:
    """What a condition says where it is true."""
    found = find(status, type_) or {}
    if found.get("status") != "True":
        return []
    named = f'{obj["kind"]} "{obj["metadata"]["name"]}"'
    return [f"{heading}: {named}: {found['reason']}: {found.get('message', '')}"]
