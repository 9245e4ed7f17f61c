"""`moorage topic`: messages into a stream and out of it, for trying things out and for scripts."""

import json
import re
from collections.abc import Callable
from typing import IO, Any, TypeVar

import click

from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure, NotFound
from moorage_operator.cli.records import Address, Security, messages_of, open_records, open_sink, shown
from moorage_operator.cli.state import State, with_namespace, with_state
from moorage_operator.local.apiserver.objects import Object

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_BROKERS = re.compile(r"[^\s,:/]+:[0-9]{1,5}(,[^\s,:/]+:[0-9]{1,5})*")

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def command() -> None:
    """Write messages to a topic and read them: Kafka's, or a directory stream of the state folder.

    Without --kafka it is the broker that `moorage up` was given, or the folder STATE/streams/NAME.
    """


def _addressed(decorated: F) -> F:
    """The arguments and options that say which topic is meant."""
    options: tuple[Callable[[Any], Any], ...] = (
        with_state,
        with_namespace,
        click.option("--tls", is_flag=True, help="Encrypt the connection to the broker."),
        click.option("--ca-secret", metavar="NAME", help="Applied Secret whose ca.crt verifies the broker."),
        click.option("--auth-secret", metavar="NAME", help="Applied Secret with the broker's credentials."),
        click.option("--kafka", metavar="HOST:PORT", help="The broker. [default: that of `moorage up`]"),
        click.argument("name"),
    )
    for decorate in options:
        decorated = decorate(decorated)
    return decorated


@command.command(
    epilog=examples(
        "moorage topic produce iris.in -f rows.ndjson",
        """echo '{"id": "a", "sepal_length": 5.1}' | moorage topic produce iris.in --key id""",
    )
)
@_addressed
@click.option(
    "-f", "--filename", "file", type=click.File("rb"), default="-", help="One message a line; - is stdin."
)
@click.option("--key", metavar="FIELD", help="The message's key is this field of its JSON object.")
def produce(file: IO[bytes], *, key: str | None, **address: Any) -> None:
    """Write the lines of a file to a topic.

    Each is a message; empty ones are left out. A directory stream keeps no keys: there the field stays in the
    message only.
    """
    where = _address(**address)
    with open_sink(where) as sink:
        try:
            for message in messages_of(file, key):
                sink.write(message)
        except Failure as failure:
            sink.finish()
            raise Failure(f"{failure.message}; {sink.count} messages before it were written") from None
        sink.finish()
        count = sink.count
    click.echo(f"{count} {'message' if count == 1 else 'messages'} written to {where}")


@command.command(
    epilog=examples(
        "moorage topic consume iris.out --from-beginning --max-messages 10",
        "moorage topic consume iris.out --from-beginning --timeout 5 -o json | jq .key",
    )
)
@_addressed
@click.option("--from-beginning", is_flag=True, help="All that is there, and not only what comes.")
@click.option("--max-messages", "most", type=click.IntRange(min=1), help="End after so many.")
@click.option(
    "--timeout", "seconds", type=click.FloatRange(min=0),
    help="End when nothing has come for so many seconds. [default: never]",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Choice(["value", "json"]), default="value", show_default=True,
    help="json: a line for each message, with key, headers, timestamp, partition and offset.",
)  # fmt: skip
def consume(
    *, from_beginning: bool, most: int | None, seconds: float | None, output: str, **address: Any
) -> None:
    """Print the messages of a topic.

    Nothing is committed, so that looking changes nothing. Of transactions only what was committed is shown. With
    both --max-messages and --timeout, fewer messages in time are an error.
    """
    where = _address(**address)
    with open_records(where, from_beginning=from_beginning, timeout=seconds) as records:
        count = 0
        for record in records:
            click.echo(record.value if output == "value" else json.dumps(shown(record), ensure_ascii=False))
            count += 1
            if count == most:
                return
    if most is not None:
        raise Failure(
            f"error: {where} has brought {count} of {most} messages, then nothing for {seconds:g} s"
        )


def _address(
    *,
    name: str,
    kafka: str | None,
    auth_secret: str | None,
    ca_secret: str | None,
    tls: bool,
    namespace: str,
    state: State,
) -> Address:
    if not _NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r} is no name of a topic: letters, digits, . _ -", param_hint="NAME")
    if kafka is not None and not _BROKERS.fullmatch(kafka):
        raise click.BadParameter(f"{kafka!r} is not HOST:PORT[,HOST:PORT]", param_hint="--kafka")
    spec: Object = {"tls": {}} if tls or ca_secret else {}
    auth, ca = (_secret(state, namespace, secret) for secret in (auth_secret, ca_secret))
    return Address(
        name, state.path / "streams" / name, kafka or state.options().get("kafka"), Security(spec, auth, ca)
    )


def _secret(state: State, namespace: str, name: str | None) -> Object | None:
    if name is None:
        return None
    if (found := state.store.get("Secret", namespace, name)) is None:
        raise NotFound("secrets", name)
    return found
