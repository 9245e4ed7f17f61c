"""A model from the moment it is named in the config: loading, ready or failed, and what stands in front of it."""

import asyncio
import itertools
import secrets
from collections.abc import Callable
from typing import Any

from moorage_runtime.capture import Source
from moorage_runtime.capture.source import Identity, source_of
from moorage_runtime.config import ModelConfig, ModelState, ModelStatus
from moorage_runtime.http.batcher import Batcher, Job, Recorder
from moorage_runtime.http.exchange import Exchange, Gate
from moorage_runtime.http.limits import Limits
from moorage_runtime.http.metrics import Metrics
from moorage_runtime.http.replies import RETRY_AFTER, HttpError
from moorage_runtime.http.worker import Worker
from moorage_runtime.models.base import LoadError, Model
from moorage_runtime.models.load import Loaded

_PREFIX = secrets.token_hex(8)
_NUMBERS = itertools.count(1)
_MESSAGE_MAX = 512


def new_request_id() -> str:
    """An id that no other process and no other request has."""
    return f"{_PREFIX}-{next(_NUMBERS):x}"


class Served:
    """One model of this server."""

    def __init__(self, config: ModelConfig, gate: Gate, limits: Limits, metrics: Metrics) -> None:
        self.config = config
        self.name = config.name
        self.version = config.version
        self.metrics = metrics
        self.state = ModelState.LOADING
        self.reason: str | None = None
        self.message: str | None = None
        self.source: Source | None = None
        self._gate = gate
        self._limits = limits
        self.loaded: Loaded | None = None
        self._batcher: Batcher | None = None
        self._worker: Worker | None = None
        self._operands: dict[Exchange, dict[str, Any]] = {}

    @property
    def model(self) -> Model:
        """The loaded model; only where `admit` did not raise."""
        assert self.loaded is not None
        return self.loaded.model

    def succeed(
        self,
        loaded: Loaded,
        identity: Identity,
        loop: asyncio.AbstractEventLoop,
        recorder: Callable[[Source], Recorder | None],
    ) -> None:
        """Take requests from now on."""
        self.loaded = loaded
        self.source = source_of(identity, self.config, loaded)
        self._worker = Worker(loop, f"predict {self.name}")
        self._batcher = Batcher(
            loop,
            self._worker,
            loaded.model,
            self.name,
            self.metrics.batches(self.name),
            recorder(self.source),
            loaded.call_seconds,
        )
        self.state, self.reason, self.message = ModelState.READY, None, None

    def fail(self, error: BaseException) -> None:
        """Refuse requests, with the reason."""
        self.state = ModelState.FAILED
        self.reason = error.reason if isinstance(error, LoadError) else "ModelLoadFailed"
        text = str(error) if isinstance(error, LoadError) else f"{type(error).__name__}: {error}"
        self.message = text[:_MESSAGE_MAX]

    @property
    def unready(self) -> str | None:
        """Why the model takes no requests; None where it does."""
        if self.state is ModelState.READY:
            return None
        if self.state is ModelState.LOADING:
            return f"model {self.name} is loading"
        return f"model {self.name} could not be loaded: {self.reason}: {self.message}"

    def admit(self) -> None:
        """Raise the HttpError that says why a request cannot be taken now."""
        if self.state is not ModelState.READY:
            extra = RETRY_AFTER if self.state is ModelState.LOADING else b""
            raise HttpError(503, self.unready or "", extra)
        if self._gate.in_flight >= self._limits.in_flight:
            raise HttpError(
                503, f"{self._limits.in_flight} requests are in flight already, try again", RETRY_AFTER
            )

    def submit(self, job: Job) -> None:
        """Predict."""
        assert self._batcher is not None
        self._batcher.submit(job)

    def operate(
        self, exchange: Exchange, operation: str, body: dict[str, Any], done: Callable[[Any], None]
    ) -> None:
        """Run an operation of the user's class in the model's thread; `done` answers with its result."""
        call = self.model.operations[operation]
        assert self._worker is not None
        waiting = self._operands
        exchange.enter(waiting, body)

        def work() -> Any:
            operand = waiting.pop(exchange, None)  # None: answered while it waited
            return None if operand is None else call(operand)

        def finish(result: Any, error: BaseException | None) -> None:
            if error is None:
                try:
                    done(result)
                except TypeError as unwritable:
                    exchange.fail(500, f"{operation} of model {self.name} returned no JSON: {unwritable}")
            elif isinstance(error, ValueError):
                exchange.fail(400, str(error))
            else:
                text = f"{operation} of model {self.name} failed: {type(error).__name__}: {error}"
                exchange.fail(500, text[:500])

        self._worker.submit(work, finish)

    def status(self) -> ModelStatus:
        """What the status document says of the model."""
        loaded = self.loaded
        return ModelStatus(
            name=self.name,
            version=self.version,
            digest=loaded.digest if loaded else None,
            framework=loaded.framework if loaded else self.config.framework,
            predictor=loaded.model.predictor if loaded else None,
            state=self.state,
            reason=self.reason,
            message=self.message or (loaded.warning if loaded else None),
        )
