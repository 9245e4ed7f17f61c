"""`moorage plan`."""

import json
from collections.abc import Sequence

import click

from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure
from moorage_operator.cli.manifests import files_option, read, recursive_option
from moorage_operator.local.admission import admit
from moorage_operator.local.store import CLUSTER_SCOPED, Object
from moorage_operator.local.yaml import dump

_UID = "00000000-0000-0000-0000-000000000000"
"""The owner in what is printed: a real one exists only on a cluster."""


@click.command(
    epilog=examples(
        "moorage plan -f examples/iris/manifests", "moorage plan -f serving.yaml | kubectl diff -f -"
    )
)
@files_option
@recursive_option
@click.option(
    "-n", "--namespace", default=None, help="Namespace of objects that name none. [default: default]"
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "name"]),
    default="yaml",
    show_default=True,
    help="Format.",
)
def command(files: Sequence[str], *, recursive: bool, namespace: str | None, output: str) -> None:
    """Print the objects that the operator would make of manifests; nothing is stored or run."""
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
        for obj in objects
    }
    children: list[Object] = []
    refusals: list[str] = []
    for obj in objects:
        if obj["kind"] in KINDS:
            kind = KINDS[obj["kind"]]
            known = {ref: there[ref] for ref in kind.references(obj) if ref in there}
            plan = kind.plan(obj, runtimes, Observed(referenced=known))
            children += plan.children or ()
            refusals += _refusals(obj, plan.status)
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


def _refusals(obj: Object, status: Object) -> list[str]:
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    stalled = conditions.get("Stalled", {})
    if stalled.get("status") != "True":
        return []
    return [
        f'error: {obj["kind"]} "{obj["metadata"]["name"]}": {stalled["reason"]}: {stalled.get("message", "")}'
    ]
