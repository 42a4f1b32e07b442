"""Estimate what a claim is about, and test the values at which its verdict flips.

The interval and the p value of one estimate invert the same test, as everywhere in :mod:`bench.stats`: a flip value outside the
95 % interval has a p value of at most 0.05.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.claims.model import Band, Scale
from bench.core.model import Interval
from bench.stats.exact import Floats, median_ci, signed_rank
from bench.stats.series import Series
from bench.stats.shift import median_p, signed_rank_p

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its interval and the test of any value of it.

    Attributes:
        value: The number; ``None`` without a common block, or for a ratio of values that are not positive.
        ci: Its interval, the range over the blocks if it is exact; ``None`` with too few blocks.
        n: Blocks that count.
        exact: Whether it is free of noise, so that there is no test.
        p_at: Two-sided p value of a true value; ``None`` without a test.
        relative: Whether a doubt, which is a factor, can widen the interval.
    """

    value: float | None
    ci: Interval | None
    n: int
    exact: bool = False
    p_at: Callable[[float], float] | None = None
    relative: bool = True


def alone(one: Series, *, exact: bool) -> Estimate:
    """Estimate the median of a series."""
    values = one.values
    if exact:
        return _exact(values)
    positive = bool(np.all(values > 0))
    return Estimate(
        float(np.median(values)),
        median_ci(values, LEVEL),
        len(values),
        p_at=lambda at: median_p(values, at),
        relative=positive,
    )


def every(one: Series) -> Estimate:
    """Return the range of a fact's values: it is about each block, not about their median."""
    return _exact(one.values)


def against(one: Series, other: Series, scale: Scale, *, exact: bool) -> Estimate:
    """Estimate ``one`` ÷ ``other`` or ``one`` - ``other``, paired block by block."""
    _, mine, theirs = np.intersect1d(one.blocks, other.blocks, assume_unique=True, return_indices=True)
    above, below = one.values[mine], other.values[theirs]
    if not len(above):
        return Estimate(None, None, 0)
    if scale is Scale.DIFFERENCE:
        differences = above - below
        return _exact(differences) if exact else _difference(differences)
    if np.any(above <= 0) or np.any(below <= 0):
        return Estimate(None, None, len(above))
    logs = np.log(above) - np.log(below)
    return _exact(above / below) if exact else _ratio(logs)


def p_of(found: Estimate, band: Band) -> float | None:
    """Return the p value of the flip value that decides, ``None`` without a test.

    For an estimate inside the band that is the end with the larger p value, for one outside the end that it is beyond.
    """
    if found.p_at is None or found.value is None or found.ci is None:
        return None
    if band.holds(found.value, found.value):
        return max(map(found.p_at, band.ends), default=None)
    return found.p_at(band.above if found.value <= band.above else band.below)


def widened(ci: Interval, factor: float) -> Interval:
    """Return an interval of positive numbers, wider by the logarithm ``factor`` on both sides."""
    return Interval(ci.low * math.exp(-factor), ci.high * math.exp(factor), ci.level)


def _exact(values: Floats) -> Estimate:
    return Estimate(
        float(np.median(values)),
        Interval(float(values.min()), float(values.max()), LEVEL),
        len(values),
        exact=True,
    )


def _difference(differences: Floats) -> Estimate:
    return Estimate(
        *signed_rank(differences, LEVEL),
        len(differences),
        p_at=lambda at: signed_rank_p(differences - at),
        relative=False,
    )


def _ratio(logs: Floats) -> Estimate:
    centre, ci = signed_rank(logs, LEVEL)
    return Estimate(
        math.exp(centre),
        Interval(math.exp(ci.low), math.exp(ci.high), ci.level) if ci else None,
        len(logs),
        p_at=lambda at: signed_rank_p(logs - math.log(at)) if at > 0 else 0.0,
    )
