"""Decision rules for a regression: Tare's two and those of common tools. All take logarithms of values, base first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import stats

from bench.compare import judge
from bench.compare.verdicts import Verdict
from bench.core.metrics import Metric, metric_named
from bench.core.model import Interval
from bench.stats.exact import Floats
from bench.stats.shift import shift_ci

METRIC = metric_named("startup.ready_s")
THRESHOLD = 0.03
"""The smallest relevant change, for every rule that has such a threshold."""

Rule = Callable[[Floats, Floats], bool]


def judged(
    base: Floats, new: Floats, *, paired: bool, drift: Interval | None = None, metric: Metric = METRIC
) -> tuple[Interval, judge.Decision]:
    """Return the interval of the log ratio and the verdict of ``compare`` for a family of one series."""
    found = judge.estimate(judge.Samples(np.exp(new), np.exp(base), paired=paired), metric, drift)
    assert found.ci is not None, "too few blocks for an interval"
    return found.ci, judge.decide(found, metric, THRESHOLD, found.p)


def tare(base: Floats, new: Floats) -> bool:
    """Return whether ``compare`` reports a regression between two targets of one run (paired)."""
    return judged(base, new, paired=True)[1].verdict is Verdict.REGRESSED


def unpaired(base: Floats, new: Floats, sentinels: tuple[Floats, Floats], metric: Metric = METRIC) -> bool:
    """Return whether ``compare`` reports a regression between two runs; ``sentinels`` are log values in base and new."""
    drift = shift_ci(sentinels[1], sentinels[0])
    assert drift is not None
    if abs(drift.low + drift.high) / 2 > np.log(1.1):
        return False  # the comparison is invalid
    return judged(base, new, paired=False, drift=drift, metric=metric)[1].verdict is Verdict.REGRESSED


def welch(base: Floats, new: Floats) -> bool:
    """Apply Welch's t test at 5 %, two-sided."""
    found = stats.ttest_ind(np.exp(new), np.exp(base), equal_var=False)
    return bool(found.pvalue < 0.05 and found.statistic > 0)


def mann_whitney(base: Floats, new: Floats) -> bool:
    """Apply the Mann-Whitney test at 5 %, two-sided."""
    found = stats.mannwhitneyu(new, base, alternative="two-sided")
    return bool(found.pvalue < 0.05 and np.median(new) > np.median(base))


def mean_5(base: Floats, new: Floats) -> bool:
    """Apply pytest-benchmark's ``--benchmark-compare-fail=mean:5%``."""
    return bool(np.mean(np.exp(new)) > 1.05 * np.mean(np.exp(base)))


def median_10(base: Floats, new: Floats) -> bool:
    """Apply pytest-benchmark's ``--benchmark-compare-fail=median:10%``."""
    return bool(np.median(np.exp(new)) > 1.10 * np.median(np.exp(base)))


SEQUENTIAL: Mapping[str, Rule] = {
    "Welch": welch,
    "Mann-Whitney": mann_whitney,
    "compare-fail mean:5%": mean_5,
    "median:10%": median_10,
}
"""Rules that are given all values of the base, measured first, and then all of the new side."""


def at_most(hits: int, trials: int, share: float) -> bool:
    """Return whether ``hits`` is compatible with a rate of at most ``share`` (exact binomial test, one-sided, 1 %)."""
    return bool(stats.binom.sf(hits - 1, trials, share) >= 0.01)
