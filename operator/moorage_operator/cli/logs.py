"""`moorage logs`."""

import time
from collections.abc import Sequence

import click

from moorage_operator.cli.completing import completer
from moorage_operator.cli.examples import examples
from moorage_operator.cli.failure import Failure
from moorage_operator.cli.pods import pods_of, resolve
from moorage_operator.cli.reader import check_reader
from moorage_operator.cli.state import State, with_namespace, with_state
from moorage_operator.cli.tail import Tail
from moorage_operator.local.apiserver.objects import Object, key_of

KINDS = ("Pod", "ModelServing", "ModelTest", "DriftMonitor", "BatchPrediction")
_POLL = 0.2


@click.command(
    epilog=examples(
        "moorage logs iris",
        "moorage logs mtest/iris-live",
        "moorage logs drift/iris -f",
        "moorage logs iris-5d8c7b-x7k2p -f --tail 20",
    )
)
@click.argument("words", nargs=-1, required=True, metavar="NAME|KIND/NAME", shell_complete=completer(*KINDS))
@click.option("-f", "--follow", is_flag=True, help="Go on until the pods are gone or finished.")
@click.option("--tail", "lines", default=-1, help="Only this many lines of each pod. [default: all]")
@with_namespace
@with_state
def command(words: Sequence[str], *, follow: bool, lines: int, namespace: str, state: State) -> None:
    """Print what the pods of an object wrote, over all restarts of their processes.

    NAME is a pod, a ModelServing, a ModelTest, a DriftMonitor or a BatchPrediction. With several pods (a stream's
    workers beside the servers, the indexes of a batch) each line begins with its pod's name.
    """
    store, obj = state.store, resolve(state.store, namespace, words, KINDS)
    if not pods_of(store, obj) and not follow:
        raise Failure(
            f"error: {obj['kind'].lower()} {obj['metadata']['name']} has no pods now; "
            f"logs of earlier ones are in {state.path / 'logs' / key_of(obj)[1]}"
        )
    most, tails = lines, dict[str, Tail]()
    pods: dict[str, Object] = {}
    while True:
        pods |= {pod["metadata"]["name"]: pod for pod in pods_of(store, obj)}
        over = bool(pods) and all(_over(store.get(*key_of(pod))) for pod in pods.values())
        for name, pod in pods.items():
            log = state.path / "logs" / key_of(pod)[1] / f"{name}.log"
            tail = tails.setdefault(name, Tail(log, most))
            for line in tail.lines():
                click.echo(f"[{name}] {line}" if len(pods) > 1 else line)
        if over or not follow:
            return
        most = -1  # a pod that appears from now on is shown whole
        check_reader()
        time.sleep(_POLL)


def _over(pod: Object | None) -> bool:
    return pod is None or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
