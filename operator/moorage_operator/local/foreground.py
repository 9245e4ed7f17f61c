"""`moorage up` around its engine: lock, survivors of an earlier one, signals, the first and the last lines."""

import asyncio
import logging
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from moorage_operator.local import lock, options
from moorage_operator.local.apiserver import manifests
from moorage_operator.local.apiserver.manifests import Manifests
from moorage_operator.local.apiserver.objects import Key
from moorage_operator.local.apiserver.store import Store
from moorage_operator.local.engine import Engine
from moorage_operator.local.kubelet.node import Node
from moorage_operator.local.kubelet.process import end_survivors
from moorage_operator.local.kubelet.services import Services
from moorage_operator.local.settings import Settings


def run(
    state: Path,
    paths: list[Path],
    *,
    kafka: str | None,
    object_store: str | None,
    namespace: str | None,
    settings: Settings,
) -> int:
    """What `moorage_operator.local.up` says, with settings."""
    if problem := manifests.missing(paths):
        print(f"error: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        with lock.held(state):
            options.write(state, {"kafka": kafka, "objectStore": object_store})
            return asyncio.run(_run(state, paths, kafka, object_store, namespace, settings))
    except lock.AlreadyRunning as running:
        print(f"error: {running}", file=sys.stderr)  # noqa: T201
        return 1


async def _run(
    state: Path,
    paths: list[Path],
    kafka: str | None,
    object_store: str | None,
    namespace: str | None,
    settings: Settings,
) -> int:
    stop, hurry = _on_signals()
    _log_to(state / "logs" / "moorage.log")
    survivors = end_survivors(sorted((state / "run" / "pods").glob("*/*/pid.json")))
    shutil.rmtree(state / "run" / "pods", ignore_errors=True)  # secrets among them
    store = Store(state / "store")
    services = Services(store, settings.first_port)
    routes: list[Callable[[set[Key]], None]] = []

    def changed(key: Key) -> None:
        for route in routes:
            route({key})

    node = Node(
        state=state,
        store=store,
        services=services,
        settings=settings,
        changed=changed,
        say=_say,
        kafka=kafka,
        object_store=object_store,
    )
    _greet(node, survivors)
    engine = Engine(node)
    routes.append(engine.route)
    try:
        await engine.run(Manifests(paths, store, namespace, _say), stop, hurry)
    finally:
        services.close()
    _say("stopped; nothing is running any more")
    return 0


def _on_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """(set by the first SIGINT or SIGTERM, set by the second)."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def heard() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for sig in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sig, heard)
    return stop, hurry


def _greet(node: Node, survivors: list[int]) -> None:
    shown = _short(node.state)
    _say(f"moorage up, state folder {shown}")
    _say(f"streams   {f'kafka {node.kafka}' if node.kafka else f'{shown}/streams/TOPIC'}")
    _say(f"objects   {node.object_store or f'{shown}/objects'}/BUCKET/KEY")
    _say(f"logs      {shown}/logs/NAMESPACE/POD.log, or: moorage logs NAME")
    if survivors:
        _say(f"ended {len(survivors)} left over from an earlier moorage up")


def _short(path: Path) -> Path:
    """The path as a person in the current folder would write it."""
    here = Path.cwd()
    return path.absolute().relative_to(here) if path.absolute().is_relative_to(here) else path.absolute()


def _log_to(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger("moorage_operator").addHandler(handler)
    logging.getLogger("moorage_operator").propagate = False


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is the command's output
