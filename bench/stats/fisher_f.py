"""Tail probabilities of Student's t and quantiles of Fisher's F, by the regularised incomplete beta function."""

from __future__ import annotations

import math
from collections.abc import Iterator

_EPSILON = 1e-15
_TINY = 1e-300
_TERMS = 2000


def t_p(t: float, df: int) -> float:
    """Return the two-sided tail probability of Student's t: I_x(df / 2, 1 / 2) at x = df / (df + t²)."""
    return 0.0 if math.isinf(t) else beta(df / 2, 0.5, df / (df + t * t))


def f_quantile(probability: float, above: int, below: int) -> float:
    """Return the value that F with ``above`` and ``below`` degrees of freedom stays under with this probability, by bisection."""
    low, high = 0.0, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        if beta(above / 2, below / 2, middle) < probability:
            low = middle
        else:
            high = middle
    return below * low / (above * (1 - low)) if low < 1 else math.inf


def beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction for the other tail converges faster there
        return 1 - beta(b, a, 1 - x)
    front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) / a / _evaluate(_terms(a, b, x))


def _terms(a: float, b: float, x: float) -> Iterator[float]:
    """Yield the partial numerators d₁, d₂, … of the fraction 1 + d₁ / (1 + d₂ / (1 + …))."""
    for m in range(_TERMS // 2):
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        yield (m + 1) * (b - m - 1) * x / ((a + 2 * m + 1) * (a + 2 * m + 2))


def _evaluate(numerators: Iterator[float]) -> float:
    """Return the value of a continued fraction whose denominators are 1 (Lentz, 1976, modified by Thompson and Barnett, 1986)."""
    value = upper = 1.0
    lower = 0.0
    for numerator in numerators:
        lower = 1 / (1 + numerator * lower or _TINY)
        upper = 1 + numerator / upper or _TINY
        value *= upper * lower
        if abs(upper * lower - 1) < _EPSILON:
            break
    return value
