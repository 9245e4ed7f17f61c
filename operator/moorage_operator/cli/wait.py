"""`moorage wait`."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from moorage_operator.cli.age import seconds_of
from moorage_operator.cli.completing import complete_objects
from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure, NotFound
from moorage_operator.cli.fetch import Fetch
from moorage_operator.cli.jsonpath import JsonPathError, find, text
from moorage_operator.cli.progress import progress
from moorage_operator.cli.resources import Resource
from moorage_operator.cli.selection import Target, selector, targets
from moorage_operator.cli.state import State, with_namespace, with_state
from moorage_operator.local.apiserver.objects import Key, Object, key_of
from moorage_operator.local.apiserver.store import Store

Met = Callable[[Object | None], bool]
"""Whether an object (None: it is gone) is as awaited."""
FOREVER = 7 * 86400.0
CONDITION = "condition="
JSONPATH = "jsonpath="


@click.command(
    epilog=examples(
        "moorage wait --for=condition=Ready mserve/iris --timeout=60s",
        "moorage wait --for=jsonpath='{.status.verdict}'=Passed mtest/iris-live",
        "moorage wait --for=condition=DataDrift drift/iris --timeout=10m",
        "moorage wait --for=condition=Ready bpred/iris --timeout=1h   # with a progress bar",
        "moorage wait --for=delete mserve iris",
    )
)
@click.argument("words", nargs=-1, metavar="KIND[/NAME] [NAME]...", shell_complete=complete_objects)
@click.option(
    "--for", "awaited", required=True, metavar="condition=TYPE[=STATUS]|delete|create|jsonpath=PATH[=VALUE]",
    help="What to wait for; a condition's STATUS is True if left out.",
)  # fmt: skip
@click.option("--timeout", default="30s", show_default=True, help="How long; 0 looks once, -1s waits a week.")
@click.option("-l", "--selector", "labels", default="", help="All objects with these labels.")
@click.option("--all", "every", is_flag=True, help="All objects of the type.")
@with_namespace
@with_state
def command(
    words: Sequence[str],
    *,
    awaited: str,
    timeout: str,
    labels: str,
    every: bool,
    namespace: str,
    state: State,
) -> None:
    """Wait for a condition of objects; exits with 1 when the time is over.

    A status that is older than the last edit of the object does not count.
    """
    met = condition(awaited)
    try:
        seconds = seconds_of(timeout)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    wanted = targets(words)
    if not (labels or every) and any(target.name is None for target in wanted):
        raise Failure("error: resource(s) were provided, but no name was specified")
    if awaited == "create" and any(target.name is None for target in wanted):
        raise Failure("error: --for=create needs names")
    pending = _pending(wanted, Fetch(state.store, namespace, selector(labels)), namespace, awaited)
    if not pending and awaited != "delete":
        raise Failure("error: no matching resources found")
    state.say_if_still()
    deadline = time.monotonic() + (seconds if seconds >= 0 else FOREVER)
    _wait(state.store, pending, met, deadline)


@dataclass(frozen=True, slots=True)
class _Awaited:
    resource: Resource
    uid: str | None
    """Of the object as it was found; another one of its name is not it."""


def _wait(store: Store, pending: dict[Key, _Awaited], met: Met, deadline: float) -> None:
    with progress(key for key in pending if key[0] == "BatchPrediction") as show:
        for _ in store.changes(threading.Event(), idle_seconds=0.2):
            for key, one in list(pending.items()):
                obj = store.get(*key)
                if obj is not None and one.uid not in (None, obj["metadata"]["uid"]):
                    obj = None
                show(key, obj)
                if met(obj):
                    click.echo(f"{one.resource.called(key[2])} condition met")
                    del pending[key]
            if not pending:
                return
            if time.monotonic() >= deadline:
                break
    raise Failure(
        "\n".join(
            f"error: timed out waiting for the condition on {one.resource.plural}/{name}"
            for (_, _, name), one in pending.items()
        )
    )


def condition(awaited: str) -> Met:
    """What `--for` says, as a test of an object. UsageError for what it cannot say."""
    if awaited == "delete":
        return lambda obj: obj is None
    if awaited == "create":
        return lambda obj: obj is not None
    if awaited.startswith(CONDITION):
        kind, _, status = awaited.removeprefix(CONDITION).partition("=")
        return lambda obj: obj is not None and _has_condition(obj, kind, status or "True")
    if awaited.startswith(JSONPATH):
        path, value = _path_and_value(awaited.removeprefix(JSONPATH))
        return lambda obj: obj is not None and _leads_to(obj, path, value)
    raise click.UsageError(f'unrecognized condition: "{awaited}"')


def _has_condition(obj: Object, kind: str, status: str) -> bool:
    generation = obj["metadata"].get("generation", 0)
    own = obj.get("status") or {}
    for one in own.get("conditions") or ():
        if one["type"].lower() == kind.lower():
            seen = one.get("observedGeneration", own.get("observedGeneration", generation))
            return bool(one["status"].lower() == status.lower()) and seen >= generation
    return False


def _path_and_value(words: str) -> tuple[str, str | None]:
    words = words.strip("'\"")
    if words.startswith("{"):
        path, brace, rest = words[1:].rpartition("}")
        if not brace or (rest and not rest.startswith("=")):
            raise click.UsageError(f"jsonpath={words} is not of the form jsonpath={{.PATH}}=VALUE")
        value = rest[1:] if rest else None
    else:
        path, equals, rest = words.partition("=")
        value = rest if equals else None
    try:
        find(path, {})
    except JsonPathError as error:
        raise click.UsageError(str(error)) from None
    return path, None if value is None else value.strip("'\"")


def _leads_to(obj: Object, path: str, value: str | None) -> bool:
    found = find(path, obj)
    return bool(found) if value is None else any(text(one) == value for one in found)


def _pending(wanted: Sequence[Target], fetch: Fetch, namespace: str, awaited: str) -> dict[Key, _Awaited]:
    """What to wait for; only `delete` and `create` may name an object that is not there."""
    pending: dict[Key, _Awaited] = {}
    for target in wanted:
        try:
            found = {key_of(obj): obj["metadata"].get("uid") for obj in fetch(target)}
        except NotFound:
            if awaited not in ("create", "delete"):
                raise
            where = {"name": target.name, "namespace": namespace}
            found = {key_of({"kind": target.resource.kind, "metadata": where}): None}
        pending |= {key: _Awaited(target.resource, uid) for key, uid in found.items()}
    if awaited == "delete":
        return {key: one for key, one in pending.items() if one.uid is not None}
    return pending
