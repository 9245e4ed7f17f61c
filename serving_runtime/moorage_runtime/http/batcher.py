"""Requests that are parsed in one event-loop tick become one predict call.

There is no timer: the first request asks the loop to call back once the tick's input is read, so a lone request
waits for nobody. While a slow model works in its thread, what arrives becomes the next batch. A joined call
that fails is repeated request by request, so that only the bad one fails.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from time import perf_counter_ns
from typing import Any, Protocol

import numpy as np
import orjson

from moorage_runtime.http.exchange import Exchange
from moorage_runtime.http.worker import Worker
from moorage_runtime.models.base import Array, InputError, Inputs, Model, Outputs

INLINE_NS = 1_000_000
"""A predict call cheaper than this runs on the event loop; a thread would cost more than it frees."""
INLINE_ROWS = 1024
MAX_ROWS = 4096
"""Rows of one joined call; a single request may have more."""
_LIST_ROWS = 64
_STREAK = 20
"""So many small calls in a row must be slow (or fast) before the model moves to its thread (or to the loop): on a
busy machine single calls are slow because the process was interrupted."""
log = logging.getLogger(__name__)


class Answers:
    """The outputs of one predict call, and JSON of any request's share of them."""

    __slots__ = ("_flat", "_nested", "arrays")

    def __init__(self, arrays: Outputs) -> None:
        self.arrays = arrays
        self._flat: dict[str, list[Any]] = {}
        self._nested: dict[str, list[Any]] = {}

    def nested(self, name: str, start: int, stop: int) -> bytes:
        """JSON of rows `start` to `stop`, one element a row."""
        array = self.arrays[name]
        if _by_numpy(array, stop - start):
            return orjson.dumps(np.ascontiguousarray(array[start:stop]), option=orjson.OPT_SERIALIZE_NUMPY)
        rows = self._nested.get(name)
        if rows is None:
            rows = self._nested[name] = array.tolist()
        return orjson.dumps(rows[start:stop], option=orjson.OPT_SERIALIZE_NUMPY)

    def flat(self, name: str, start: int, stop: int) -> bytes:
        """JSON of the same, row-major without nesting."""
        array = self.arrays[name]
        if array.ndim == 1:
            return self.nested(name, start, stop)
        if _by_numpy(array, stop - start):
            part = np.ascontiguousarray(array[start:stop]).reshape(-1)
            return orjson.dumps(part, option=orjson.OPT_SERIALIZE_NUMPY)
        values = self._flat.get(name)
        if values is None:
            values = self._flat[name] = array.reshape(-1).tolist()
        width = array[0].size if len(array) else 0
        return orjson.dumps(values[start * width : stop * width], option=orjson.OPT_SERIALIZE_NUMPY)


def _by_numpy(array: Array, rows: int) -> bool:
    """Whether orjson should read the array itself: long ones for speed, narrow floats for their shortest text."""
    kind = array.dtype.kind
    return kind in "iufb" and (rows > _LIST_ROWS or (kind == "f" and array.itemsize < 8))


class Job(ABC):
    """One request's rows on their way through a model; each dialect writes its own reply."""

    __slots__ = ("exchange", "inputs", "key", "operation", "outputs", "request_id", "rows")

    def __init__(
        self,
        exchange: Exchange,
        inputs: Inputs,
        rows: int,
        outputs: tuple[str, ...],
        request_id: str,
        operation: str,
    ) -> None:
        self.exchange = exchange
        self.inputs = inputs
        self.rows = rows
        self.outputs = outputs
        self.request_id = request_id
        self.operation = operation
        self.key: Hashable = (
            (outputs, inputs.shape[1:], inputs.dtype)
            if isinstance(inputs, np.ndarray)
            else (outputs, *((name, column.shape[1:], column.dtype) for name, column in inputs.items()))
        )

    @abstractmethod
    def finish(self, answers: Answers, start: int, stop: int, now: int) -> None:
        """Answer the exchange from the batch's rows `start` to `stop`."""


class Recorder(Protocol):
    """Takes what was answered: capture, when it is on."""

    def record(self, job: Job, outputs: Outputs, latency: int) -> None:
        """One answered request; `latency` in ns."""

    def tick(self) -> None:
        """A batch is answered."""


class RowMeter(Protocol):
    """Counts predict calls."""

    def batch(self, rows: int) -> None:
        """One call and its rows."""


Outcome = tuple[list[Job], "Answers | BaseException"]


class Batcher:
    """The queue in front of one model."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        worker: Worker,
        model: Model,
        name: str,
        meter: RowMeter,
        recorder: Recorder | None,
        call_seconds: float | None,
    ) -> None:
        self._loop = loop
        self._worker = worker
        self._model = model
        self._name = name
        self._meter = meter
        self._recorder = recorder
        self._inline = model.stackable and call_seconds is not None and call_seconds * 1e9 < INLINE_NS
        self._streak = 0
        self._pending: dict[Exchange, Job] = {}
        self._busy = False

    def submit(self, job: Job) -> None:
        """Predict with the others of this tick."""
        job.exchange.enter(self._pending, job)
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._next)

    def _next(self) -> None:
        jobs = self._take()
        if not jobs:
            self._busy = False
            return
        rows = sum(job.rows for job in jobs)
        if self._inline and rows <= INLINE_ROWS:
            self._deliver(self._timed(jobs, rows), None)
        else:
            self._worker.submit(lambda: self._timed(jobs, rows), self._deliver)

    def _take(self) -> list[Job]:
        """The longest run of work that fits one call, oldest first; what was answered early is gone already."""
        pending = self._pending
        taken: list[Job] = []
        rows = 0
        for job in pending.values():
            if not taken:
                taken.append(job)
                rows = job.rows
            elif self._model.stackable and job.key == taken[0].key and rows + job.rows <= MAX_ROWS:
                taken.append(job)
                rows += job.rows
        if len(taken) == len(pending):
            pending.clear()
        else:
            for job in taken:
                del pending[job.exchange]
        return taken

    def _timed(self, jobs: list[Job], rows: int) -> list[Outcome]:
        """Outcomes of the jobs; what small calls cost decides where the next ones run."""
        began = perf_counter_ns()
        outcomes = self._predict(jobs)
        if rows <= INLINE_ROWS and self._model.stackable:
            spent = perf_counter_ns() - began
            misplaced = spent > 2 * INLINE_NS if self._inline else spent < INLINE_NS
            self._streak = self._streak + 1 if misplaced else 0
            if self._streak == _STREAK:
                self._inline, self._streak = not self._inline, 0
        return outcomes

    def _predict(self, jobs: list[Job]) -> list[Outcome]:
        try:
            outputs = self._model.predict(_joined([job.inputs for job in jobs]), jobs[0].outputs)
            if len(jobs) > 1:
                rows = sum(job.rows for job in jobs)
                if any(len(output) != rows for output in outputs.values()):
                    raise ValueError(f"model {self._name} did not answer each of {rows} rows")  # noqa: TRY301
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a model may raise anything: it is the answer
            if len(jobs) == 1:
                return [(jobs, error)]
            return [outcome for job in jobs for outcome in self._predict([job])]
        return [(jobs, Answers(outputs))]

    def _deliver(self, outcomes: list[Outcome] | None, error: BaseException | None) -> None:
        assert outcomes is not None, error
        now = perf_counter_ns()
        for jobs, answers in outcomes:
            if isinstance(answers, BaseException):
                self._fail(jobs[0], answers, now)
            else:
                self._answer(jobs, answers, now)
        if self._recorder is not None:
            self._recorder.tick()
        if self._pending:
            self._loop.call_soon(self._next)
        else:
            self._busy = False

    def _answer(self, jobs: list[Job], answers: Answers, now: int) -> None:
        single = len(jobs) == 1
        start = 0
        for job in jobs:
            stop = len(next(iter(answers.arrays.values()))) if single else start + job.rows
            if job.exchange.reply is None:
                try:
                    job.finish(answers, start, stop, now)
                except Exception:
                    log.exception("the reply of model %s cannot be written", self._name)
                    job.exchange.fail(500, f"the reply of model {self._name} cannot be written", now=now)
                else:
                    if self._recorder is not None:
                        outputs = answers.arrays
                        if not single:
                            outputs = {name: array[start:stop] for name, array in outputs.items()}
                        self._recorder.record(job, outputs, now - job.exchange.received)
            start = stop
        self._meter.batch(start)

    def _fail(self, job: Job, error: BaseException, now: int) -> None:
        if isinstance(error, InputError):
            job.exchange.fail(400, str(error), now=now)
            return
        log.error("model %s failed", self._name, exc_info=error)
        job.exchange.fail(500, f"model {self._name} failed: {type(error).__name__}: {error}"[:500], now=now)


def _joined(inputs: list[Inputs]) -> Inputs:
    """The rows of all requests, one below the other."""
    if len(inputs) == 1:
        return inputs[0]
    first = inputs[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(_matrices(inputs))
    return {name: np.concatenate([columns[name] for columns in _columns(inputs)]) for name in first}


def _matrices(inputs: Iterable[Inputs]) -> list[Array]:
    return [each for each in inputs if isinstance(each, np.ndarray)]


def _columns(inputs: Iterable[Inputs]) -> list[Any]:
    return [each for each in inputs if not isinstance(each, np.ndarray)]
