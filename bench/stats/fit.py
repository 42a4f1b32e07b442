"""Fit a straight line to readings over N: ordinary least squares with Student's t interval of the slope.

Theil-Sen (:func:`bench.stats.exact.theil_sen`) does not suit a ramp of some five readings: its interval then runs from the
smallest to the largest pairwise slope, however well the points lie on a line. Readings are taken after a barrier, so their errors
are small and alike at every N, as least squares assumes. An error that shifts a whole ramp shows between the blocks of a run.
Draper and Smith, Applied Regression Analysis, 3rd ed., sections 1.2 to 1.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.core.model import Interval


@dataclass(frozen=True)
class Line:
    """A fitted line.

    Attributes:
        slope: Marginal cost of one more instance.
        intercept: Value at 0: what the first instance adds beyond its own cost, and the growth of a daemon.
        ci: Interval of the slope; ``None`` with two points.
        r2: Share of the variance that the line explains; ``None`` with two points or without variance.
    """

    slope: float
    intercept: float
    ci: Interval | None
    r2: float | None


def line(x: npt.ArrayLike, y: npt.ArrayLike, level: float = 0.95) -> Line:
    """Fit a line by least squares.

    Raises:
        ValueError: Fewer than two different ``x``.
    """
    at, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if len(set(at.tolist())) < 2:
        msg = f"a line needs at least 2 different x, found {sorted(set(at.tolist()))}"
        raise ValueError(msg)
    centred = at - at.mean()
    spread = float(centred @ centred)
    slope = float(centred @ values) / spread
    intercept = float(values.mean()) - slope * float(at.mean())
    if len(at) < 3:
        return Line(slope, intercept, None, None)
    residual = values - intercept - slope * at
    left = float(residual @ residual)
    half = t_quantile((1 + level) / 2, len(at) - 2) * math.sqrt(left / (len(at) - 2) / spread)
    whole = float(((values - values.mean()) ** 2).sum())
    return Line(slope, intercept, Interval(slope - half, slope + half, level), 1 - left / whole if whole else None)


def slope_interval(slope: float, r2: float, count: int, level: float = 0.95) -> Interval | None:
    """Return the interval of a least-squares slope from its R² and the number of readings; ``None`` if these do not tell.

    The standard error of a slope is ``|slope| √((1/R² − 1) / (count − 2))`` (Draper and Smith, section 1.6).
    """
    if count < 3 or not 0 < r2 <= 1:
        return None
    half = t_quantile((1 + level) / 2, count - 2) * abs(slope) * math.sqrt((1 / r2 - 1) / (count - 2))
    return Interval(slope - half, slope + half, level)


def t_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t, by bisection of its distribution function.

    Raises:
        ValueError: ``probability`` is not within (0.5, 1) or there is no degree of freedom.
    """
    if not 0.5 < probability < 1 or freedom < 1:
        msg = f"probability {probability} must lie within 0.5 and 1 and freedom {freedom} be at least 1"
        raise ValueError(msg)
    low, high = 0.0, 1.0
    while _t_within(high, freedom) < 2 * probability - 1:
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        if _t_within(middle, freedom) < 2 * probability - 1:
            low = middle
        else:
            high = middle
    return high


def t_p(t: float, freedom: int) -> float:
    """Return the two-sided p value of Student's t; ``t`` must not be negative."""
    return max(0.0, 1 - _t_within(t, freedom))


def _t_within(t: float, freedom: int) -> float:
    """Return P(-t <= T <= t), a finite sum for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(3 if odd else 2, freedom - 1, 2):  # each term is the one before by cos² (k - 1) / k
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
