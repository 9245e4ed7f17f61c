"""From windows to states: a feature has drifted when several windows running say so, and enough to matter."""

from collections.abc import Iterable, Sequence
from typing import Any

from moorage_runtime.config import DecisionConfig, DriftState
from moorage_runtime.drift.judging.judge import Judged
from moorage_runtime.drift.types import Role, Score

_ORDER = {state: rank for rank, state in enumerate(DriftState)}


class Decisions:
    """The windows running of each feature and prediction, of one sequence of windows."""

    def __init__(self, config: DecisionConfig) -> None:
        self._config = config
        self._running: dict[tuple[Role, str], int] = {}

    def step(self, judged: Sequence[Judged]) -> tuple[Score, ...]:
        """The next window's scores. Where it had too few rows a state stays what it was."""
        return tuple(self._score(one) for one in judged)

    def snapshot(self) -> list[Any]:
        """For a checkpoint; JSON."""
        return [[role, name, running] for (role, name), running in self._running.items()]

    def restore(self, state: Iterable[Any]) -> None:
        """From `snapshot`."""
        self._running = {(role, name): running for role, name, running in state}

    def _score(self, one: Judged) -> Score:
        key = (one.role, one.name)
        if one.enough:
            drifted = one.significant and one.effect >= self._config.minimum_effect
            self._running[key] = self._running.get(key, 0) + 1 if drifted else 0
        return Score(
            one.name,
            one.role,
            one.rows,
            one.p_value,
            one.significant,
            one.effect,
            self._state(key),
            one.statistics,
        )

    def _state(self, key: tuple[Role, str]) -> DriftState:
        running = self._running.get(key)
        if running is None:
            return DriftState.UNKNOWN
        if running >= self._config.consecutive_windows:
            return DriftState.DETECTED
        return DriftState.POSSIBLE if running else DriftState.NONE


def worst(states: Iterable[DriftState]) -> DriftState:
    """UNKNOWN where there are none."""
    return max(states, key=_ORDER.__getitem__, default=DriftState.UNKNOWN)


def aspect(scores: Iterable[Score], role: Role) -> DriftState:
    """The worst of the features, or of the predictions; UNKNOWN where there are none."""
    return worst(score.state for score in scores if score.role == role)


def worst_first(scores: Iterable[Score]) -> list[Score]:
    """By state, then effect, then name."""
    return sorted(scores, key=lambda score: (-_ORDER[score.state], -score.effect, score.name))


def at_fault(scores: Iterable[Score], role: Role) -> tuple[str, ...]:
    """Names of the features, or predictions, that have the worst state; none where that is None or Unknown."""
    mine = [score for score in scores if score.role == role]
    state = aspect(mine, role)
    if _ORDER[state] < _ORDER[DriftState.POSSIBLE]:
        return ()
    return tuple(score.name for score in worst_first(mine) if score.state == state)
