"""The core of a drift worker: blocks of rows go in, results and changes of state come out.

Pure: what it puts out depends on the rows of each partition in their order, the reference and the config. Its state goes
to JSON and back, so that a worker that was killed says the same again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moorage_runtime.config import DriftAspect, DriftConfig, DriftState, FeatureStatus, WindowStatus
from moorage_runtime.drift.judging import mlrun
from moorage_runtime.drift.judging.decision import Decisions, aspect, at_fault, worst
from moorage_runtime.drift.judging.judge import judge
from moorage_runtime.drift.reference.learning import watched
from moorage_runtime.drift.reference.pane import Pane
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.sinks.stored import decode_result, encode_result
from moorage_runtime.drift.traffic import traffic
from moorage_runtime.drift.types import (
    Block,
    Change,
    ConceptResult,
    Result,
    Role,
    Window,
    WindowResult,
)
from moorage_runtime.drift.windows import NEVER, Closed, RowWindows, TimeWindows
from moorage_runtime.drift.worker.status import message, window_status, worst_scores

Aspect = Literal["data", "prediction", "concept"]
WHAT: dict[Aspect, str] = {"data": "features", "prediction": "predictions", "concept": "errors"}
ROLES: dict[Role, Aspect] = {"feature": "data", "prediction": "prediction"}
HEARD = 20
"""Of so many last windows a partition must have had one for its state to count towards the whole's, so that a
writer that is gone does not say Detected for ever."""


@dataclass(slots=True)
class Outcome:
    """What came of some rows, in the order in which it is to be written."""

    results: list[Result] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


@dataclass(slots=True)
class _Said:
    """What a partition's last window (or last labels) said of one aspect."""

    state: DriftState
    names: tuple[str, ...]
    turn: int
    """Number of the window among all that were judged."""


class Monitor:
    """Windows, judgement and decisions over a reference."""

    def __init__(self, config: DriftConfig, reference: Reference) -> None:
        self.reference = reference
        self.rows = 0
        self.windows = 0
        self._no_traffic: Counter[str] = Counter()
        self.greatest: dict[str, int] = {}
        """Partition to the greatest event time seen, µs."""
        self.last: WindowResult | None = None
        self.last_concept: ConceptResult | None = None
        self._config = config
        window = config.window
        self.by_time: TimeWindows[Pane] | None = None
        self.by_rows: RowWindows[Pane] | None = None
        if window.seconds is not None:
            self.by_time = TimeWindows(window.seconds, window.allowed_lateness_seconds)
        else:
            self.by_rows = RowWindows(window.rows or 1000)
        self._decisions: dict[str, Decisions] = {}
        self._said: dict[Aspect, dict[str, _Said]] = {name: {} for name in WHAT}
        self._turn = 0
        self._watched = lru_cache(4096)(lambda name: config.data_drift and watched(name, config.watched))

    @property
    def skipped(self) -> Counter[str]:
        """Rows, or values of rows, that were not used, by reason."""
        late = self.by_time.late if self.by_time is not None else 0
        return self.reference.skipped + self._no_traffic + Counter({"late": late})

    def known(self, partitions: Iterable[str]) -> None:
        """These partitions exist; windows of time wait for them."""
        for name in partitions:
            self.greatest.setdefault(name, NEVER)
        if self.by_time is not None:
            self.by_time.known(partitions)

    def forget(self, partition: str) -> None:
        """A partition is gone."""
        self.greatest.pop(partition, None)
        for one in (self.by_time, self.by_rows):
            if one is not None:
                one.forget(partition)
        for name in ROLES.values():
            self._said[name].pop(partition, None)
        self._decisions.pop(partition, None)

    def traffic(self, block: Block, horizon: int) -> Block:
        """The rows that may be judged (`traffic.traffic`); the others are counted."""
        rows, others = traffic(block, horizon)
        self._no_traffic += others
        return rows

    def block(self, block: Block) -> Outcome:
        """A partition's next rows."""
        if not block.rows:
            return Outcome()
        self.rows += block.rows
        self.greatest[block.partition] = max(
            int(block.times.max()), self.greatest.get(block.partition, NEVER)
        )
        if self.by_time is not None:
            order = self.by_time.order(block.times)
            pane = self._panes(block if order is None else _reordered(block, order))
            return self._judge(self.by_time.add(block.partition, block.times, pane, order))
        assert self.by_rows is not None
        return self._judge(self.by_rows.add(block.partition, block.offsets, block.times, self._panes(block)))

    def _panes(self, block: Block) -> Any:
        codes = self.reference.encode(block, watched=self._watched)
        return lambda begin, end: self.reference.pane(codes, begin, end)

    def would_close(self, marks: Mapping[str, int]) -> bool:
        """Whether `release` of these would close a window."""
        return self.by_time is not None and self.by_time.would_close(marks)

    def release(self, marks: Mapping[str, int]) -> Outcome:
        """Partitions that bring nothing hold windows of time back only up to these event times, µs."""
        return Outcome() if self.by_time is None else self._judge(self.by_time.release(marks))

    def _judge(self, closed: list[Closed[Pane]]) -> Outcome:
        outcome = Outcome()
        for one in closed:
            self._judge_one(one.window, one.pane, outcome)
        return outcome

    def _judge_one(self, window: Window, pane: Pane, outcome: Outcome) -> None:
        decisions = self._decisions.setdefault(window.partition or "", Decisions(self._config.decision))
        scores = decisions.step(judge(self.reference, pane, self._config))
        states = {role: aspect(scores, role) for role in ROLES}
        result = WindowResult(window, scores, states["feature"], states["prediction"])
        if self._config.mlrun_compatible:
            value, status, means = mlrun.general_drift(self.reference, pane)
            result = replace(result, general_drift=value, general_status=status, mlrun=means)
        self._turn += 1
        self.windows += 1
        self.last = result
        outcome.results.append(result)
        for role, name in ROLES.items():
            if states[role] is not DriftState.UNKNOWN:
                at = (window.partition, window.index, window.end)
                self._say(name, at, states[role], at_fault(scores, role), outcome)

    def concept(self, results: Iterable[ConceptResult]) -> Outcome:
        """What the detectors said."""
        outcome = Outcome()
        for result in results:
            self.last_concept = result
            outcome.results.append(result)
            state = worst(result.states.values())
            names = tuple(sorted(name for name, one in result.states.items() if one is state))
            names = names if state in (DriftState.POSSIBLE, DriftState.DETECTED) else ()
            self._say("concept", (result.partition, result.labelled, result.time), state, names, outcome)
        return outcome

    def _say(
        self,
        name: Aspect,
        at: tuple[str | None, int, int],
        state: DriftState,
        names: tuple[str, ...],
        outcome: Outcome,
    ) -> None:
        said = self._said[name]
        key = at[0] or ""
        before = said[key].state if key in said else DriftState.NONE
        if before is not state:
            outcome.changes.append(Change(name, before, state, *at, names))
        said[key] = _Said(state, names, self._turn)

    def aspect(self, name: Aspect) -> DriftAspect:
        """Data, prediction or concept drift over all partitions that still say something."""
        said = self._said[name]
        heard = [one for one in said.values() if one.turn > self._turn - max(HEARD, 4 * len(said))]
        state = worst(one.state for one in heard)
        names = sorted({name for one in heard if one.state is state for name in one.names})
        return DriftAspect(state=state, message=message(state, WHAT[name], names))

    def features(self) -> list[FeatureStatus]:
        """The ten worst of the last window."""
        return worst_scores(self.last.scores) if self.last is not None else []

    def last_window(self) -> WindowStatus | None:
        """The window that was judged last."""
        return window_status(self.last.window) if self.last is not None else None

    def state(self) -> dict[str, Any]:
        """As JSON."""
        windows: Any = self.by_time if self.by_time is not None else self.by_rows
        return {
            "windows": windows.state(Pane.snapshot),
            "decisions": {name: one.snapshot() for name, one in self._decisions.items()},
            "said": {
                name: {key: [one.state, one.names, one.turn] for key, one in said.items()}
                for name, said in self._said.items()
            },
            "turn": self._turn,
            "greatest": self.greatest,
            "rows": self.rows,
            "judged": self.windows,
            "skipped": dict(self.reference.skipped),
            "no_traffic": dict(self._no_traffic),
            "last": None if self.last is None else encode_result(self.last),
            "last_concept": None if self.last_concept is None else encode_result(self.last_concept),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same model, reference and window."""
        windows: Any = self.by_time if self.by_time is not None else self.by_rows
        windows.restore(state["windows"], Pane.restore)
        self._counts(state)
        for name, fields in state["decisions"].items():
            decisions = Decisions(self._config.decision)
            decisions.restore(fields)
            self._decisions[name] = decisions
        self._turn = state["turn"]
        for name in WHAT:
            self._said[name] = {
                key: _Said(DriftState(one), tuple(names), turn)
                for key, (one, names, turn) in state["said"][name].items()
            }
        for name in ("last", "last_concept"):
            if state[name] is not None:
                setattr(self, name, decode_result(state[name]))

    def restart(self, state: Mapping[str, Any]) -> None:
        """Begin anew after a state of another reference or window: only counts and windows' numbers go on."""
        windows = state["windows"]
        if self.by_time is not None and "marks" in windows:
            self.by_time.restart(windows)
        elif self.by_rows is not None and "marks" not in windows:
            self.by_rows.restart(windows)
        self._counts(state)

    def _counts(self, state: Mapping[str, Any]) -> None:
        self.rows, self.windows = state["rows"], state["judged"]
        self.greatest = dict(state["greatest"])
        self.reference.skipped.clear()
        self.reference.skipped.update(state["skipped"])
        self._no_traffic = Counter(state["no_traffic"])


def _reordered(block: Block, order: NDArray[np.intp]) -> Block:
    return replace(
        block,
        offsets=block.offsets[order],
        times=block.times[order],
        features={name: column[order] for name, column in block.features.items()},
        predictions={name: column[order] for name, column in block.predictions.items()},
    )
