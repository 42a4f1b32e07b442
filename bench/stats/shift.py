"""Estimate the shift between two samples: exact rank estimators, p values, and corrections over a family of tests.

Pairs use the signed-rank test of :mod:`bench.stats.exact`; unpaired samples use the rank-sum test, whose interval is an order
statistic of the pairwise differences (Hodges and Lehmann, 1963; Hollander, Wolfe and Chicken, 4.3). Each p value inverts its
interval: it is below 1 - level exactly when the interval of that level excludes 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bench.core.model import Interval
from bench.stats.exact import EXACT_LIMIT, Floats, signed_rank_weights
from bench.stats.ranked import Flags, Integers, Pairs, Search

_PAIRS_LIMIT = 250_000
"""Largest number of pairs that are listed; above it a rank is found by counting."""

_BINOMIAL_LIMIT = 1000
"""Largest size with exact binomial chances, as for the interval of a median."""

_POWER = 0.8
"""Power of the smallest detectable effect."""


def signed_rank_p(differences: npt.ArrayLike) -> float:
    """Return the two-sided p value of paired differences, 1 without any; a difference of 0 counts for neither side."""
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if not n:
        return 1.0
    against = _one_sided(np.sort(values))
    if n > EXACT_LIMIT:
        return _normal(against, n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24)
    return _tail(signed_rank_weights(n), against)


def median_p(values: npt.ArrayLike, at: float) -> float:
    """Return the two-sided p value that the median is ``at`` (the sign test), 1 without values.

    It inverts :func:`bench.stats.exact.median_ci`; a value that is ``at`` counts for both sides.
    """
    given = np.asarray(values, dtype=np.float64)
    n = len(given)
    against = int(min(np.sum(given <= at), np.sum(given >= at)))
    if n > _BINOMIAL_LIMIT:
        return _normal(against, n / 2, n / 4)
    return min(1.0, float(2 * sum(math.comb(n, k) for k in range(against + 1)) / 2**n))


def shift(new: npt.ArrayLike, base: npt.ArrayLike) -> float:
    """Return the median of all differences new - base (Hodges and Lehmann, 1963).

    Raises:
        ValueError: A sample is empty.
    """
    low, high = _ranked(new, base, _middle_ranks(np.size(new), np.size(base)))
    return (low + high) / 2


def shift_ci(new: npt.ArrayLike, base: npt.ArrayLike, level: float = 0.95) -> Interval | None:
    """Return the interval of the shift that inverts the rank-sum test, ``None`` for too few values."""
    ranks = _end_ranks(np.size(new), np.size(base), level)
    return _interval(_ranked(new, base, ranks), level) if ranks else None


def rank_sum(new: npt.ArrayLike, base: npt.ArrayLike, level: float = 0.95) -> tuple[float, Interval | None]:
    """Return :func:`shift` and :func:`shift_ci` in less time than one after the other.

    Raises:
        ValueError: A sample is empty.
    """
    sizes = np.size(new), np.size(base)
    low, high, *ends = _ranked(new, base, (*_middle_ranks(*sizes), *_end_ranks(*sizes, level)))
    return (low + high) / 2, _interval(ends, level) if ends else None


def _interval(ends: Sequence[float], level: float) -> Interval:
    low, high = ends
    return Interval(low, high, level)


def _middle_ranks(n: int, m: int) -> tuple[int, int]:
    """Return the ranks of the differences of ``n`` and ``m`` values whose mean is the median."""
    if not n * m:
        msg = "a shift needs a value on both sides"
        raise ValueError(msg)
    return (n * m + 1) // 2, n * m // 2 + 1


def _end_ranks(n: int, m: int, level: float) -> tuple[()] | tuple[int, int]:
    """Return the ranks of the differences at the ends of the interval; empty if there are too few values."""
    rank = _rank_sum_rank(n, m, level)
    return (rank, n * m + 1 - rank) if rank else ()


def rank_sum_p(new: npt.ArrayLike, base: npt.ArrayLike) -> float:
    """Return the two-sided p value of two unpaired samples, 1 when one is empty."""
    n, m = np.size(new), np.size(base)
    if not n or not m:
        return 1.0
    above, below = np.asarray(new, dtype=np.float64), np.sort(np.asarray(base, dtype=np.float64))
    # Count the pairs with new <= base and those with new >= base instead of listing them.
    least = n * m - int(np.searchsorted(below, above, side="left").sum())
    against = min(least, int(np.searchsorted(below, above, side="right").sum()))
    if max(n, m) > EXACT_LIMIT:
        return _normal(against, n * m / 2, n * m * (n + m + 1) / 12)
    return _tail(rank_sum_weights(n, m), against)


def needed_for_shift(level: float = 0.95) -> int:
    """Return how many values each of two samples of equal size needs for an interval of this level."""
    return next(n for n in range(1, EXACT_LIMIT) if _rank_sum_rank(n, n, level))


@lru_cache(maxsize=256)
def rank_sum_weights(n: int, m: int) -> Floats:
    """Return P(U = u), u = 0 … n m, when both samples come from one distribution (Mann and Whitney, 1947)."""
    before = [np.ones(1)] * (m + 1)
    for i in range(1, n + 1):
        now = [np.ones(1)]
        for j in range(1, m + 1):  # the largest value is of the first sample, which is above all j, or of the second
            weights = np.zeros(i * j + 1)
            weights[j:] = before[j] * (i / (i + j))
            weights[:-i] += now[j - 1] * (j / (i + j))
            now.append(weights)
        before = now
    return before[m]


def fisher_p(failures: Sequence[int], attempts: Sequence[int]) -> float:
    """Return the two-sided p value that two rates of failure differ (Fisher, 1934).

    ``failures`` and ``attempts`` have one number a side. The p value sums over all tables that are at most as likely.
    """
    total, hits = sum(attempts), sum(failures)
    if not min(attempts) or hits in (0, total):
        return 1.0
    low, high = max(0, hits - attempts[1]), min(hits, attempts[0])
    chances = [math.comb(attempts[0], k) * math.comb(attempts[1], hits - k) for k in range(low, high + 1)]
    here = chances[failures[0] - low]
    return sum(chance for chance in chances if chance <= here) / sum(chances)


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """Return the smallest rate of false discoveries at which each would be a discovery (Benjamini and Hochberg, 1995)."""
    order = sorted(range(len(p_values)), key=lambda place: -p_values[place])
    found, least = [1.0] * len(p_values), 1.0
    for below, place in enumerate(order):
        least = min(least, p_values[place] * len(p_values) / (len(p_values) - below))
        found[place] = least
    return found


def detectable(interval: Interval) -> float:
    """Return the shift that would have been found with a probability of 80 %, from the half width of the interval.

    That is z(1 - α/2) + z(power) standard errors; the half width is z(1 - α/2) of them (Cohen, 1988, 2.4). As robust as the
    interval, unlike a standard deviation.
    """
    z = NormalDist().inv_cdf((1 + interval.level) / 2)
    return (interval.high - interval.low) / 2 * (1 + NormalDist().inv_cdf(_POWER) / z)


def _one_sided(ordered: Floats) -> int:
    """Return how many Walsh averages of sorted values are at most 0, or at least 0, whichever are fewer."""
    n = len(ordered)
    at_most = int(np.searchsorted(ordered, -ordered, side="right").sum()) + int(
        np.searchsorted(ordered, 0.0, side="right")
    )
    below = int(np.searchsorted(ordered, -ordered, side="left").sum()) + int(np.searchsorted(ordered, 0.0, side="left"))
    return min(at_most // 2, (n * n + n - below) // 2)


def _ranked(new: npt.ArrayLike, base: npt.ArrayLike, ranks: Sequence[int]) -> list[float]:
    """Return the pairwise differences new - base of some ranks, counted from 1."""
    above, below = np.asarray(new, dtype=np.float64), np.asarray(base, dtype=np.float64)
    if len(above) * len(below) > _PAIRS_LIMIT:
        search = Search(_Differences(np.sort(above), np.sort(below)))
        return [search.of_rank(rank) for rank in ranks]
    differences = np.partition(np.subtract.outer(above, below).ravel(), [rank - 1 for rank in ranks])
    return [float(differences[rank - 1]) for rank in ranks]


class _Differences(Pairs):
    """The differences of sorted values; rows are of the new sample, columns of the base, the highest first."""

    def __init__(self, above: Floats, below: Floats) -> None:
        super().__init__(above, below[::-1], len(above) * len(below))
        self._below = below

    def number(self, rows: Floats, columns: Floats) -> Floats:
        """Return the numbers that pairs make."""
        return rows - columns

    def up_to(self, value: float) -> Integers:
        """Return how many columns of each row make a number that is not above a value."""
        return len(self._below) - np.searchsorted(self._below, self.rows - value, side="left")

    def are_up_to(self, rows: Floats, columns: Floats, value: float) -> Flags:
        """Say which pairs :meth:`up_to` counts."""
        found: Flags = columns >= rows - value
        return found


@lru_cache(maxsize=1024)
def _rank_sum_rank(n: int, m: int, level: float) -> int:
    """Return the largest k with 2 P(U < k) <= 1 - level, 0 when there is none."""
    if not n or not m:
        return 0
    if max(n, m) > EXACT_LIMIT:
        z = NormalDist().inv_cdf((1 + level) / 2)
        return max(0, math.floor(n * m / 2 + 0.5 - z * math.sqrt(n * m * (n + m + 1) / 12)))
    return int(np.searchsorted(2 * np.cumsum(rank_sum_weights(n, m)), 1 - level + 1e-12, side="right"))


def _tail(weights: Floats, against: int) -> float:
    return min(1.0, 2 * float(weights[: against + 1].sum()))


def _normal(against: int, mean: float, variance: float) -> float:
    return min(1.0, 2 * NormalDist().cdf((against + 0.5 - mean) / math.sqrt(variance)))
