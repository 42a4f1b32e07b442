"""Find change points in a series of nights: steps that last, found by ranks, so that a single bad night is none.

At each place the rank-sum test (Mann and Whitney, 1947) compares up to 30 values before with up to 30 after. The series is split
at the most likely place, then both sides are searched; in the end each step is tested again between its neighbours. Ranks detect
a lasting shift and hardly react to a spike, but assume independent nights. A step must therefore also exceed its standard error
under autocorrelated noise. The cost grows linearly with the length because the windows do not grow.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bench.core.model import Interval
from bench.stats.exact import Floats
from bench.stats.fit import t_quantile
from bench.stats.shift import rank_sum, rank_sum_p, rank_sum_weights, shift

Integers = npt.NDArray[np.int64]

LEAST = 3
"""Values that a step needs on either side: fewer may be one bad night and its after-effect."""

P_VALUE = 4e-3
"""Probability that a place without a step looks like one; calibrated in tests/benchmarks/test_trends.py."""

SURE = 0.998
"""One-sided level of Student's t that a step must reach under autocorrelated noise: 2.9 standard errors for many nights."""

_WINDOW = 30
_LONG = 90
"""Nights on either side from which the autocorrelation is estimated, which needs more of them than a step."""

_CAREFUL = 1.3
"""Safety factor on the estimated autocorrelation: too small causes false alarms, too large delays detection."""

_MOST = 0.9
_FAR = 5.0
_NEAR = 4
"""Places on either side to which a step may be moved."""


@dataclass(frozen=True)
class Step:
    """One lasting shift.

    Attributes:
        at: Index of the first value after it.
        shift: How much higher the values after it are, in the series' own scale.
        ci: Its 95 % interval.
        p: Rank-sum p value between its neighbouring steps.
        after: Values after it, up to the next step.
    """

    at: int
    shift: float
    ci: Interval | None
    p: float
    after: int


def steps(values: Floats, floor: float) -> list[Step]:
    """Return the steps of at least ``floor``, in order. Values must be finite; for relative changes pass their logarithms."""
    values = without_spikes(values)
    found = _kept(values, _split(values), floor)
    return [_step(values, one, (before, after)) for before, one, after in _with_neighbours(found, len(values))]


def without_spikes(values: Floats) -> Floats:
    """Replace single nights more than 5 standard deviations from the median of five nights by that median.

    A median of five preserves steps. The noise is estimated from the differences of neighbours (median absolute deviation), which
    a step hardly changes. The last two nights stay as they are because the nights after them are not known.
    """
    if len(values) < 2 * LEAST:
        return values
    noise = 1.4826 * float(np.median(np.abs(np.diff(values)))) / math.sqrt(2)
    middle = np.median(np.lib.stride_tricks.sliding_window_view(values, 5), axis=1)
    cleaned = values.copy()
    inner = cleaned[2:-2]
    inner[np.abs(inner - middle) > _FAR * noise] = middle[np.abs(inner - middle) > _FAR * noise]
    return cleaned


def _split(values: Floats) -> list[int]:
    """Split at the most likely place as long as there is one; a split changes only the windows near it."""
    n = len(values)
    edges = [0, n]
    chances = np.ones(n + 1)
    _look(values, chances, edges, (0, n))
    while n and chances.min() <= P_VALUE:
        place = int(np.argmin(chances))
        low, high = _part(edges, place)
        place = _refined(values, place, (low, high))
        edges = sorted([*edges, place])
        _look(values, chances, edges, (max(low, place - _WINDOW), min(high, place + _WINDOW)))
    return edges[1:-1]


def _part(edges: list[int], place: int) -> tuple[int, int]:
    """Return the neighbouring edges of a place."""
    after = bisect.bisect_right(edges, place)
    return edges[after - 1], edges[min(after, len(edges) - 1)]


def _look(values: Floats, chances: Floats, edges: list[int], among: tuple[int, int]) -> None:
    """Update the p value of each place in a range, within its part; 1 where a side would be too short."""
    places, ends = np.arange(among[0], among[1] + 1), np.array(edges)
    chances[places] = 1.0
    part = np.searchsorted(ends, places, side="right")
    before = places - ends[part - 1]
    after = ends[np.minimum(part, len(edges) - 1)] - places
    wanted = (before >= LEAST) & (after >= LEAST)
    if not wanted.any():
        return
    places, before, after = places[wanted], np.minimum(before[wanted], _WINDOW), np.minimum(after[wanted], _WINDOW)
    against = before * after - np.maximum(*_ordered_pairs(values, places, before, after))
    shape = (_WINDOW + 1, _WINDOW + 1, _WINDOW**2 + 1)
    kinds, which = np.unique(np.ravel_multi_index((after, before, against), shape), return_inverse=True)
    known = [_chance(*kind) for kind in zip(*(one.tolist() for one in np.unravel_index(kinds, shape)), strict=True)]
    chances[places] = np.array(known)[which]


def _ordered_pairs(values: Floats, places: Integers, before: Integers, after: Integers) -> tuple[Integers, Integers]:
    """Count the pairs of a value before each place and one from it on in which the later is higher, and in which it is lower.

    ``before`` and ``after`` are how many values on either side count. All pairs of one distance are counted at once.
    """
    first = int((places - before).min())
    near = values[first : int((places + after).max())]
    places = places - first
    higher, lower = np.zeros_like(places), np.zeros_like(places)
    equal = len(np.unique(near)) < len(near)
    counted = np.zeros(len(near) + 1, dtype=np.int64)
    for distance in range(1, 2 * _WINDOW):
        start = places - np.minimum(before, distance)
        stop = np.maximum(places + np.minimum(0, after - distance), start)
        later, earlier = near[distance:], near[:-distance]
        for total, are in ((higher, later > earlier), *([(lower, later < earlier)] if equal else [])):
            np.cumsum(are, out=counted[1 : len(are) + 1])
            np.add(total, counted[np.minimum(stop, len(are))] - counted[np.minimum(start, len(are))], out=total)
    return higher, lower if equal else before * after - higher


def _chance(n: int, m: int, against: int) -> float:
    """Return the rank-sum p value of n and m values, exact where a side is too short for the normal approximation.

    ``against`` are the pairs that are not ordered as most of them are; ties count for neither order.
    """
    if min(n, m) <= 10:
        return min(1.0, 2 * float(_tails(n, m)[against]))
    z = (against + 0.5 - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return min(1.0, 2 * NormalDist().cdf(z))


@lru_cache(maxsize=2048)
def _tails(n: int, m: int) -> Floats:
    tails: Floats = np.cumsum(rank_sum_weights(n, m))
    return tails


def _refined(values: Floats, place: int, part: tuple[int, int]) -> int:
    """Move a place to where two medians fit best in sum of absolute deviations; ranks in wide windows locate it only roughly."""
    low, high = max(part[0], place - _WINDOW), min(part[1], place + _WINDOW)
    near = range(max(low + LEAST, place - _NEAR), min(high - LEAST, place + _NEAR) + 1)
    return min(near, key=lambda k: _deviation(values[low:k]) + _deviation(values[k:high]), default=place)


def _deviation(values: Floats) -> float:
    return float(np.abs(values - np.median(values)).sum())


def _kept(values: Floats, found: list[int], floor: float) -> list[int]:
    """Drop the weakest step until every step is large, unlikely by chance, above the noise, and no slope."""
    weakness = cache(lambda before, one, after: _weakness(values, one, (before, after), floor))
    while found:
        sizes = [(weakness(*place), place[1]) for place in _with_neighbours(found, len(values))]
        weak = [(size, one) for size, one in sizes if size is not None]
        if not weak:
            return found
        found = [one for one in found if one != min(weak)[1]]
    return found


def _weakness(values: Floats, at: int, ends: tuple[int, int], floor: float) -> float | None:
    """Return the size of a step that fails a test between these ends, ``None`` for one that passes all."""
    before, after = _sides(values, at, ends)
    size = abs(shift(after, before))
    stands = (
        size >= floor
        and rank_sum_p(after, before) <= P_VALUE
        and _stands_out(values, at, ends, size)
        and not _slopes(values, at, ends)
    )
    return None if stands else size


def _stands_out(values: Floats, at: int, ends: tuple[int, int], size: float) -> bool:
    """Say whether a step exceeds autocorrelated noise: Student's t with the standard error of a correlated series.

    The noise is the residual around the medians of both sides, clipped to 3 robust standard deviations. Where more than half of
    the nights are equal, ranks alone decide.
    """
    near, (before, after) = _sides(values, at, ends), _sides(values, at, ends, _LONG)
    left = np.concatenate([before - np.median(before), after - np.median(after)])
    spread = 1.4826 * float(np.median(np.abs(left)))
    if not spread:
        return True
    left = np.clip(left, -3 * spread, 3 * spread)
    rho = _autocorrelation(left, len(before))
    freedom = len(left) - sum(len(side) * _variance(len(side), rho) for side in (before, after))
    variance = float(left @ left) / max(1.0, freedom) * sum(_variance(len(side), rho) for side in near)
    return size >= _student(len(left) - 2) * math.sqrt(variance)


def _autocorrelation(left: Floats, first: int) -> float:
    """Return a cautious estimate of the first-order autocorrelation, between 0 and 0.9.

    ``left`` are the residuals around the levels of two sides, the first of which has ``first`` nights. An estimate around fitted
    levels is too low by (1 + 3 rho) / n a level (Marriott and Pope, 1954; Kendall, 1954), which is corrected.
    """
    n = len(left)
    products = left[1:] * left[:-1]
    rho = (float(products.sum()) - float(products[first - 1])) / float(left @ left)
    unbiased = (n * rho + 2) / (n - 6) if n > 6 * LEAST else (n * rho + 2) / n
    return min(max(_CAREFUL * unbiased, 0.0), _MOST)


def _variance(n: int, rho: float) -> float:
    """Return the variance of a mean of n values of an AR(1) process of variance 1 (Bayley and Hammersley, 1946)."""
    return ((1 + rho) / (1 - rho) - 2 * rho * (1 - rho**n) / (n * (1 - rho) ** 2)) / n


@cache
def _student(freedom: int) -> float:
    return t_quantile(SURE, freedom)


def _with_neighbours(found: list[int], n: int) -> list[tuple[int, int, int]]:
    edges = [0, *found, n]
    return [(edges[i - 1], edges[i], edges[i + 1]) for i in range(1, len(edges) - 1)]


def _sides(values: Floats, at: int, ends: tuple[int, int], most: int = _WINDOW) -> tuple[Floats, Floats]:
    return values[max(ends[0], at - most) : at], values[at : min(ends[1], at + most)]


def _slopes(values: Floats, at: int, ends: tuple[int, int]) -> bool:
    """Say whether a straight line fits better than the step, which is then a slow drift."""
    before, after = _sides(values, at, ends)
    if len(before) + len(after) < 4 * LEAST:  # too short to estimate a slope
        return False
    whole = np.concatenate([before, after])
    x = np.arange(len(whole), dtype=np.float64)
    first, second = np.triu_indices(len(whole), 1)
    slope = float(np.median((whole[second] - whole[first]) / (x[second] - x[first])))  # Theil-Sen
    return _deviation(whole - slope * x) < _deviation(before) + _deviation(after)


def _step(values: Floats, at: int, ends: tuple[int, int]) -> Step:
    before, after = _sides(values, at, ends)
    return Step(at, *rank_sum(after, before), rank_sum_p(after, before), ends[1] - at)
