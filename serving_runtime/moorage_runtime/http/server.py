"""The server as a whole: models are loaded beside an open management port; traffic comes once they are ready."""

import asyncio
import gc
import json
import shutil
import signal
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter_ns

from moorage_runtime.capture import Source, open_capture
from moorage_runtime.capture.source import identity
from moorage_runtime.config import ModelState, ServeConfig, ServeStatus
from moorage_runtime.http import management, routes, sockets
from moorage_runtime.http.batcher import Recorder
from moorage_runtime.http.exchange import Gate
from moorage_runtime.http.lifecycle import Ports
from moorage_runtime.http.limits import Limits, Sweeper
from moorage_runtime.http.metrics import Metrics
from moorage_runtime.http.protocol import Connection
from moorage_runtime.http.recording import CaptureRecorder
from moorage_runtime.http.router import Router
from moorage_runtime.http.served import Served
from moorage_runtime.http.worker import Worker
from moorage_runtime.models import Loaded, load
from moorage_runtime.models.base import LoadError

_RETRY_SECONDS = 1.0
_RELOAD_SECONDS = (2.0, 60.0)
"""Pause after the first failed fetch of an artifact, and the longest; each is twice the one before."""
_COLLECT_AFTER = 50_000
"""Containers made beyond those freed before the cycle collector looks for cycles."""
_CAPTURE_SECONDS = 0.25
"""Share of the time to drain that is kept for the stream."""


class Server:
    """One process that serves the models of a ServeConfig."""

    def __init__(self, config: ServeConfig, loop: asyncio.AbstractEventLoop) -> None:
        self._config = config
        self._loop = loop
        self._gate = Gate()
        limits = Limits.of(config.http)
        self._sweeper: Sweeper[Connection] = Sweeper(loop, perf_counter_ns)
        self._ports = Ports(loop, self._gate, limits, self._sweeper)
        self._capture = open_capture(config.capture) if config.capture else None
        self._metrics = Metrics(
            self._gate,
            lambda: [each.status() for each in self._models],
            lambda: self._capture.status() if self._capture else None,
        )
        self._models = [Served(each, self._gate, limits, self._metrics) for each in config.models]
        self._identity = identity(config.namespace, config.name, config.revision)
        self._table = routes.build(self._models, self._metrics, lambda: self.unready is None)
        missing, other = routes.not_found(self._models), self._metrics.route("", "server")
        self._traffic = Router((self._table,), missing, other)
        own = management.build(lambda: self.unready, self.status, self._metrics.route("", "management"))
        self._management = Router((own, self._table), missing, other)
        self._opened = False
        self._closed_because = "the traffic port is not open yet"
        self._temporary: str | None = None
        self._stop = asyncio.Event()

    @property
    def unready(self) -> str | None:
        """Why the pod is not ready; None where it is."""
        if self._gate.draining:
            return "the server is shutting down"
        reasons = [reason for each in self._models if (reason := each.unready)]
        if not self._enough():
            return "; ".join(reasons)
        return None if self._opened else self._closed_because

    def _enough(self) -> bool:
        """Whether as many models are loaded as `readyWhen` asks for."""
        loaded = [each.state is ModelState.READY for each in self._models]
        return any(loaded) if self._config.http.ready_when == "AnyModel" else all(loaded)

    def status(self) -> ServeStatus:
        """The status document."""
        return ServeStatus(
            name=self._config.name,
            namespace=self._config.namespace,
            revision=self._config.revision,
            ready=self.unready is None,
            models=[each.status() for each in self._models],
            capture=self._capture.status() if self._capture else None,
        )

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit code. Raises PortTakenError at the start."""
        http, management_port = self._config.http, self._config.management_port
        sockets.raise_file_limit()
        sockets.shared(http.host, http.port).close()
        if management_port is not None:
            opened = sockets.shared(http.host, management_port)
            management_port = await self._ports.listen(opened, self._management)
        for name in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(name, self._stop.set)
        self._sweeper.start()
        self._load()
        _say("starting", models=[each.name for each in self._models], managementPort=management_port)
        await self._stop.wait()
        await self._end()
        return 0

    def _load(self) -> None:
        """Load every model in a thread of its own."""
        if self._config.cache_dir is None:
            self._temporary = tempfile.mkdtemp(prefix="moorage-")
        for served in self._models:
            self._try_to_load(served, _RELOAD_SECONDS[0])

    def _try_to_load(self, served: Served, pause: float) -> None:
        """Load one model; where its artifact cannot be had, try again after `pause` seconds."""
        cache = Path(self._config.cache_dir or self._temporary or "")
        loader = Worker(self._loop, f"load {served.name}")
        call = partial(load, served.config, self._config.storage, cache)
        loader.submit(call, partial(self._loaded, served, pause))
        loader.stop()

    def _loaded(
        self, served: Served, pause: float, loaded: Loaded | None, error: BaseException | None
    ) -> None:
        if loaded is not None:
            served.succeed(loaded, self._identity, self._loop, self._recorder)
            routes.add_operations(self._table, served, self._metrics)
            _say(
                "model loaded",
                model=served.name,
                version=served.version,
                digest=loaded.digest,
                predictor=loaded.model.predictor,
                seconds=round(loaded.load_seconds, 3),
                warning=loaded.warning,
            )
        elif error is not None:
            served.fail(error)
            again = pause if isinstance(error, LoadError) and error.transient else None
            _say(
                "model failed",
                model=served.name,
                reason=served.reason,
                error=served.message,
                retrySeconds=again,
            )
            if again is not None:
                later = min(2 * pause, _RELOAD_SECONDS[1])
                self._loop.call_later(pause, self._try_to_load, served, later)
        self._loop.create_task(self._open())

    def _recorder(self, source: Source) -> Recorder | None:
        return CaptureRecorder(self._capture, source) if self._capture else None

    async def _open(self) -> None:
        """Open the traffic port, if it is time; `sockets` says who may share it."""
        if self._opened or self._gate.draining:
            return
        states = [each.state for each in self._models]
        enough = self._enough()
        if not enough and (ModelState.LOADING in states or ModelState.READY not in states):
            return
        http = self._config.http
        try:
            opened = (sockets.shared if enough else sockets.claimed)(http.host, http.port)
        except sockets.PortTakenError as taken:
            self._closed_because = str(taken)
            _say("traffic port stays closed", error=self._closed_because)
            if enough:
                self._loop.call_later(_RETRY_SECONDS, lambda: self._loop.create_task(self._open()))
            return
        self._opened = True
        _tune_collector()
        port = await self._ports.listen(opened, self._traffic)
        _say("ready" if enough else "serving without the failed models", port=port)

    async def _end(self) -> None:
        """Drain, then let the stream have what was captured: within `drain_seconds` in all."""
        deadline = self._loop.time() + self._config.http.drain_seconds
        reserve = _CAPTURE_SECONDS * self._config.http.drain_seconds if self._capture else 0.0
        _say("stopping", inFlight=self._gate.in_flight)
        await self._ports.drain(self._config.http.drain_seconds - reserve, keep=self._management)
        self._sweeper.stop()
        if self._capture is not None:
            left = max(reserve, deadline - self._loop.time())
            await asyncio.to_thread(self._capture.close, left)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        lost = self._capture.status().dropped if self._capture else 0
        _say("stopped", captureDropped=lost or None)


def _tune_collector() -> None:
    """Keep the cycle collector from looking at what lives for good, and at each of a large request's many lists."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 100)


def _say(message: str, **fields: object) -> None:
    """One line of JSON for whoever reads the log."""
    known = {name: value for name, value in fields.items() if value is not None}
    print(json.dumps({"message": message, **known}), flush=True)  # noqa: T201 - a pod's output is its log
