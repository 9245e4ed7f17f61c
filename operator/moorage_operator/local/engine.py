"""Local mode's engine: what changes is queued, one worker brings each object closer to what it asks for."""

import asyncio
import logging
import threading
from collections.abc import Iterable
from typing import Final

from moorage_operator.local import console
from moorage_operator.local.apiserver.manifests import Manifests
from moorage_operator.local.apiserver.objects import Key, key_of
from moorage_operator.local.controllers.workloads import Workloads
from moorage_operator.local.kubelet.node import Node
from moorage_operator.local.kubelet.pod import Pod
from moorage_operator.local.queue import Queue
from moorage_operator.local.reconcile import Reconciler
from moorage_operator.plan import KINDS, Object

_log: Final = logging.getLogger(__name__)


class Engine:
    """Runs until it is told to stop; then every process is drained and the statuses say that nothing runs."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._workloads = Workloads(node)
        self._reconciler = Reconciler(node, self._workloads, self._announce)
        self._handlers = {
            **self._workloads.handlers(),
            **dict.fromkeys(KINDS, self._reconciler.sync),
        }
        self._queue: Queue[Key] = Queue(node.settings.retry)
        self._owners: dict[Key, Key] = {}
        self._quiet = False

    async def run(self, manifests: Manifests, stop: asyncio.Event, hurry: asyncio.Event) -> None:
        """Follow store and manifests until `stop` is set; `hurry` ends without waiting for anything."""
        manifests.apply()
        enough = threading.Event()
        watcher = asyncio.create_task(asyncio.to_thread(self._watch, asyncio.get_running_loop(), enough))
        stopped = asyncio.create_task(stop.wait())
        tasks = {watcher, asyncio.create_task(self._work()), asyncio.create_task(manifests.follow())}
        try:
            ended, _ = await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in ended - {stopped}:
                task.result()  # none of them ends but by an error, which ends us
        finally:
            enough.set()
            for task in (*tasks - {watcher}, stopped):
                task.cancel()
            await asyncio.gather(*tasks, stopped, return_exceptions=True)
            await self._drain(hurry)

    def route(self, keys: Iterable[Key]) -> None:
        """Queue everything that the change of these objects may concern."""
        for key in keys:
            if key[0] == "Event":
                continue
            self._note_owner(key)
            link: Key | None = key
            while link is not None:
                if link[0] in self._handlers:
                    self._queue.add(link)
                link = self._owners.get(link)
            for referrer in self._reconciler.referrers(key):
                self._queue.add(referrer)
            if key[0] in {"Secret", "ConfigMap"}:
                self._workloads.poke(key[1])

    def _note_owner(self, key: Key) -> None:
        obj = self._node.store.get(*key)
        if obj is None:
            return
        for owner in obj["metadata"].get("ownerReferences") or []:
            if owner.get("controller"):
                self._owners[key] = (owner["kind"], key[1], owner["name"])

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                again = self._handlers[key[0]](key)
            except Exception as error:  # noqa: BLE001 - one object's fault must not stop the others
                _log.exception("%s %s/%s", *key)
                self._node.say(f"{key[0].lower()}/{key[2]}: {type(error).__name__}: {error}; trying again")
                self._queue.failed(key)
            else:
                self._queue.succeeded(key)
                if again is not None:
                    self._queue.add(key, again)
            await asyncio.sleep(0)

    def _watch(self, loop: asyncio.AbstractEventLoop, enough: threading.Event) -> None:
        for keys in self._node.store.changes(enough):
            if keys and not enough.is_set():
                loop.call_soon_threadsafe(self.route, keys)

    async def _drain(self, hurry: asyncio.Event) -> None:
        self._quiet = True
        pods = self._workloads.pods()
        if pods:
            self._node.say(f"draining {len(pods)} process{'es' if len(pods) > 1 else ''}")
        for pod in pods:
            pod.stop()
        joined = asyncio.create_task(_join(pods))
        hurried = asyncio.create_task(hurry.wait())
        await asyncio.wait((joined, hurried), return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        for pod in pods:
            pod.kill()
        await joined
        self._workloads.settle()
        for kind in KINDS:
            for resource in self._node.store.list(kind):
                self._reconciler.sync(key_of(resource))

    def _announce(self, resource: Object, status: Object) -> None:
        for told in () if self._quiet else console.news(resource, status):
            self._node.say(told.line)
            self._node.store.record_event(resource, told.type, told.reason, told.message)


async def _join(pods: Iterable[Pod]) -> None:
    for pod in pods:
        await pod.join()
