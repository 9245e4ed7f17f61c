"""False alarms where nothing drifts: real rows through encode, several references, fixed seeds."""

from collections.abc import Callable

import numpy as np
import pytest

from moorage_runtime.config import DriftConfig, ReferenceConfig, StreamConfig
from moorage_runtime.drift.judging.judge import judge
from moorage_runtime.drift.reference.binning import Floats
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.types import Block

FEATURES = 20
REFERENCE_ROWS = 10_000


def thinned(rng: np.random.Generator, rows: int) -> Floats:
    values = rng.standard_normal(rows)
    values[rng.random(rows) < 0.3] = np.nan
    return values


def inflated(rng: np.random.Generator, rows: int) -> Floats:
    values = np.exp(rng.standard_normal(rows))
    values[rng.random(rows) < 0.6] = 0
    return values


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, rows: rng.standard_normal(rows),
    "log-normal": lambda rng, rows: np.exp(rng.standard_normal(rows)),
    "discrete": lambda rng, rows: rng.integers(0, 12, rows).astype(float),
    "30 % missing": thinned,
    "0.1 % missing": lambda rng, rows: np.where(rng.random(rows) < 0.001, np.nan, rng.standard_normal(rows)),
    "zero or one": lambda rng, rows: (rng.random(rows) < 0.3).astype(float),
    "constant": lambda _, rows: np.full(rows, 5.5),
    "60 % zeros": inflated,
    "rounded": lambda rng, rows: np.round(rng.standard_normal(rows), 1),
    "200 levels": lambda rng, rows: rng.integers(0, 200, rows).astype(float),
    "Zipf levels": lambda rng, rows: np.minimum(rng.zipf(1.3, rows), 10_000).astype(float),
    "10,000 levels": lambda rng, rows: rng.integers(0, 10_000, rows).astype(float),
}
MAIN = ("normal", "log-normal", "discrete", "30 % missing")


def simulate(
    names: tuple[str, ...], rows: int, references: int, windows: int, features: int = FEATURES, seed: int = 5
) -> tuple[dict[str, Floats], float]:
    """p-values by distribution; and the share of windows with any discovery at a rate of 0.01."""
    rng = np.random.default_rng(seed)
    kinds = [names[i % len(names)] for i in range(features)]
    categorical = frozenset(f"x{i}" for i, kind in enumerate(kinds) if "levels" in kind)
    config = DriftConfig(
        model="m",
        stream=StreamConfig(uri="/s"),
        reference=ReferenceConfig(),
        checkpoint_uri="/c",
        statistics=[],
    )
    times, none = np.zeros(rows, np.int64), np.zeros(0, np.int64)
    p_values, alarms = [], 0
    for _ in range(references):
        known = {f"x{i}": DISTRIBUTIONS[kind](rng, REFERENCE_ROWS) for i, kind in enumerate(kinds)}
        reference = Reference.summarise(known, {}, categorical=categorical.__contains__, mlrun=False)
        for _ in range(windows):
            columns = {f"x{i}": DISTRIBUTIONS[kind](rng, rows) for i, kind in enumerate(kinds)}
            block = Block("p0", 0, 1, times, times, [], none, none, none, columns, {})
            judged = judge(reference, reference.pane(reference.encode(block), 0, rows), config)
            p_values.append([one.p_value for one in judged])
            alarms += any(one.significant for one in judged)
    found = np.array(p_values)
    by_kind = {name: found[:, [kind == name for kind in kinds]].ravel() for name in names}
    return by_kind, alarms / len(found)


@pytest.mark.parametrize(("rows", "references", "windows"), [(100, 50, 40), (1000, 50, 40)])
def test_2000_null_windows(rows: int, references: int, windows: int) -> None:
    by_kind, alarms = simulate(MAIN, rows, references, windows)
    for name, p_values in by_kind.items():
        assert 0.03 <= np.mean(p_values < 0.05) <= 0.07, name
    assert alarms <= 0.01


def test_2000_null_windows_of_10000_rows() -> None:
    by_kind, alarms = simulate(MAIN, 10_000, references=500, windows=4, features=4)
    for name, p_values in by_kind.items():
        assert 0.03 <= np.mean(p_values < 0.05) <= 0.07, name
    assert alarms <= 0.01


@pytest.mark.parametrize("rows", [50, 100, 2000])
def test_awkward_columns_reject_no_more_than_they_should(rows: int) -> None:
    names = tuple(name for name in DISTRIBUTIONS if name not in MAIN)
    by_kind, alarms = simulate(names, rows, references=15, windows=20, features=2 * len(names))
    for name, p_values in by_kind.items():
        assert np.mean(p_values < 0.05) <= 0.07, name
    assert (by_kind["constant"] == 1).all()
    assert np.mean(by_kind["10,000 levels"] < 0.05) <= 0.01
    assert alarms <= 0.02


@pytest.mark.soak
@pytest.mark.parametrize("rows", [100, 1000, 10_000])
@pytest.mark.parametrize("name", MAIN)
def test_2000_null_windows_of_20_features(name: str, rows: int) -> None:
    by_kind, alarms = simulate((name,), rows, references=200, windows=10)
    assert 0.03 <= np.mean(by_kind[name] < 0.05) <= 0.07
    assert alarms <= 0.015
