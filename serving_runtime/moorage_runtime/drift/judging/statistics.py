"""Distances between two distributions over the same cells, and the tests of whether they are one distribution.

All work on many columns at once: shape (columns, cells) in, (columns,) out. Rows are padded with cells that are 0 on
both sides, which count nothing. `p` is the current, `q` the reference distribution, as shares that sum to 1.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, fdtrc

from moorage_runtime.drift.reference.binning import Floats

_PEARSON_WEIGHT: Final = 0.9
"""Part of the level that Pearson's test gets where there are rare cells; they share the rest (Bonferroni)."""
_TAIL: Final = 5
"""Rows of the smaller sample count so often as denominator degrees of freedom; found by simulation."""


def shares(counts: Floats) -> Floats:
    """Counts over their sum; all 0 where there are none."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(totals, 1))


def tvd(p: Floats, q: Floats) -> Floats:
    """Total variation distance: half the sum of |p - q|; 0..1."""
    return np.asarray(0.5 * np.abs(p - q).sum(axis=1))


def hellinger(p: Floats, q: Floats) -> Floats:
    """sqrt(1 - sum of sqrt(pq)), computed as the norm of sqrt(p) - sqrt(q) over sqrt 2; 0..1."""
    return np.asarray(np.sqrt(0.5 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1)))


def js(p: Floats, q: Floats) -> Floats:
    """Jensen-Shannon distance to base 2: the root of the mean divergence from the mixture (Lin, 1991); 0..1."""
    mixture = 0.5 * (p + q)
    divergence = 0.5 * (_relative_entropy(p, mixture) + _relative_entropy(q, mixture))
    return np.asarray(np.sqrt(np.clip(divergence / np.log(2), 0, 1)))


def kl(p: Floats, q: Floats) -> Floats:
    """Kullback-Leibler divergence of the current distribution from the reference, nats; smooth both first."""
    return np.maximum(_relative_entropy(p, q), 0)


def psi(p: Floats, q: Floats) -> Floats:
    """Population stability index: sum of (p - q) ln(p / q); smooth both first."""
    return np.asarray(((p - q) * _log_ratio(p, q)).sum(axis=1))


def ks(p: Floats, q: Floats, ordered: NDArray[np.bool_], present: NDArray[np.bool_]) -> Floats:
    """Kolmogorov-Smirnov: the greatest difference of the cumulative shares of values that are there; 0..1.

    `ordered`, shape (columns,), says which columns are numbers: their `present` cells, shape (columns, cells), are
    ascending. Categories have no order: theirs is the greatest over all orders, which is the TVD.
    """
    there_p, there_q = _normalised(np.where(present, p, 0)), _normalised(np.where(present, q, 0))
    difference = there_p - there_q
    numeric = np.abs(np.cumsum(difference, axis=1)).max(axis=1, initial=0)
    return np.asarray(np.where(ordered, numeric, 0.5 * np.abs(difference).sum(axis=1)))


def smooth(p: Floats, floor: Floats, cells: NDArray[np.bool_]) -> Floats:
    """Shares of at least `floor` (shape (columns,)) in the column's own `cells`, made to sum to 1 again.

    For psi and kl, which are infinite at an empty cell. Moorage's floor is half a row of the smaller sample, alike on
    both sides: an empty cell then says as little as so few rows can say, and equal shares stay equal.
    """
    return _normalised(np.where(cells, np.maximum(p, floor[:, None]), 0))


def pearson(current: Floats, reference: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Two-sample Pearson statistic of homogeneity of counts, and its degrees of freedom.

    As of the 2 x k table without correction, cells empty in both left out; 0 and 0 where a sample is empty.
    Source: K. Pearson (1911), Biometrika 8, 250-254.
    """
    both = current + reference
    m, n = current.sum(axis=1, keepdims=True), reference.sum(axis=1, keepdims=True)
    usable = ((m > 0) & (n > 0))[:, 0]
    m, n = np.maximum(m, 1), np.maximum(n, 1)
    terms = (current * np.sqrt(n / m) - reference * np.sqrt(m / n)) ** 2 / np.maximum(both, 1)
    freedom = np.maximum((both > 0).sum(axis=1) - 1, 0)
    return terms.sum(axis=1) * usable, freedom * usable


def rare_p(current: Floats, reference: Floats, share: Floats) -> Floats:
    """Exact one-sided p-values of so many or more rows in a cell, given its count in both samples; any shape.

    `share` is the current rows' part of all rows, and with equal rates the probability that a row in the cell is a
    current one: their number is binomial (conditional test of two Poisson rates; Przyborowski and Wilenski, 1940).
    Fewer rows than in the reference never reject: such a cell has too few for that.
    """
    p = betainc(np.maximum(current, 1), reference + 1, share)
    return np.where(current > 0, p, 1.0).astype(np.float64)


def pearson_p(statistic: Floats, freedom: NDArray[np.int64], rows: Floats) -> Floats:
    """p-value of `pearson`, where `rows` is the smaller sample's; 1 without degrees of freedom.

    By the F distribution with 5 x rows denominator degrees, which is chi-squared's for large samples. Five expected
    rows a cell keep chi-squared right at 0.05, but at 0.0005, where a false discovery rate over 20 features looks, it
    rejects windows of 100 rows half as often again as it says; with F it does not.
    """
    tested = freedom > 0
    freedom = np.maximum(freedom, 1)
    p = fdtrc(freedom, _TAIL * np.maximum(rows, 1), statistic / freedom)
    return np.where(tested, p, 1.0).astype(np.float64)


def combined_p(pearson: Floats, tested: NDArray[np.bool_], rare: Floats, cells: NDArray[np.int64]) -> Floats:
    """One p-value of Pearson's, where it was `tested`, and the least of so many rare cells'; weighted Bonferroni."""
    weight = np.where(tested, np.where(cells > 0, _PEARSON_WEIGHT, 1.0), 0.0)
    of_all = np.where(tested, pearson / np.where(tested, weight, 1), 1.0)
    of_rare = np.where(cells > 0, rare * cells / np.where(cells > 0, 1 - weight, 1), 1.0)
    return np.asarray(np.minimum(np.minimum(of_all, of_rare), 1.0))


def benjamini_hochberg(p_values: Floats, rate: float) -> NDArray[np.bool_]:
    """Which of them are discoveries at false discovery rate `rate` (Benjamini and Hochberg, 1995); shape (tests,)."""
    order = np.sort(p_values)
    below = np.flatnonzero(order <= rate * np.arange(1, len(order) + 1) / max(1, len(order)))
    limit = order[below[-1]] if len(below) else -1.0
    return np.asarray(p_values <= limit)


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    return np.asarray((p * _log_ratio(p, q)).sum(axis=1))


def _log_ratio(p: Floats, q: Floats) -> Floats:
    """ln(p / q), 0 where p or q is 0."""
    usable = (p > 0) & (q > 0)
    return np.log(np.where(usable, p, 1) / np.where(usable, q, 1))


def _normalised(p: Floats) -> Floats:
    totals = p.sum(axis=1, keepdims=True)
    return p / np.where(totals > 0, totals, 1)
