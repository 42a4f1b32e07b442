"""Exact, distribution-free estimators on plain arrays; no run, no scenario, no pandas.

Every interval is an order statistic (of the values, their Walsh averages or their pairwise slopes), chosen by the exact null
distribution of a rank test. Nothing is resampled, so results reproduce to the last digit. Intervals are conservative: their
coverage is at least ``level`` because ranks are discrete. Values must be finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bench.core.model import Interval
from bench.stats import ranked, walsh

Floats = ranked.Floats

EXACT_LIMIT = 60
"""Largest size with the exact null distribution; above it the normal approximation is at most one rank wider."""

_BINOMIAL_LIMIT = 1000
"""Largest size with exact binomial chances for the interval of a median."""


def median_ci(values: npt.ArrayLike, level: float = 0.95) -> Interval | None:
    """Return the order-statistic interval of the median, or ``None`` when there are too few values.

    Its ends are the k-th smallest and k-th largest value, k from the binomial distribution (Conover, Practical Nonparametric
    Statistics, 3.2). It covers the median of any distribution with probability ``level`` or more.
    """
    ordered = np.sort(_floats(values))
    rank = median_rank(len(ordered), level)
    return Interval(float(ordered[rank - 1]), float(ordered[-rank]), level) if rank else None


def needed_for(level: float = 0.95) -> int:
    """Return how many values an interval of this level needs, for the median and for the ratio alike.

    With either rank statistic the widest possible interval misses with probability 2 / 2^n.
    """
    return math.ceil(math.log2(2 / (1 - level)) - 1e-9)


def hodges_lehmann(differences: npt.ArrayLike) -> float:
    """Return the median of the Walsh averages (d_i + d_j) / 2, i <= j (Hodges and Lehmann, 1963).

    Raises:
        ValueError: There are no differences.
    """
    ordered = _some(differences)
    low, high = walsh.of_ranks(ordered, _middle_ranks(len(ordered)))
    return (low + high) / 2


def signed_rank_ci(differences: npt.ArrayLike, level: float = 0.95) -> Interval | None:
    """Return the interval of the pseudo-median that inverts the Wilcoxon signed-rank test, ``None`` for too few values.

    Its ends are the k-th smallest and k-th largest Walsh average, k from the null distribution of W+ (Tukey, 1949; Hollander,
    Wolfe and Chicken, Nonparametric Statistical Methods, 3.3). Ties make it wider, never narrower.
    """
    ordered = np.sort(_floats(differences))
    return _interval(walsh.of_ranks(ordered, ranks), level) if (ranks := _end_ranks(len(ordered), level)) else None


def signed_rank(differences: npt.ArrayLike, level: float = 0.95) -> tuple[float, Interval | None]:
    """Return :func:`hodges_lehmann` and :func:`signed_rank_ci` in less time than one after the other.

    Raises:
        ValueError: There are no differences.
    """
    ordered = _some(differences)
    low, high, *ends = walsh.of_ranks(ordered, (*_middle_ranks(len(ordered)), *_end_ranks(len(ordered), level)))
    return (low + high) / 2, _interval(ends, level) if ends else None


def _interval(ends: Sequence[float], level: float) -> Interval:
    low, high = ends
    return Interval(low, high, level)


def _some(differences: npt.ArrayLike) -> Floats:
    """Return differences in order, of which there must be one at least."""
    ordered = np.sort(_floats(differences))
    if not len(ordered):
        msg = "no differences given, at least one is needed"
        raise ValueError(msg)
    return ordered


def _middle_ranks(n: int) -> tuple[int, int]:
    """Return the ranks of the Walsh averages of ``n`` values whose mean is the median."""
    size = n * (n + 1) // 2
    return (size + 1) // 2, size // 2 + 1


def _end_ranks(n: int, level: float) -> tuple[()] | tuple[int, int]:
    """Return the ranks of the Walsh averages at the ends of the interval; empty if there are too few values."""
    rank = _signed_rank_rank(n, level)
    return (rank, n * (n + 1) // 2 + 1 - rank) if rank else ()


def wilson(failures: int, attempts: int, level: float = 0.95) -> Interval | None:
    """Return the score interval of a rate (Wilson, 1927), ``None`` without attempts.

    Raises:
        ValueError: ``failures`` is not within 0 and ``attempts``.
    """
    if not 0 <= failures <= attempts:
        msg = f"{failures} failures of {attempts} attempts: failures must lie between 0 and the attempts"
        raise ValueError(msg)
    if not attempts:
        return None
    rate, square = failures / attempts, _z(level) ** 2
    centre = (rate + square / (2 * attempts)) / (1 + square / attempts)
    half = math.sqrt(square * (rate * (1 - rate) + square / (4 * attempts)) / attempts) / (1 + square / attempts)
    # The ends are exact at 0 and 1, where rounding would leave something like -1e-17.
    low = 0.0 if failures == 0 else max(0.0, centre - half)
    high = 1.0 if failures == attempts else min(1.0, centre + half)
    return Interval(low, high, level)


def theil_sen(x: npt.ArrayLike, y: npt.ArrayLike, level: float = 0.95) -> tuple[float, Interval | None]:
    """Return the median of the pairwise slopes and the interval that inverts Kendall's test (Sen, 1968).

    ``x`` increases strictly. The interval is ``None`` when there are too few points (5 at 95 %).

    Raises:
        ValueError: There are fewer than two points.
    """
    at, values = _floats(x), _floats(y)
    if len(values) < 2:
        msg = f"a slope needs at least 2 points, {len(values)} given"
        raise ValueError(msg)
    first, second = np.triu_indices(len(values), 1)
    slopes = np.sort((values[second] - values[first]) / (at[second] - at[first]))
    rank = _kendall_rank(len(values), level)
    ci = Interval(float(slopes[rank - 1]), float(slopes[-rank]), level) if rank else None
    return float(np.median(slopes)), ci


def _floats(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


@lru_cache(maxsize=1024)
def median_rank(n: int, level: float) -> int:
    """Return the largest k with 2 P(B(n, 1/2) < k) <= 1 - level, 0 when there is none."""
    if n > _BINOMIAL_LIMIT:
        return math.floor((n + 1 - _z(level) * math.sqrt(n)) / 2)
    below, rank = 0, 0
    for k in range(n // 2 + 1):
        below += math.comb(n, k)
        if 2 * below / 2**n > 1 - level:
            break
        rank = k + 1
    return rank


@lru_cache(maxsize=1024)
def _signed_rank_rank(n: int, level: float) -> int:
    """Return the largest k with 2 P(W+ < k) <= 1 - level, 0 when there is none."""
    if n > EXACT_LIMIT:
        mean, sd = n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        return math.floor(mean + 0.5 - _z(level) * sd)
    return _tail_rank(signed_rank_weights(n), level)


@lru_cache(maxsize=256)
def signed_rank_weights(n: int) -> Floats:
    """Return P(W+ = w), w = 0 … n (n + 1) / 2, when the differences lie around 0 (Wilcoxon, 1945)."""
    weights = np.ones(1)
    for rank in range(1, n + 1):  # each rank is in the sum or not, with probability 1/2
        weights = (np.pad(weights, (0, rank)) + np.pad(weights, (rank, 0))) / 2
    return weights


@lru_cache(maxsize=1024)
def _kendall_rank(n: int, level: float) -> int:
    """Return the largest k with 2 P(discordant pairs < k) <= 1 - level, 0 when there is none."""
    if n > EXACT_LIMIT:
        mean, sd = n * (n - 1) / 4, math.sqrt(n * (n - 1) * (2 * n + 5) / 72)
        return math.floor(mean + 0.5 - _z(level) * sd)
    weights = np.ones(1)
    for size in range(2, n + 1):  # the next value is smaller than 0 … size-1 of those before it, each as likely
        weights = np.convolve(weights, np.full(size, 1 / size))
    return _tail_rank(weights, level)


def _tail_rank(weights: Floats, level: float) -> int:
    # The tolerance covers rounding in sums of a few thousand terms; the next possible probability is much farther away.
    return int(np.searchsorted(2 * np.cumsum(weights), 1 - level + 1e-12, side="right"))
