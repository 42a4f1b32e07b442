"""Exact, distribution-free estimators on plain arrays; no run, no scenario, no pandas.

Every interval is an order statistic (of the values, their Walsh averages or their pairwise slopes), chosen by the exact null
distribution of a rank test. Nothing is resampled, so results reproduce to the last digit. Intervals are conservative: their
coverage is at least ``level`` because ranks are discrete. Values must be finite.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bench.core.model import Interval

Floats = npt.NDArray[np.float64]

EXACT_LIMIT = 60
"""Largest size with the exact null distribution; above it the normal approximation is at most one rank wider."""

_LISTED = 2
"""Walsh averages that are listed, in multiples of the number of values."""

_HALVINGS, _GUESSES, _BESIDE = 4, 12, 0.02
"""Halvings with which the search for a Walsh average begins, guesses that follow, and how far beside the expected place they are.

The place is expected as if the averages were spread evenly, which very wide values are not: then it goes on by halving.
"""

_PAIRS_LIMIT = 1000
"""Largest size for which all pairs are listed (500 000 numbers); above it bisection finds a rank in linear memory."""


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
    ordered = np.sort(_floats(differences))
    if not len(ordered):
        msg = "no differences given, at least one is needed"
        raise ValueError(msg)
    size = len(ordered) * (len(ordered) + 1) // 2
    low, high = _walsh_ranked(ordered, (size + 1) // 2, size // 2 + 1)
    return (low + high) / 2


def signed_rank_ci(differences: npt.ArrayLike, level: float = 0.95) -> Interval | None:
    """Return the interval of the pseudo-median that inverts the Wilcoxon signed-rank test, ``None`` for too few values.

    Its ends are the k-th smallest and k-th largest Walsh average, k from the null distribution of W+ (Tukey, 1949; Hollander,
    Wolfe and Chicken, Nonparametric Statistical Methods, 3.3). Ties make it wider, never narrower.
    """
    ordered = np.sort(_floats(differences))
    rank = _signed_rank_rank(len(ordered), level)
    if not rank:
        return None
    size = len(ordered) * (len(ordered) + 1) // 2
    low, high = _walsh_ranked(ordered, rank, size + 1 - rank)
    return Interval(low, high, level)


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
    if n > _PAIRS_LIMIT:
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


def _walsh_ranked(ordered: Floats, low: int, high: int) -> tuple[float, float]:
    """Return the Walsh averages of two ranks, counted from 1, of sorted values."""
    if len(ordered) > _PAIRS_LIMIT:
        found = _walsh_bisect(ordered, low)
        same = _averages_up_to(ordered, found) >= high
        return found, found if same else _walsh_bisect(ordered, high)
    first, second = np.triu_indices(len(ordered))
    averages = np.partition((ordered[first] + ordered[second]) / 2, (low - 1, high - 1))
    return float(averages[low - 1]), float(averages[high - 1])


def _walsh_bisect(ordered: Floats, rank: int) -> float:
    """Find a Walsh average by bisection, counting those below a guess, because all n² / 2 would not fit into memory.

    It is the smallest number that has ``rank`` averages at or below it. Once few averages are left between the ends, they are
    listed, and the bisection goes on closely around the one of this rank.
    """
    low, high = float(ordered[0]), float(ordered[-1])
    below, left, steps = 0, len(ordered) * (len(ordered) + 1) // 2, 0
    while left > _LISTED * len(ordered):
        middle = low + (high - low) * _share(rank - below, left, steps)
        if not low < middle < high:
            break
        count = _averages_up_to(ordered, middle)
        if count >= rank:
            high, left = middle, count - below
        else:
            low, left, below = middle, left + below - count, count
        steps += 1
    low, high = _closely(ordered, rank, _listed(ordered, low, high, rank - below), low, high)
    while (middle := low + (high - low) / 2) not in (low, high):
        if _averages_up_to(ordered, middle) >= rank:
            high = middle
        else:
            low = middle
    return high


def _share(rank: int, left: int, steps: int) -> float:
    """Return where between the ends to count next: in the middle, later on either side of where the rank is expected."""
    if not _HALVINGS <= steps < _HALVINGS + _GUESSES:
        return 0.5
    aim = rank / left + (_BESIDE if steps % 2 else -_BESIDE)
    return min(max(aim, _BESIDE), 1 - _BESIDE)


def _averages_up_to(ordered: Floats, value: float) -> int:
    """Count the Walsh averages that are not above a value."""
    both_orders = int(np.searchsorted(ordered, 2 * value - ordered, side="right").sum())
    diagonal = int(np.searchsorted(ordered, value, side="right"))
    return (both_orders + diagonal) // 2


def _listed(ordered: Floats, low: float, high: float, rank: int) -> float:
    """Return the Walsh average of a rank among those above ``low`` and not above ``high``, about: sums are rounded."""
    places = np.arange(len(ordered))
    first, end = (
        np.maximum(places, np.searchsorted(ordered, 2 * edge - ordered, side="right")) for edge in (low, high)
    )
    sizes = end - first
    starts = np.cumsum(sizes) - sizes
    second = np.arange(int(sizes.sum())) - np.repeat(starts - first, sizes)
    averages = (np.repeat(ordered, sizes) + ordered[second]) / 2
    return float(np.partition(averages, rank - 1)[rank - 1]) if 0 < rank <= len(averages) else high


def _closely(ordered: Floats, rank: int, guess: float, low: float, high: float) -> tuple[float, float]:
    """Return ends of a bisection that lie closely around a guess, and within the ends given."""
    if not low < guess < high:
        return low, high
    step = math.ulp(guess)
    if _averages_up_to(ordered, guess) >= rank:
        high = guess
        while (under := guess - step) > low:
            if _averages_up_to(ordered, under) < rank:
                return under, high
            high, step = under, 4 * step
    else:
        low = guess
        while (over := guess + step) < high:
            if _averages_up_to(ordered, over) >= rank:
                return low, over
            low, step = over, 4 * step
    return low, high
