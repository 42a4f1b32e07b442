"""The size of a change in multiples of the smallest one that counts, by which changes of different metrics are put in order."""

from __future__ import annotations

import math

from bench.compare.verdicts import Comparison
from bench.core.metrics import METRICS, Metric

_EXACT = 0.05
"""Smallest effect by which numbers without noise, which have none, are put in order: that of most metrics."""


def over_threshold(one: Comparison, threshold: float | None = None) -> float | None:
    """Return the change ÷ the smallest change that counts.

    ``threshold`` replaces the metric's own smallest effect. Any change of a number without noise counts: it is at least 1.
    ``None`` stands for a metric that has no threshold, such as a rate of failures, and for a series without values.
    """
    metric = METRICS.get(one.metric)
    if metric is None or one.base is None or one.new is None:
        return None
    if one.base == one.new:
        return 0.0
    found = _over(one, metric, threshold)
    return max(1.0, found or 0.0) if metric.exact else found


def _over(one: Comparison, metric: Metric, threshold: float | None) -> float | None:
    least = (metric.min_effect or _EXACT) if threshold is None else threshold
    change = _relative(one, metric)
    if change is None:
        return abs((one.new or 0.0) - (one.base or 0.0)) / metric.floor if metric.floor else None
    return change / math.log1p(least) if least else None


def _relative(one: Comparison, metric: Metric) -> float | None:
    """Return how far the logarithm moved, of a ratio to what was asked for its distance from 1; ``None`` without logarithms."""
    base, new = one.base or 0.0, one.new or 0.0
    if metric.better == "one" and base > 0 and new > 0:
        return abs(abs(math.log(new)) - abs(math.log(base)))
    return abs(math.log(one.ratio)) if one.ratio and one.ratio > 0 else None
