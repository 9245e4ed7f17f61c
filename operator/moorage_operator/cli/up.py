"""`moorage up`."""

import re
from collections.abc import Sequence
from pathlib import Path

import click

from moorage_operator.cli.examples import examples
from moorage_operator.cli.manifests import default_namespace_option
from moorage_operator.cli.state import State, with_state

_BROKERS = re.compile(r"[^\s,:/]+:[0-9]{1,5}(,[^\s,:/]+:[0-9]{1,5})*")
_STORE = re.compile(r"https?://[^/\s]+/?|file:///.+|(?!.*://).+")


@click.command(
    epilog=examples(
        "moorage up -f examples/iris/manifests",
        "moorage up -f manifests --kafka localhost:9092 --object-store http://localhost:9000",
    )
)
@click.option(
    "-f", "--filename", "manifests", multiple=True, type=click.Path(path_type=Path), metavar="FILE|DIR",
    help="Manifests to apply, and to apply again at every edit.",
)  # fmt: skip
@default_namespace_option
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

    if kafka is not None and not _BROKERS.fullmatch(kafka):
        raise click.BadParameter(f"{kafka!r} is not HOST:PORT[,HOST:PORT]", param_hint="--kafka")
    if object_store is not None and not _STORE.fullmatch(object_store):
        raise click.BadParameter(
            f"{object_store!r} is neither http(s)://HOST[:PORT] nor a folder", param_hint="--object-store"
        )
    code = up(state.path, list(manifests), kafka=kafka, object_store=object_store, namespace=namespace)
    raise click.exceptions.Exit(code)
