"""`moorage up`."""

import os
from collections.abc import Sequence
from pathlib import Path

import click

from moorage_operator.cli.examples import examples
from moorage_operator.cli.state import State, with_state


@click.command(
    epilog=examples(
        "moorage up -f examples/iris",
        "moorage up -f manifests --kafka localhost:9092 --object-store http://localhost:9000",
    )
)
@click.option(
    "-f", "--filename", "manifests", multiple=True, type=click.Path(path_type=Path), metavar="FILE|DIR",
    help="Manifests to apply, and to apply again at every edit.",
)  # fmt: skip
@click.option(
    "-n", "--namespace", default=None, help="Namespace of objects that name none. [default: default]"
)
@click.option(
    "--kafka", metavar="HOST:PORT[,HOST:PORT]", help="A real Kafka in place of the folder of streams."
)
@click.option(
    "--object-store", metavar="URI", help="An S3 server's http(s) address, or a folder, for s3:// URIs."
)
@with_state
def command(
    manifests: Sequence[Path],
    *,
    namespace: str | None,
    kafka: str | None,
    object_store: str | None,
    state: State,
) -> None:
    """Run everything that is applied, on this machine, until Ctrl-C.

    Carries out the same objects as the operator on a cluster, as processes. Other commands talk to it
    through the state folder.
    """
    from moorage_operator.local import up

    state.record({"pid": os.getpid(), "kafka": kafka, "objectStore": object_store})
    code = up(state.path, list(manifests), kafka=kafka, object_store=object_store, namespace=namespace)
    raise click.exceptions.Exit(code)
