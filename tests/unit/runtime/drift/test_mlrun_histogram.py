"""MLRun's general_drift, against its formulas written out with numpy."""

import numpy as np
import pytest

from moorage_runtime.drift.judging.mlrun import general_drift
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.types import Block, Column

RNG = np.random.default_rng(41)
GREATEST = np.finfo(np.float64).max


def learn(features: dict[str, Column]) -> Reference:
    reference = Reference.summarise(
        features,
        {"answer": np.arange(float(len(next(iter(features.values())))))},
        categorical=lambda _: False,
        mlrun=True,
    )
    return Reference.from_json(reference.to_json())


def look(reference: Reference, features: dict[str, Column]) -> tuple[float, int, dict[str, float]]:
    rows = len(next(iter(features.values())))
    times, none = np.zeros(rows, np.int64), np.zeros(0, np.int64)
    block = Block("p0", 0, 1, times, times, [], none, none, none, features, {})
    half = rows // 2
    codes = reference.encode(block)
    return general_drift(reference, reference.pane(codes, 0, half) + reference.pane(codes, half, rows))


def written_out(known: dict[str, Column], current: dict[str, Column]) -> dict[str, float]:
    found = []
    for name in known:
        counts, edges = np.histogram(known[name], bins=20)
        u = np.concatenate(([0], counts, [0])) / len(known[name])
        x = current[name][~np.isnan(current[name])]
        t = np.histogram(x, bins=np.concatenate(([-GREATEST], edges, [GREATEST])))[0] / len(x)
        kld = sum(
            a * np.log(a / (b or 1e-4))
            for one, other in ((t, u), (u, t))
            for a, b in zip(one, other, strict=True)
            if a
        )
        found.append((np.sqrt(max(1 - np.sqrt(u * t).sum(), 0)), kld, 0.5 * np.abs(t - u).sum()))
    return dict(zip(("hellinger_mean", "kld_mean", "tvd_mean"), np.mean(found, axis=0).tolist(), strict=True))


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 5.0])
def test_equal_to_the_formulas(shift: float) -> None:
    known = {
        "normal": RNG.standard_normal(2000),
        "heavy": np.exp(2 * RNG.standard_normal(2000)),
        "whole": RNG.integers(0, 6, 2000).astype(float),
        "constant": np.full(2000, 3.0),
        "large": RNG.integers(0, 1000, 2000).astype(float) * 1e12,
    }
    current = {name: values[:700] + shift for name, values in known.items()}
    current["normal"][:50] = np.nan
    value, _, means = look(learn(known), current)
    expected = written_out(known, current)
    assert means == pytest.approx(expected, abs=1e-9)
    assert value == pytest.approx((expected["hellinger_mean"] + expected["tvd_mean"]) / 2, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "bias"), [(50, 0.205), (100, 0.14), (200, 0.106), (500, 0.068), (1000, 0.052), (5000, 0.027)]
)
def test_null_bias_by_rows_is_mlruns(rows: int, bias: float) -> None:
    values = []
    for _ in range(3):
        reference = learn({f"x{i}": RNG.standard_normal(5000) for i in range(10)})
        values += [
            look(reference, {f"x{i}": RNG.standard_normal(rows) for i in range(10)})[0] for _ in range(10)
        ]
    assert np.mean(values) == pytest.approx(bias, abs=0.012)


@pytest.mark.parametrize(("sigmas", "expected"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_status_when_all_features_shift(sigmas: float, expected: int) -> None:
    reference = learn({f"x{i}": RNG.standard_normal(10_000) for i in range(10)})
    _, status, _ = look(reference, {f"x{i}": RNG.standard_normal(1000) + sigmas for i in range(10)})
    assert status == expected


def test_one_feature_of_ten_far_away_is_no_detection_as_in_mlrun() -> None:
    reference = learn({f"x{i}": RNG.standard_normal(10_000) for i in range(10)})
    value, status, _ = look(
        reference, {f"x{i}": RNG.standard_normal(2000) + 10 * (i == 0) for i in range(10)}
    )
    assert value == pytest.approx(0.142, abs=0.02)
    assert status == 0


def test_what_mlrun_would_fail_at_is_left_out() -> None:
    known = {
        "x": RNG.standard_normal(500),
        "word": np.array(["a", "b"] * 250, dtype=object),
        "gone": np.arange(500.0),
    }
    known["x"][0] = np.nan
    reference = learn(known)
    value, _, _ = look(reference, {"x": known["x"], "word": known["word"]})
    assert value == pytest.approx(0, abs=0.05)
    assert look(reference, {"word": known["word"]}) == (
        0.0,
        -1,
        {"hellinger_mean": 0.0, "kld_mean": 0.0, "tvd_mean": 0.0},
    )
