"""A window against the reference: what is found, what is said of it, and what is not."""

from collections.abc import Iterable

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from moorage_runtime.config import DecisionConfig, DriftConfig, ReferenceConfig, StreamConfig
from moorage_runtime.drift.judging.judge import Judged, judge
from moorage_runtime.drift.reference.binning import NumericColumn
from moorage_runtime.drift.reference.summary import Reference
from moorage_runtime.drift.types import Block, Column

RNG = np.random.default_rng(29)
STATISTICS = ("psi", "tvd", "hellinger", "js", "kl", "ks")


def config(**fields: object) -> DriftConfig:
    base = {
        "model": "m",
        "stream": StreamConfig(uri="/s"),
        "reference": ReferenceConfig(),
        "checkpoint_uri": "/c",
    }
    return DriftConfig.model_validate(base | fields)


def block(features: dict[str, Column], predictions: dict[str, Column] | None = None) -> Block:
    rows = len(next(iter((features | (predictions or {})).values())))
    times, none = np.zeros(rows, np.int64), np.zeros(0, np.int64)
    return Block("p0", 0, 1, times, times, [], none, none, none, features, predictions or {})


def learn(
    features: dict[str, Column], predictions: dict[str, Column] | None = None, categorical: Iterable[str] = ()
) -> Reference:
    named = frozenset(categorical)
    return Reference.summarise(features, predictions or {}, categorical=named.__contains__, mlrun=False)


def look(
    reference: Reference,
    features: dict[str, Column],
    predictions: dict[str, Column] | None = None,
    **fields: object,
) -> dict[str, Judged]:
    rows = block(features, predictions)
    pane = reference.pane(reference.encode(rows), 0, rows.rows)
    return {one.name: one for one in judge(reference, pane, config(**fields))}


def text(values: Iterable[str | None]) -> Column:
    return np.array(list(values), dtype=object)


def test_a_half_sigma_shift_of_one_in_twenty_features_is_found_in_windows_of_500() -> None:
    found, wrong = 0, 0
    for _ in range(10):
        reference = learn({f"x{i}": RNG.standard_normal(10_000) for i in range(20)})
        for _ in range(50):
            window = {f"x{i}": RNG.standard_normal(500) + 0.5 * (i == 7) for i in range(20)}
            judged = look(reference, window, statistics=[])
            drifted = {name for name, one in judged.items() if one.significant and one.effect >= 0.1}
            found += "x7" in drifted
            wrong += bool(drifted - {"x7"})
    assert found >= 0.99 * 500
    assert wrong <= 0.03 * 500


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.3])
def test_a_change_of_the_missing_rate_is_found(share: float) -> None:
    values = RNG.standard_normal(10_000)
    values[RNG.random(10_000) < share] = np.nan
    window = RNG.standard_normal(500)
    absent = round(500 * (share + 0.12))
    window[:absent] = np.nan
    one = look(learn({"x": values}), {"x": window})["x"]
    assert one.significant
    assert one.effect >= 0.1
    assert one.statistics["missing_ratio"] == absent / 500


def test_one_missing_value_in_a_column_that_had_none_is_not_yet_a_drift() -> None:
    window = RNG.standard_normal(1000)
    window[0] = np.nan
    assert not look(learn({"x": RNG.standard_normal(10_000)}), {"x": window})["x"].significant


@pytest.mark.parametrize("constant", [7.5, 7.0])
def test_a_constant_that_changes_is_found_and_one_that_stays_is_not(constant: float) -> None:
    reference = learn({"x": np.full(1000, constant)})
    stays = look(reference, {"x": np.full(200, constant)})["x"]
    assert (stays.p_value, stays.effect, stays.statistics["unseen_ratio"]) == (1, 0, 0)
    changed = look(reference, {"x": np.full(200, constant + 1)})["x"]
    assert changed.significant
    assert (changed.effect, changed.statistics["unseen_ratio"]) == (1, 1)


def test_a_zero_one_column_whose_rate_changes_is_found() -> None:
    reference = learn({"x": (RNG.random(5000) < 0.3).astype(float)})
    assert not look(reference, {"x": (np.arange(1000) < 310).astype(float)})["x"].significant
    assert look(reference, {"x": (np.arange(1000) < 450).astype(float)})["x"].effect == pytest.approx(
        0.15, abs=0.02
    )


def test_a_new_level_is_found_and_told_apart_as_unseen() -> None:
    reference = learn({"species": text(RNG.choice(["a", "b", "c"], 3000))})
    one = look(reference, {"species": text(["a"] * 70 + ["b"] * 65 + ["c"] * 65 + ["new"] * 30)})["species"]
    assert one.significant
    assert one.statistics["unseen_ratio"] == pytest.approx(30 / 230)


def test_one_level_swallowing_many_small_ones_is_found_in_a_small_window() -> None:
    reference = learn({"month": text(f"m{i % 12}" for i in range(6000))})
    assert look(reference, {"month": text(["m3"] * 60)})["month"].significant


def test_ten_thousand_levels_have_no_unseen_ratio_and_new_ids_are_no_drift() -> None:
    reference = learn({"id": text(f"id{i}" for i in range(10_000))})
    one = look(reference, {"id": text(f"new{i}" for i in range(2000))})["id"]
    assert not one.significant
    assert "unseen_ratio" not in one.statistics


def test_values_outside_of_the_reference_are_found() -> None:
    reference = learn({"x": RNG.uniform(0, 1, 5000)})
    window = RNG.uniform(0, 1, 500)
    window[:20] = 9
    one = look(reference, {"x": window})["x"]
    assert one.significant
    assert one.statistics["unseen_ratio"] == pytest.approx(0.04)


def test_too_few_rows_say_nothing() -> None:
    reference = learn({"x": RNG.standard_normal(1000)})
    one = look(reference, {"x": np.full(29, 99.0)})["x"]
    assert (one.enough, one.p_value, one.significant) == (False, 1, False)
    assert look(reference, {"x": np.full(30, 99.0)})["x"].significant


def test_a_feature_that_no_longer_comes_is_found() -> None:
    reference = learn({"x": RNG.standard_normal(1000), "y": RNG.standard_normal(1000)})
    judged = look(reference, {"y": RNG.standard_normal(300)})
    assert judged["x"].significant
    assert judged["x"].effect == 1
    assert not judged["y"].significant


def test_statistics_are_scipys_on_the_same_bins() -> None:
    reference = learn({"x": RNG.standard_normal(5000)})
    window = RNG.standard_normal(800) * 1.5
    one = look(reference, {"x": window})["x"]
    column = reference.columns[0]
    assert isinstance(column, NumericColumn)
    known = np.repeat(np.arange(23), column.counts)
    current = column.edges.searchsorted(window)
    assert one.statistics["ks"] == pytest.approx(ks_2samp(known, current).statistic, abs=1e-9)
    counted = np.bincount(current, minlength=22)
    tvd = 0.5 * np.abs(counted / 800 - column.counts[:-1] / 5000).sum()
    assert one.effect == one.statistics["tvd"] == pytest.approx(tvd, abs=1e-9)
    counted[1] += counted[0]
    counted[20] += counted[21]
    table = np.stack([counted[1:21], column.counts[1:21]])
    pearson = chi2_contingency(table, correction=False).pvalue
    assert one.p_value == pytest.approx(pearson / 0.9, rel=1)
    assert set(STATISTICS) < set(one.statistics)


def test_only_what_is_configured_is_judged_and_told() -> None:
    reference = learn({"x": RNG.standard_normal(500)}, {"answer": RNG.standard_normal(500)})
    rows = {"x": RNG.standard_normal(100)}, {"answer": RNG.standard_normal(100)}
    assert set(look(reference, *rows)) == {"x"}
    assert set(look(reference, *rows, prediction_drift=True)) == {"x", "answer"}
    assert set(look(reference, *rows, prediction_drift=True, data_drift=False)) == {"answer"}
    assert look(reference, *rows, prediction_drift=False, data_drift=False) == {}
    assert set(look(reference, *rows, statistics=["js"])["x"].statistics) == {
        "js",
        "missing_ratio",
        "unseen_ratio",
    }


def test_predictions_count_among_the_tests_of_a_window() -> None:
    features = {f"x{i}": RNG.standard_normal(5000) for i in range(30)}
    reference = learn({"x0": features["x0"]}, {"answer": features["x1"]})
    wide = learn(features, {"answer": features["x1"]})
    decision = DecisionConfig(false_discovery_rate=0.05)
    for shift in np.linspace(0, 0.4, 41):
        window = {name: values[:300] for name, values in features.items()}
        answer = {"answer": features["x1"][:300] + shift}
        alone = look(reference, {"x0": window["x0"]}, answer, prediction_drift=True, decision=decision)[
            "answer"
        ]
        among = look(wide, window, answer, prediction_drift=True, decision=decision)["answer"]
        assert alone.p_value == among.p_value
        assert alone.significant == (alone.p_value <= 0.05 / 2)
        assert among.significant == (among.p_value <= 0.05 / 31)


def test_rows_that_depend_on_each_other_are_not_for_this_test() -> None:
    """With an AR(1) of 0.9 most windows of 1,000 rows alarm; one row in fifty brings the test back to its level."""

    def series(rows: int) -> Column:
        noise, values = RNG.standard_normal(rows), np.empty(rows)
        state = 0.0
        for i, each in enumerate(noise.tolist()):
            state = 0.9 * state + each
            values[i] = state
        return values

    reference = learn({"x": series(50 * 5000)[::50]})
    stream = series(60_000)
    dense = [look(reference, {"x": stream[i : i + 1000]})["x"].p_value for i in range(0, 60_000, 1000)]
    thinned = [look(reference, {"x": stream[i::50][:200]})["x"].p_value for i in range(50)]
    assert np.mean(np.array(dense) < 0.05) > 0.5
    assert np.mean(np.array(thinned) < 0.05) < 0.2
