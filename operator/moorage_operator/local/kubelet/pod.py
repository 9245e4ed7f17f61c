"""One pod as one process: started, probed, restarted and ended, and written down as Kubernetes would."""

import asyncio
import contextlib
import shutil
from pathlib import Path

from moorage_api.conditions import Reason
from moorage_operator.local.apiserver.store import StoreError
from moorage_operator.local.kubelet import pod_status, process
from moorage_operator.local.kubelet.identity import Identity
from moorage_operator.local.kubelet.launch import CannotStart, Launch
from moorage_operator.local.kubelet.node import Node, Ports
from moorage_operator.local.kubelet.probes import Health, get
from moorage_operator.plan import labels
from moorage_operator.plan.types import Report
from moorage_runtime.config import STATUS_PATH, TERMINATION_MAX_BYTES, Status

_LAST_WORDS = 300


class Pod:
    """A pod's life; `start` begins it, `stop` asks for its end, `ended` says that it is over."""

    def __init__(self, node: Node, identity: Identity) -> None:
        self.identity = identity
        self.seen = pod_status.Seen()
        self.ended = False
        self._node = node
        self._stopping = asyncio.Event()
        self._poked = asyncio.Event()
        self._process: process.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; from the event loop of the main thread."""
        self._publish(pod_status.Seen())
        self._task = asyncio.create_task(self._run(), name=self.identity.name)

    def stop(self) -> None:
        """Ask the process to end, with its grace period; the pod is forgotten when it has."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stopping.is_set()

    def poke(self) -> None:
        """A ConfigMap or Secret of the namespace has changed: bring mounted files up to date, or try again."""
        self._poked.set()

    def kill(self) -> None:
        """End a pod that was told to stop without any grace."""
        if self._process is not None:
            self._process.kill()

    async def join(self) -> None:
        """Wait for the end of a pod that was told to stop."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def report(self) -> Report:
        """What the pod says of itself, for a plan."""
        return Report(
            owner=self.identity.owner["metadata"]["name"],
            pod=self.identity.name,
            revision=self.identity.labels.get(labels.REVISION, ""),
            ready=self.seen.ready,
            status=self.seen.status,
            trouble=self.seen.trouble,
        )

    async def _run(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        try:
            while not self.stopping:
                began = loop.time()
                try:
                    code = await self._live_once()
                except CannotStart as refusal:
                    self._see(state="waiting", trouble=(refusal.reason, refusal.message))
                    await self._pause(self._node.settings.config_retry)
                    continue
                except OSError as error:
                    code, message = 127, f"cannot be started: {error}"
                else:
                    message = f"{pod_status.exit_words(code)}{self._last_words()}"
                if self.stopping:
                    break
                if not self.identity.restarts:
                    self._see(
                        state="terminated",
                        exit_code=code,
                        ready=False,
                        termination=self._termination(message),
                    )
                    return
                failures = self._node.settings.restart.failures(failures, loop.time() - began)
                trouble = (str(Reason.CRASH_LOOP), f"the process ended with {message}")
                self._event("Warning", "BackOff", f"the process ended with {message}; starting it again")
                self._see(
                    state="waiting", ready=False, status=None, trouble=trouble,
                    exit_code=code, restarts=self.seen.restarts + 1,
                )  # fmt: skip
                await self._pause(self._node.settings.restart.delay(failures), poke=False)
        finally:
            self.ended = True
            if self.stopping:
                self._node.store.delete("Pod", self.identity.namespace, self.identity.name)
            folder = self._node.folder(self.identity.namespace, self.identity.name)
            shutil.rmtree(folder, ignore_errors=True)  # its secrets go with it
            self._node.changed(self.identity.owner_key)

    async def _live_once(self) -> int:
        """Start the process and follow it to its end; its exit code."""
        ports = Ports()
        launch = self._prepare(ports)
        folder = self._node.folder(self.identity.namespace, self.identity.name)
        running = await process.start(
            launch.command,
            launch.env,
            folder,
            self._node.log(self.identity.namespace, self.identity.name),
            folder / "pid.json",
        )
        self._process = running
        self._event("Normal", "Started", f"process {running.pid} started")
        ready_at_once = launch.readiness is None and self.identity.restarts
        self._see(state="running", ready=ready_at_once, pid=running.pid, management_port=ports.management)
        exited = asyncio.create_task(running.wait())
        followers = {
            asyncio.create_task(self._probe(launch, ports.management)),
            asyncio.create_task(self._stopping.wait()),
        }
        refresher = asyncio.create_task(self._refresh(ports))
        try:
            await asyncio.wait({exited, *followers}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                for task in followers:
                    task.cancel()
                self._see(ready=False)
                await running.stop(launch.grace)
            return await exited
        finally:
            self._process = None
            for task in (*followers, refresher):
                task.cancel()
            await asyncio.gather(*followers, refresher, return_exceptions=True)

    def _prepare(self, ports: Ports) -> Launch:
        launch = self._node.compose(
            self.identity.namespace, self.identity.name, self.identity.template, ports
        )
        for folder in launch.folders:
            folder.mkdir(parents=True, exist_ok=True)
        for file, content in launch.files.items():
            _write(file, content)
        return launch

    async def _refresh(self, ports: Ports) -> None:
        """Keep mounted ConfigMaps and Secrets up to date, as a kubelet does."""
        while True:
            await self._poked.wait()
            self._poked.clear()
            with contextlib.suppress(CannotStart):
                self._prepare(ports)

    async def _probe(self, launch: Launch, port: int) -> None:
        """Ask for readiness, liveness and status; returns where the process has to be restarted."""
        if launch.readiness is None:
            await (self._watch(port) if launch.managed else asyncio.Event().wait())
            return
        settings, loop = self._node.settings, asyncio.get_running_loop()
        ready, live = Health(good=False), Health(good=True)
        started, began = launch.startup is None, loop.time()
        next_live = next_status = began
        while True:
            now = loop.time()
            if not started and launch.startup:
                started = await _good(port, launch.startup.path, launch.startup.timeout)
                if now - began > launch.startup.period * launch.startup.failure_threshold:
                    self._event("Warning", "Unhealthy", f"startup probe failed: {launch.startup.path}")
                    return
            elif launch.liveness and now >= next_live:
                next_live = now + min(launch.liveness.period, settings.liveness_period)
                answer = await _good(port, launch.liveness.path, launch.liveness.timeout)
                live = live.after(launch.liveness, answer=answer)
                if not live.good:
                    self._event("Warning", "Unhealthy", f"liveness probe failed: {launch.liveness.path}")
                    return
            answer = await _good(port, launch.readiness.path, launch.readiness.timeout)
            before, ready = ready.good, ready.after(launch.readiness, answer=answer)
            if ready.good != before or now >= next_status:
                next_status = now + settings.status_period * (1.0 if ready.good else 0.25)
                status = await _status(port) or self.seen.status
                trouble = None if ready.good else self.seen.trouble
                self._see(ready=ready.good, status=status, trouble=trouble)
            period = min(launch.readiness.period, settings.probe_period)
            await asyncio.sleep(period if ready.good else min(period, settings.startup_period))

    async def _watch(self, port: int) -> None:
        """Ask a pod without probes, as a Job's is, for its status; for ever, and more often until the first answer."""
        period = self._node.settings.startup_period
        while True:
            if (status := await _status(port)) is not None:
                self._see(status=status)
                period = self._node.settings.status_period
            await asyncio.sleep(period)

    async def _pause(self, seconds: float, *, poke: bool = True) -> None:
        """Wait; a stop ends it early, and so does a poke where that may help."""
        waits = {asyncio.create_task(self._stopping.wait())}
        if poke:
            self._poked.clear()
            waits.add(asyncio.create_task(self._poked.wait()))
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    def _see(self, **news: object) -> None:
        """Take note, and tell whoever is to know; the same again is no news."""
        seen = self.seen.with_news(**news)
        if seen != self.seen:
            self._publish(seen)
            self._node.changed(self.identity.owner_key)

    def _publish(self, seen: pod_status.Seen) -> None:
        self.seen = seen
        written = pod_status.pod_object(self.identity, seen)
        key = ("Pod", self.identity.namespace, self.identity.name)
        with contextlib.suppress(StoreError):  # its owner is gone: this pod is about to be told
            self._node.store.put_owned(written)
            self._node.store.annotate(*key, pod_status.notes(seen))
            self._node.store.put_status(*key, written["status"])

    def _event(self, type_: str, reason: str, message: str) -> None:
        self._node.store.record_event(
            self.identity.owner, type_, reason, f"pod {self.identity.name}: {message}"
        )

    def _last_words(self) -> str:
        """What the process said last, for a message."""
        log = self._node.log(self.identity.namespace, self.identity.name)
        with contextlib.suppress(OSError):
            lines = log.read_bytes()[-4096:].decode(errors="replace").splitlines()
            said = next((line.strip() for line in reversed(lines) if line.strip()), "")
            return f": {said[:_LAST_WORDS]}" if said else ""
        return ""

    def _termination(self, otherwise: str) -> str:
        """The termination message; what was said last where there is none."""
        log = self._node.folder(self.identity.namespace, self.identity.name) / "termination-log"
        with contextlib.suppress(OSError):
            return log.read_bytes()[:TERMINATION_MAX_BYTES].decode(errors="replace") or otherwise
        return otherwise


async def _good(port: int, path: str, timeout: float) -> bool:  # noqa: ASYNC109 - a probe's own
    reply = await get(port, path, timeout)
    return reply is not None and 200 <= reply[0] < 400


async def _status(port: int) -> Status | None:
    reply = await get(port, STATUS_PATH, 2.0)
    return pod_status.read_status(reply[1]) if reply and reply[0] == 200 else None


def _write(file: Path, content: bytes) -> None:
    if file.exists() and file.read_bytes() == content:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(content)
    unfinished.replace(file)
