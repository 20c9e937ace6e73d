"""How far two spreads of counts lie apart: the statistics of drift, with where each comes from. Pure.

All take counts of the same places (bins or categories) in the reference and in a window, arrays of shape (places,).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray  # takes more than half a millisecond to import

__all__ = [
    "EMPTY_SHARE",
    "Test",
    "chi_squared",
    "chi_squared_sf",
    "jensen_shannon",
    "kolmogorov_sf",
    "kolmogorov_smirnov",
    "psi",
]

#: What an empty place counts as in the population stability index, whose logarithm knows no 0.
EMPTY_SHARE: Final = 1e-4
_LEAST_EXPECTED: Final = 5.0  # counts of a place that has a term of its own in chi-squared
_PRECISION: Final = 1e-15
_MOST_TERMS: Final = 100_000


class Test(NamedTuple):
    """A statistic, and the chance of one at least as large where nothing has changed."""

    statistic: float
    p: float


def psi(reference: NDArray[np.int64], window: NDArray[np.int64]) -> float:
    """Population stability index: Σ (wᵢ − rᵢ) ln (wᵢ / rᵢ) of the shares w and r.

    An empty place counts as a share of 0.0001, as in Evidently. Source: N. Siddiqi, "Credit Risk Scorecards" (2006);
    B. Yurdakul, J. Naranjo, "Statistical properties of the population stability index", J. Risk Model Valid. (2020).
    """
    r, w = (np.where(counts == 0, EMPTY_SHARE, _shares(counts)) for counts in (reference, window))
    return float(((w - r) * np.log(w / r)).sum())


def jensen_shannon(reference: NDArray[np.int64], window: NDArray[np.int64]) -> float:
    """Jensen–Shannon distance, base 2: √(½ KL(r‖m) + ½ KL(w‖m)) with m = ½ (r + w); from 0 to 1.

    Source: J. Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37 (1991); D. Endres,
    J. Schindelin, "A new metric for probability distributions", ibid. 49 (2003).
    """
    r, w = _shares(reference), _shares(window)
    m = (r + w) / 2
    return math.sqrt(max(0.0, (_divergence(r, m) + _divergence(w, m)) / 2))


def kolmogorov_smirnov(reference: NDArray[np.int64], window: NDArray[np.int64]) -> Test:
    """Two samples in ordered bins: the largest difference D of their cumulative shares at the bins' edges.

    p is that of Kolmogorov's limit at D √(n m / (n + m)); in bins, where D can only be smaller, it errs on the side of
    no change. Source: N. Smirnov, "Table for estimating the goodness of fit of empirical distributions", Ann. Math.
    Statist. 19 (1948).
    """
    n, m = int(reference.sum()), int(window.sum())
    largest = float(np.abs(np.cumsum(_shares(reference)) - np.cumsum(_shares(window))).max(initial=0.0))
    return Test(largest, kolmogorov_sf(largest * math.sqrt(n * m / (n + m)))) if n and m else Test(0.0, 1.0)


def chi_squared(reference: NDArray[np.int64], window: NDArray[np.int64]) -> Test:
    """Pearson's test of homogeneity of two samples: Σ (observed − expected)² / expected over a 2 × places table.

    Places where either sample is expected to have fewer than 5 are counted as one place, after W. Cochran, "Some
    methods for strengthening the common χ² tests", Biometrics 10 (1954). Places that both lack are none.
    """
    table = _pooled(np.stack([reference, window]).astype(np.float64))
    rows, places = table.sum(axis=1, keepdims=True), table.sum(axis=0, keepdims=True)
    if table.shape[1] < 2 or not rows.all():
        return Test(0.0, 1.0)
    expected = rows * places / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return Test(statistic, chi_squared_sf(statistic, table.shape[1] - 1))


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    total = counts.sum()
    return counts / total if total else np.zeros(len(counts))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Kullback and Leibler's, in bits."""
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())


def _pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places that are expected to be rare, as one: the last."""
    table = table[:, table.any(axis=0)]
    if not table.size or not table.sum(axis=1).all():
        return table
    least = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = least < _LEAST_EXPECTED
    if rare.sum() < 2:
        return table
    return np.concatenate([table[:, ~rare], table[:, rare].sum(axis=1, keepdims=True)], axis=1)


# --- tails of distributions -------------------------------------------------------------


def kolmogorov_sf(x: float) -> float:
    """1 − K(x) of Kolmogorov's distribution: 2 Σ (−1)ᵏ⁻¹ e^(−2 k² x²), for small x by Jacobi's identity.

    Source: W. Feller, "On the Kolmogorov–Smirnov limit theorems for empirical distributions", Ann. Math. Statist. 19
    (1948).
    """
    if x <= 0:
        return 1.0
    if x < 1:
        below = sum(math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * x * x)) for k in range(1, 20))
        return min(1.0, max(0.0, 1.0 - math.sqrt(2 * math.pi) / x * below))
    return max(0.0, 2 * sum((-1.0) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 20)))


def chi_squared_sf(x: float, degrees: int) -> float:
    """The chance of at least x: Q(degrees / 2, x / 2), the regularised incomplete gamma function.

    By its series (DLMF 8.7.1) or its continued fraction (DLMF 8.9.2) in Lentz's form, as "Numerical Recipes", 6.2.
    """
    a, half = degrees / 2, x / 2
    if half <= 0:
        return 1.0
    scale = a * math.log(half) - half - math.lgamma(a)
    if half < a + 1:
        return max(0.0, 1.0 - math.exp(scale) * _series(a, half))
    return math.exp(scale) * _fraction(a, half)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    for k in range(1, _MOST_TERMS):
        term *= x / (a + k)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _fraction(a: float, x: float) -> float:
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    found = d
    for k in range(1, _MOST_TERMS):
        factor = -k * (k - a)
        b += 2
        d = 1 / _apart_from_0(factor * d + b, tiny)
        c = _apart_from_0(b + factor / c, tiny)
        found *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return found


def _apart_from_0(number: float, tiny: float) -> float:
    return number if abs(number) > tiny else tiny
