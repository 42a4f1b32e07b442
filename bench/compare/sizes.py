"""The size of a change in multiples of the smallest one that counts, by which changes of different metrics are put in order."""

from __future__ import annotations

import math

from bench.compare.verdicts import Comparison
from bench.core.metrics import METRICS, Metric


def over_threshold(one: Comparison, threshold: float | None = None) -> float | None:
    """Return the change ÷ the smallest change that counts.

    ``threshold`` replaces the metric's own smallest effect. Infinity stands for a change of a number without noise, of which any
    change counts; ``None`` for a metric that has no threshold, such as a rate of failures, and for a series without values.
    """
    metric = METRICS.get(one.metric)
    if metric is None or one.base is None or one.new is None:
        return None
    if metric.exact:
        return math.inf if one.base != one.new else 0.0
    least = metric.min_effect if threshold is None else threshold
    change = _relative(one, metric)
    if change is None:
        return abs(one.new - one.base) / metric.floor if metric.floor else None
    return change / math.log1p(least) if least else None


def _relative(one: Comparison, metric: Metric) -> float | None:
    """Return how far the logarithm moved, of a ratio to what was asked for its distance from 1; ``None`` without logarithms."""
    base, new = one.base or 0.0, one.new or 0.0
    if metric.better == "one" and base > 0 and new > 0:
        return abs(abs(math.log(new)) - abs(math.log(base)))
    return abs(math.log(one.ratio)) if one.ratio and one.ratio > 0 else None
