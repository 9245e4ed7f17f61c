"""How far the worker is: read by its status, its metrics and its progress bar from other threads."""

import threading
from datetime import UTC, datetime
from typing import Any, Literal

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from moorage_runtime.batch_predict.plan import Plan
from moorage_runtime.config import TERMINATION_MAX_BYTES, BatchPredictConfig, BatchPredictStatus

_MESSAGE_MAX = 1000
Phase = Literal["Planning", "Predicting", "Finished", "Failed"]


class State:
    """Counts of this worker; totals of the run."""

    def __init__(self, config: BatchPredictConfig, index: int) -> None:
        self._lock = threading.Lock()
        self._status = BatchPredictStatus(
            name=config.name,
            namespace=config.namespace,
            revision=config.revision,
            index=index,
            started_at=_now(),
        )
        self.mine = 0
        """Rows of this worker's fragments, counted or estimated."""

    def planned(self, plan: Plan, mine: int, folder: str) -> None:
        """The plan is known."""
        self.mine = mine
        self._set(
            state="Predicting",
            run=plan.run,
            rows_total=plan.rows,
            fragments_total=len(plan.fragments),
            output_uri=folder,
        )

    def loaded(self, digest: str) -> None:
        """The model is loaded."""
        self._set(model_digest=digest)

    def add(self, *, rows: int = 0, rejected: int = 0, fragments: int = 0) -> None:
        """Count."""
        with self._lock:
            self._status.rows_done += rows
            self._status.rows_rejected += rejected
            self._status.fragments_done += fragments

    def end(self, state: Phase, message: str = "") -> None:
        """The last word."""
        self._set(state=state, message=message[:_MESSAGE_MAX], finished_at=_now())

    def status(self) -> BatchPredictStatus:
        """As the management port answers it."""
        with self._lock:
            return self._status.model_copy()

    def last_words(self) -> bytes:
        """The status for the termination log, within its bound."""
        status = self.status()
        while True:
            data = status.model_dump_json(by_alias=True, exclude_none=True).encode()
            if len(data) <= TERMINATION_MAX_BYTES:
                return data
            status.message = status.message[: len(status.message) // 2]
            status.output_uri = status.output_uri if status.message else None

    def registry(self) -> CollectorRegistry:
        """The counts as metrics."""
        registry = CollectorRegistry()
        registry.register(_Metrics(self))
        return registry

    def _set(self, **fields: Any) -> None:
        with self._lock:
            self._status = self._status.model_copy(update=fields)


class _Metrics(Collector):
    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Any:
        status = self._state.status()
        for name, text, value in (
            ("moorage_batch_rows", "Rows that this worker predicted or refused.", status.rows_done),
            ("moorage_batch_rows_rejected", "Rows that could not be predicted.", status.rows_rejected),
            ("moorage_batch_fragments", "Fragments that this worker finished.", status.fragments_done),
        ):
            yield CounterMetricFamily(name, text, value=value)
        for name, text, total in (
            ("moorage_batch_planned_rows", "Rows of the run; an estimate for text.", status.rows_total),
            ("moorage_batch_planned_fragments", "Fragments of the run.", status.fragments_total),
        ):
            if total is not None:
                yield GaugeMetricFamily(name, text, value=total)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
