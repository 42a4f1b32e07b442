"""Change points of a series of nights: steps that last, found by ranks, so that a single bad night is none.

At each place the up to 30 values before are compared with the up to 30 after by the rank-sum test (Mann and Whitney, 1947); the
likeliest place is split, then both sides are searched, and in the end each step is tested once more between its neighbours.
Ranks see a lasting shift and hardly a spike. The cost grows linearly with the length, as windows do not.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from bench._exact import Floats
from bench._shift import rank_sum_p, rank_sum_weights, shift, shift_ci
from bench.model import Interval

LEAST = 3
"""Values that a step needs on either side: fewer may be one bad night and its echo."""

P_VALUE = 4e-3
"""Chance at which a place without a step would look like one; calibrated in tests/benchmarks/test_trends.py."""

_WINDOW = 30
_FAR = 5.0
_NEAR = 4
"""How far the place of a step is refined."""


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
    """Return the steps of at least ``floor``, in order; values must be finite, for a relative change their logarithms."""
    values = without_spikes(values)
    found = _kept(values, _split(values), floor)
    return [_step(values, one, (before, after)) for before, one, after in _with_neighbours(found, len(values))]


def without_spikes(values: Floats) -> Floats:
    """Put the median of five nights in the place of a single night far from it: more than 5 standard deviations.

    A median of five leaves steps as they are. The noise is told from the differences of neighbours (median absolute
    deviation), which a step hardly changes. The last two nights stay as they are: what follows them is not known.
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
    """Split at the likeliest place as long as there is one; a split changes the windows near it only."""
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
    """Write the chance of each place among two, seen within its part; 1 where a side would be too short."""
    for k in range(among[0], among[1] + 1):
        low, high = _part(edges, k)
        chances[k] = 1.0
        if low + LEAST <= k <= high - LEAST:
            chances[k] = _chance(values[max(low, k - _WINDOW) : k], values[k : min(high, k + _WINDOW)])


def _chance(before: Floats, after: Floats) -> float:
    """Return the rank-sum p value; ties count for neither side. Exact where a side is short, where normal is wrong."""
    n, m = len(after), len(before)
    ordered = np.sort(before)
    below = int(np.searchsorted(ordered, after, side="left").sum())
    above = n * m - int(np.searchsorted(ordered, after, side="right").sum())
    against = n * m - max(below, above)
    if min(n, m) <= 10:
        return min(1.0, 2 * float(_tails(n, m)[against]))
    z = (against + 0.5 - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return min(1.0, 2 * NormalDist().cdf(z))


@lru_cache(maxsize=2048)
def _tails(n: int, m: int) -> Floats:
    tails: Floats = np.cumsum(rank_sum_weights(n, m))
    return tails


def _refined(values: Floats, place: int, part: tuple[int, int]) -> int:
    """Move a place to where two medians fit best in sum of absolute deviations, which ranks in wide windows leave open."""
    low, high = max(part[0], place - _WINDOW), min(part[1], place + _WINDOW)
    near = range(max(low + LEAST, place - _NEAR), min(high - LEAST, place + _NEAR) + 1)
    return min(near, key=lambda k: _deviation(values[low:k]) + _deviation(values[k:high]), default=place)


def _deviation(values: Floats) -> float:
    return float(np.abs(values - np.median(values)).sum())


def _kept(values: Floats, found: list[int], floor: float) -> list[int]:
    """Drop the weakest step again and again until each is large, unlikely by chance and no slope."""
    while found:
        weak = []
        for before, one, after in _with_neighbours(found, len(values)):
            sides = _sides(values, one, (before, after))
            p = rank_sum_p(sides[1], sides[0])
            size = abs(float(np.median(sides[1]) - np.median(sides[0])))
            if p > P_VALUE or size < floor or _slopes(values, one, (before, after)):
                weak.append((size, one))
        if not weak:
            return found
        found = [one for one in found if one != min(weak)[1]]
    return found


def _with_neighbours(found: list[int], n: int) -> list[tuple[int, int, int]]:
    edges = [0, *found, n]
    return [(edges[i - 1], edges[i], edges[i + 1]) for i in range(1, len(edges) - 1)]


def _sides(values: Floats, at: int, ends: tuple[int, int]) -> tuple[Floats, Floats]:
    return values[max(ends[0], at - _WINDOW) : at], values[at : min(ends[1], at + _WINDOW)]


def _slopes(values: Floats, at: int, ends: tuple[int, int]) -> bool:
    """Say whether a straight line fits better than the step: a slow drift is no step."""
    before, after = _sides(values, at, ends)
    if len(before) + len(after) < 4 * LEAST:  # too short for a slope to be told
        return False
    whole = np.concatenate([before, after])
    x = np.arange(len(whole), dtype=np.float64)
    first, second = np.triu_indices(len(whole), 1)
    slope = float(np.median((whole[second] - whole[first]) / (x[second] - x[first])))  # Theil-Sen
    return _deviation(whole - slope * x) < _deviation(before) + _deviation(after)


def _step(values: Floats, at: int, ends: tuple[int, int]) -> Step:
    before, after = _sides(values, at, ends)
    return Step(at, shift(after, before), shift_ci(after, before), rank_sum_p(after, before), ends[1] - at)
