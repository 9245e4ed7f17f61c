"""`moorage events`: captured predictions, not Kubernetes' events (these are `moorage get events`)."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from moorage_operator.cli.completing import completer
from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure
from moorage_operator.cli.pods import resolve
from moorage_operator.cli.reader import check_reader
from moorage_operator.cli.sources import EVERYTHING, Source, Value, open_source
from moorage_operator.cli.state import State, with_namespace, with_state
from moorage_operator.cli.tables import Table
from moorage_operator.local.apiserver.objects import Object, key_of
from moorage_operator.local.apiserver.store import Store
from moorage_runtime.capture.decode import Decoded, DecodeError, decode, merge

_HEADINGS = ("TIME", "MODEL", "ID", "LATENCY", "OUTPUTS", "INPUTS")
_CELL = 100
_HALVES = 1000


@click.command(
    epilog=examples(
        "moorage events iris --tail 1",
        "moorage events iris -f",
        "moorage events iris --tail -1 -o json | jq .outputs",
    )
)
@click.argument("name", shell_complete=completer("ModelServing", "DriftMonitor"))
@click.option(
    "--tail", "most", default=10, show_default=True, help="The newest so many requests; -1 for all."
)
@click.option("-f", "--follow", is_flag=True, help="Go on and show what comes.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="json: a line for each request.",
)
@click.option(
    "--kafka", metavar="HOST:PORT", help="Read from this broker. [default: where `moorage up` captures to]"
)
@with_namespace
@with_state
def command(
    name: str, *, most: int, follow: bool, output: str, kafka: str | None, namespace: str, state: State
) -> None:
    """Show captured requests and predictions of a ModelServing, or those that a DriftMonitor (drift/NAME) reads.

    They come from its directory stream, or from Kafka.
    """
    watched = watched_by(
        state.store, resolve(state.store, namespace, [name], ("ModelServing", "DriftMonitor"))
    )
    secret = _secret(state.store, namespace, watched.kafka.get("authSecretRef"))
    ca = _secret(state.store, namespace, (watched.kafka.get("tls") or {}).get("caSecretRef"))
    show = _Show(output)
    joiner = Joiner(watched.is_ours)
    with open_source(state.path, watched.kafka, kafka or state.options().get("kafka"), secret, ca) as source:
        requests = newest(source, joiner, most)
        show(requests)
        if not requests and not follow:
            click.echo(f"No events of {watched.name} yet", err=True)
        while follow:
            show(joiner.add(source.more()))
            check_reader()
    if joiner.undecodable:
        click.echo(f"{joiner.undecodable} messages are no captured events: {joiner.trouble}", err=True)


@dataclass(frozen=True, slots=True)
class Watched:
    """A stream of captured events, and which of them are meant."""

    name: str
    kafka: Object
    """The `kafka` block of a manifest."""
    serving: tuple[str, str] | None = None
    """Namespace and name."""
    model: str | None = None

    def is_ours(self, one: Decoded) -> bool:
        """Whether an event is meant; what an event does not say counts as right."""
        if self.serving is not None and (
            one["namespace"] not in (None, self.serving[0]) or one["serving"] not in (None, self.serving[1])
        ):
            return False
        return self.model is None or one["model"] in (None, self.model)


def watched_by(store: Store, obj: Object) -> Watched:
    """The stream that the object captures to or reads. Raises Failure where it has none."""
    kind, namespace, name = key_of(obj)
    called, spec = f'{kind.lower()} "{name}"', obj["spec"]
    if stream := spec.get("stream") if kind == "DriftMonitor" else None:
        return Watched(called, stream["kafka"], model=stream["model"])
    if kind == "DriftMonitor":
        reference = spec["servingRef"]
        serving = resolve(store, namespace, [f"mserve/{reference['name']}"], ())
        return replace(watched_by(store, serving), name=called, model=reference.get("model"))
    if kind != "ModelServing" or not spec.get("capture"):
        raise Failure(f"error: {called} has no spec.capture")
    return Watched(called, spec["capture"]["kafka"], serving=(namespace, name))


def newest(source: Source, joiner: "Joiner", most: int) -> list[Decoded]:
    """The newest requests, oldest first.

    A message may be half of a request, or of another serving on the same topic: so more are read than asked for.
    """
    if most < 0:
        return joiner.add(source.last(EVERYTHING))
    wanted = 2 * most
    while most:
        values = source.last(wanted)
        found = joiner.fresh().add(values)
        if len(found) >= most or len(values) < wanted:
            return joiner.add(values)[-most:]
        wanted *= 8
    source.last(0)
    return []


class Joiner:
    """Messages to whole requests, of those that are meant; halves wait for each other, bounded."""

    def __init__(self, is_ours: Callable[[Decoded], bool]) -> None:
        self._is_ours = is_ours
        self._halves: list[Decoded] = []
        self.undecodable = 0
        self.trouble = ""

    def fresh(self) -> "Joiner":
        """Another one that knows nothing yet."""
        return Joiner(self._is_ours)

    def add(self, values: Iterable[Value]) -> list[Decoded]:
        """The requests that are whole now, by time."""
        decoded = [*self._halves]
        for value, headers in values:
            try:
                decoded += [one for one in decode(value, headers) if self._is_ours(one)]
            except DecodeError as error:
                self.undecodable += 1
                self.trouble = str(error)
        whole: list[Decoded] = []
        halves: list[Decoded] = []
        for one in merge(decoded):
            (whole if one["inputs"] is not None and one["outputs"] is not None else halves).append(one)
        self._halves = halves[-_HALVES:]
        return sorted(whole, key=lambda one: one["time"] or "")


class _Show:
    def __init__(self, output: str) -> None:
        self._json = output == "json"
        self._table = Table(_HEADINGS)

    def __call__(self, requests: Sequence[Decoded]) -> None:
        if self._json:
            for one in requests:
                click.echo(json.dumps({k: v for k, v in one.items() if v is not None}, ensure_ascii=False))
        elif requests:
            self._table.print([_row(one) for one in requests])


def _row(one: Decoded) -> list[str]:
    model = f"{one['model']} {one['version']}" if one["version"] else str(one["model"])
    latency = "" if one["latency_us"] is None else f"{one['latency_us'] / 1000:.2f}ms"
    time = (one["time"] or "").partition(".")[0].removesuffix("Z") + "Z"
    return [time, model, str(one["id"] or ""), latency, _outputs(one["outputs"]), _inputs(one)]


def _inputs(one: Decoded) -> str:
    """The first row, by name where names are known, and how many more there are."""
    rows = one["inputs"]
    first = rows[0] if rows else []
    if one["features"] and isinstance(first, list) and len(one["features"]) == len(first):
        shown = " ".join(
            f"{name}={_short(value)}" for name, value in zip(one["features"], first, strict=True)
        )
    else:
        shown = _short(first)
    return _cut(shown, len(rows) - 1)


def _outputs(outputs: dict[str, list[Any]]) -> str:
    shown = " ".join(f"{name}={_short(values[0])}" for name, values in outputs.items() if values)
    return _cut(shown, max((len(values) for values in outputs.values()), default=1) - 1)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str, more: int) -> str:
    cut = text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
    return f"{cut} (+{more} rows)" if more > 0 else cut


def _secret(store: Store, namespace: str, reference: Object | None) -> Object | None:
    return store.get("Secret", namespace, reference["name"]) if reference else None
