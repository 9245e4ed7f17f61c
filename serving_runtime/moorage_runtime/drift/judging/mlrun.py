"""MLRun's histogram data drift, for comparison with a monitor of MLRun's.

Facts and formulas from mlrun 1.12.1: mlrun/model_monitoring/metrics/histogram_distance.py and
mlrun/model_monitoring/applications/histogram_data_drift.py. Two differences: a column that MLRun would fail at (a
missing value in the reference, a text, a feature absent from the window) is left out or compared without it.
"""

from functools import lru_cache

import numpy as np

from moorage_runtime.drift.reference.binning import BINS, Floats
from moorage_runtime.drift.reference.pane import Pane
from moorage_runtime.drift.reference.summary import MLRUN_CELLS, Reference

POTENTIAL, DETECTED = 0.5, 0.7
IRRELEVANT = -1
"""Status where nothing can be compared."""
_EMPTY = 1e-4
"""Stands for an empty bin's share in the divergence."""


def general_drift(reference: Reference, pane: Pane) -> tuple[float, int, dict[str, float]]:
    """`general_drift`, its status (0 none, 1 potential, 2 detected, -1 irrelevant), and the means over features.

    The means are `hellinger_mean`, `kld_mean` (symmetric, nats, without a cap) and `tvd_mean`; general_drift is the
    mean of the first and the last.
    """
    u = _reference_shares(reference)
    cells = pane.counts[reference.starts[-1] :].reshape(len(u), MLRUN_CELLS)
    counted = cells.sum(axis=1)
    there = counted > 0
    if not there.any():
        return 0.0, IRRELEVANT, {"hellinger_mean": 0.0, "kld_mean": 0.0, "tvd_mean": 0.0}
    u = u[there]
    t = cells[there, 1:-1] / counted[there, None]
    hellinger = np.sqrt(np.maximum(1 - np.sqrt(u * t).sum(axis=1), 0))
    means = {
        "hellinger_mean": float(hellinger.mean()),
        "kld_mean": float((_divergence(t, u) + _divergence(u, t)).mean()),
        "tvd_mean": float((0.5 * np.abs(t - u).sum(axis=1)).mean()),
    }
    value = (means["hellinger_mean"] + means["tvd_mean"]) / 2
    return value, (value >= POTENTIAL) + (value >= DETECTED), means


@lru_cache(maxsize=8)
def _reference_shares(reference: Reference) -> Floats:
    """Shape (columns, 22)."""
    shares = np.zeros((len(reference.mlrun_columns), BINS + 2))
    for row, index in enumerate(reference.mlrun_columns):
        if histogram := reference.columns[index].mlrun:
            shares[row, 1:-1] = histogram.counts / histogram.count
    return shares


def _divergence(a: Floats, b: Floats) -> Floats:
    ratio = np.where(a > 0, a, 1) / np.where(a > 0, np.where(b > 0, b, _EMPTY), 1)
    return np.asarray((a * np.log(ratio)).sum(axis=1))
