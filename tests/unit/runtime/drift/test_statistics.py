"""Distances and tests against scipy's, and their properties."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest, chi2_contingency, entropy, f, false_discovery_control, ks_2samp

from moorage_runtime.drift.judging import statistics
from moorage_runtime.drift.reference.binning import Floats

CLOSE = 1e-9


def shares(cells: int = 8) -> st.SearchStrategy[Floats]:
    counted = arrays(np.int64, (3, cells), elements=st.integers(0, 50))
    return counted.filter(lambda c: bool((c.sum(axis=1) > 0).all())).map(
        lambda c: statistics.shares(c.astype(np.float64))
    )


def smoothed(p: Floats) -> Floats:
    return statistics.smooth(p, np.full(len(p), 1e-3), np.ones(p.shape, bool))


SYMMETRIC: list[Callable[[Floats, Floats], Floats]] = [statistics.tvd, statistics.hellinger, statistics.js]


@given(p=shares(), q=shares())
@settings(max_examples=50, deadline=None)
def test_distances_equal_scipys(p: Floats, q: Floats) -> None:
    np.testing.assert_allclose(statistics.js(p, q), jensenshannon(p, q, base=2, axis=1), atol=1e-7)
    np.testing.assert_allclose(statistics.js(p, q) ** 2, jensenshannon(p, q, base=2, axis=1) ** 2, atol=CLOSE)
    np.testing.assert_allclose(statistics.hellinger(p, q) ** 2, 1 - np.sqrt(p * q).sum(axis=1), atol=CLOSE)
    s, r = smoothed(p), smoothed(q)
    np.testing.assert_allclose(statistics.kl(s, r), entropy(s, r, axis=1), atol=CLOSE)
    both = entropy(s, r, axis=1) + entropy(r, s, axis=1)
    np.testing.assert_allclose(statistics.psi(s, r), both, atol=CLOSE)


@given(p=shares(), q=shares())
@settings(max_examples=50, deadline=None)
def test_distances_are_bounded_symmetric_and_zero_on_equality(p: Floats, q: Floats) -> None:
    for distance in SYMMETRIC:
        there, back = distance(p, q), distance(q, p)
        np.testing.assert_allclose(there, back, atol=CLOSE)
        assert ((there >= 0) & (there <= 1 + CLOSE)).all()
        np.testing.assert_allclose(distance(p, p), 0, atol=1e-7)
    s, r = smoothed(p), smoothed(q)
    np.testing.assert_allclose(statistics.psi(s, r), statistics.psi(r, s), atol=CLOSE)
    assert (statistics.psi(s, r) >= 0).all()
    assert (statistics.kl(s, r) >= 0).all()
    np.testing.assert_allclose(statistics.psi(s, s) + statistics.kl(s, s), 0, atol=CLOSE)


@pytest.mark.parametrize("distance", SYMMETRIC)
def test_disjoint_distributions_are_at_distance_one(distance: Callable[[Floats, Floats], Floats]) -> None:
    p, q = np.array([[0.4, 0.6, 0, 0]]), np.array([[0, 0, 0.1, 0.9]])
    assert distance(p, q) == pytest.approx([1.0], abs=CLOSE)


def test_ks_is_scipys_of_the_binned_values_without_the_missing() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 9, 400), rng.integers(1, 9, 300)
    p, q = (np.bincount(x, minlength=10) / len(x) * 0.8 for x in (a, b))
    p[9], q[9] = 0.2, 0.2
    present = np.arange(10)[None] < 9
    found = statistics.ks(np.stack([p]), np.stack([q]), np.array([True]), present)
    assert found == pytest.approx([ks_2samp(a, b).statistic], abs=CLOSE)
    unordered = statistics.ks(np.stack([p]), np.stack([q]), np.array([False]), present)
    assert unordered == pytest.approx(statistics.tvd(p[None, :9] / 0.8, q[None, :9] / 0.8), abs=CLOSE)


@given(
    a=arrays(np.int64, (2, 6), elements=st.integers(0, 300)),
    b=arrays(np.int64, (2, 6), elements=st.integers(0, 300)),
)
@settings(max_examples=60, deadline=None)
def test_pearson_is_scipys_contingency_test_without_correction(a: np.ndarray, b: np.ndarray) -> None:
    found, freedom = statistics.pearson(a.astype(np.float64), b.astype(np.float64))
    for row in range(2):
        table = np.stack([a[row], b[row]])
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] < 2 or not table.sum(axis=1).all():
            assert found[row] == pytest.approx(0, abs=CLOSE)
            continue
        expected = chi2_contingency(table, correction=False)
        assert freedom[row] == expected.dof
        assert found[row] == pytest.approx(expected.statistic, rel=CLOSE, abs=CLOSE)
        p = statistics.pearson_p(found, freedom, np.full(2, 1e9))[row]
        assert p == pytest.approx(expected.pvalue, rel=1e-5, abs=1e-7)


def test_pearsons_p_value_is_of_the_f_distribution() -> None:
    statistic, freedom, rows = np.array([40.0, 19.0, 5.0]), np.array([19, 19, 0]), np.array([100.0, 1e4, 100])
    found = statistics.pearson_p(statistic, freedom, rows)
    assert found[:2] == pytest.approx(f.sf(statistic[:2] / 19, 19, 5 * rows[:2]), rel=CLOSE)
    assert found[2] == 1


def test_a_rare_cell_has_an_exact_test() -> None:
    current, reference = np.array([[0.0, 1, 5, 30]]), np.array([[3.0, 0, 2, 300]])
    found = statistics.rare_p(current, reference, np.array([[0.05]]))
    expected = [1.0] + [
        binomtest(int(k), int(k + x), 0.05, alternative="greater").pvalue
        for k, x in zip(current[0, 1:], reference[0, 1:], strict=True)
    ]
    assert found[0] == pytest.approx(expected, rel=CLOSE)


def test_tests_of_one_column_share_its_level() -> None:
    pearson, rare = np.array([0.01, 0.5, 0.01, 0.2]), np.array([1.0, 0.001, 0.04, 0.04])
    tested, cells = np.array([True, True, True, False]), np.array([0, 2, 1, 1])
    found = statistics.combined_p(pearson, tested, rare, cells)
    assert found == pytest.approx([0.01, 0.02, 0.01 / 0.9, 0.04])


@given(p=arrays(np.float64, 12, elements=st.floats(0, 1)), rate=st.floats(0.001, 0.5))
def test_discoveries_are_scipys_benjamini_hochberg(p: Floats, rate: float) -> None:
    adjusted = false_discovery_control(p, method="bh")
    clear = np.abs(adjusted - rate) > 1e-12
    assert (statistics.benjamini_hochberg(p, rate) == (adjusted <= rate))[clear].all()


def test_an_empty_cell_counts_as_half_a_row_of_the_smaller_sample() -> None:
    counts = np.array([[0.0, 50, 50, 0]])
    cells = np.array([[True, True, True, False]])
    found = statistics.smooth(statistics.shares(counts), np.array([0.5 / 100]), cells)
    assert found[0] == pytest.approx(np.array([0.5, 50, 50, 0]) / 100.5)
