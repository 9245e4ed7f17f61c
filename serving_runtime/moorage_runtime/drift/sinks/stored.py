"""Results and changes as JSON and back: how the checkpoint holds what no sink has taken yet.

Numbers come back bit for bit; NaN and infinities, which JSON lacks, are text.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from moorage_runtime.config import DriftState
from moorage_runtime.drift.types import Change, ConceptResult, Result, Score, Window, WindowResult

_WINDOW = tuple(field.name for field in fields(Window))


def encode_result(result: Result) -> dict[str, Any]:
    """A result as JSON types."""
    if isinstance(result, ConceptResult):
        return {
            "partition": result.partition,
            "offset": result.offset,
            "time": result.time,
            "timestamp": result.timestamp,
            "labelled": result.labelled,
            "error_rate": _out(result.error_rate),
            "states": {name: state.value for name, state in result.states.items()},
            "values": _all_out(result.values),
            "changes": list(result.changes),
        }
    window = result.window
    return {
        "window": [getattr(window, name) for name in _WINDOW],
        "data": result.data.value,
        "prediction": result.prediction.value,
        "general_drift": None if result.general_drift is None else _out(result.general_drift),
        "general_status": result.general_status,
        "mlrun": _all_out(result.mlrun),
        "scores": [
            [
                score.name,
                score.role,
                score.rows,
                _out(score.p_value),
                score.significant,
                _out(score.effect),
                score.state.value,
                _all_out(score.statistics),
            ]
            for score in result.scores
        ],
    }


def decode_result(stored: Mapping[str, Any]) -> Result:
    """A result as it was."""
    if "window" not in stored:
        return ConceptResult(
            partition=stored["partition"],
            offset=stored["offset"],
            time=stored["time"],
            timestamp=stored["timestamp"],
            labelled=stored["labelled"],
            error_rate=float(stored["error_rate"]),
            states={name: DriftState(state) for name, state in stored["states"].items()},
            values=_all_in(stored["values"]),
            changes=tuple(stored["changes"]),
        )
    general = stored["general_drift"]
    return WindowResult(
        window=Window(*stored["window"]),
        scores=tuple(
            Score(name, role, rows, float(p), significant, float(effect), DriftState(state), _all_in(values))
            for name, role, rows, p, significant, effect, state, values in stored["scores"]
        ),
        data=DriftState(stored["data"]),
        prediction=DriftState(stored["prediction"]),
        general_drift=None if general is None else float(general),
        general_status=stored["general_status"],
        mlrun=_all_in(stored["mlrun"]),
    )


def encode_change(change: Change) -> dict[str, Any]:
    """A change as JSON types."""
    return {
        "aspect": change.aspect,
        "before": change.before.value,
        "after": change.after.value,
        "partition": change.partition,
        "index": change.index,
        "time": change.time,
        "names": list(change.names),
    }


def decode_change(stored: Mapping[str, Any]) -> Change:
    """A change as it was."""
    return Change(
        aspect=stored["aspect"],
        before=DriftState(stored["before"]),
        after=DriftState(stored["after"]),
        partition=stored["partition"],
        index=stored["index"],
        time=stored["time"],
        names=tuple(stored["names"]),
    )


def _out(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))


def _all_out(values: Mapping[str, float]) -> dict[str, float | str]:
    return {name: _out(value) for name, value in values.items()}


def _all_in(values: Mapping[str, float | str]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
