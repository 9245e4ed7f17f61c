"""Offline skew: the model, loaded by the test itself, must answer as the live one does."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moorage_runtime.config import MetricResult, ProbeResult, SkewConfig, StorageConfig
from moorage_runtime.live_test.answers import PREDICTION
from moorage_runtime.live_test.classes import class_names, is_numeric
from moorage_runtime.live_test.dataset import Sample
from moorage_runtime.live_test.fault import TestFault
from moorage_runtime.live_test.tensors import Served


def offline(config: SkewConfig, sample: Sample, live: Served, storage: StorageConfig) -> list[Any]:
    """The predictions of the model that the test loads, one per record. Raises TestFault naming the artifact."""
    from moorage_runtime.models import load
    from moorage_runtime.models.base import InputError, LoadError
    from moorage_runtime.models.signature import arrange
    from moorage_runtime.storage import StorageError

    with tempfile.TemporaryDirectory(prefix="moorage-test-") as cache:
        try:
            model = load(config.model, storage, Path(cache)).model
            own = [feature.name for feature in model.signature.features]
            inputs = arrange(_given(sample, own, [spec.name for spec in live.inputs]), model.signature)
            outputs = model.predict(inputs, (PREDICTION,))
        except (LoadError, StorageError, InputError) as error:
            raise TestFault(f"probes.offlineSkew: {config.model.uri}: {error}") from error
    found: list[Any] = np.asarray(outputs[PREDICTION]).reshape(len(sample), -1)[:, 0].tolist()
    return found


def _given(sample: Sample, own: list[str], live: list[str]) -> Mapping[str, list[Any]] | list[list[Any]]:
    """The columns that the artifact names; without, rows of those that the live model names, or of all."""
    known = set(sample.columns)
    if own and set(own) <= known:
        return {name: sample.columns[name] for name in own}
    names = live if live and set(live) <= known else list(sample.columns)
    return [list(row) for row in zip(*(sample.columns[name] for name in names), strict=True)]


def compare(
    live: Sequence[tuple[int, Any]], expected: Sequence[Any], tolerance: float, rows: Sequence[int]
) -> tuple[ProbeResult, list[MetricResult]]:
    """Compare live answers, (record, prediction) each, with the offline prediction of the same record.

    Numbers may differ by `tolerance`, classes by nothing. The metrics are how many differ, and by how much at most.
    """
    ours = [expected[record] for record, _ in live]
    theirs = [prediction for _, prediction in live]
    numbers = is_numeric(ours) and is_numeric(theirs)
    metrics: list[MetricResult] = []
    if numbers:
        gap = np.abs(np.array(ours, np.float64) - np.array(theirs, np.float64))
        differs = ~(gap <= tolerance)
        metrics.append(MetricResult(name="offline_skew_max", value=float(gap.max(initial=0.0))))
    else:
        numeric = is_numeric(ours) or is_numeric(theirs)
        differs = class_names(ours, numeric=numeric) != class_names(theirs, numeric=numeric)
    count = int(np.sum(differs))
    metrics.append(MetricResult(name="offline_skew_count", value=count, unit="requests"))
    if not live:
        return ProbeResult(name="offline_skew", passed=False, message="no live answer to compare"), metrics
    message = f"{len(live)} answers equal those of the offline model"
    if numbers:
        message += f" within {tolerance:g}"
    if count:
        at = int(np.argmax(differs))
        message = (
            f"{count} of {len(live)} answers differ from those of the offline model; "
            f"row {rows[live[at][0]]}: live {theirs[at]!r}, offline {ours[at]!r}"
        )
    return ProbeResult(name="offline_skew", passed=count == 0, message=message), metrics
