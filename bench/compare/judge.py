"""Judge two samples of one series: the estimate first, the decision when its whole family is known.

docs/method.md explains the six verdicts and their order. A sample is one value a block; this module knows no runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.compare.verdicts import Reason, Verdict
from bench.core.metrics import Metric
from bench.core.model import Interval
from bench.stats.exact import Floats, needed_for, signed_rank
from bench.stats.fit import t_p, t_quantile
from bench.stats.shift import detectable, needed_for_shift, rank_sum, rank_sum_p, signed_rank_p

LEVEL = 0.95
"""Level of the interval that decides, and 1 - the accepted rate of false discoveries."""

_SPREAD_FROM = 3
"""Runs that a base must have for their spread to be an estimate."""

STRONGEST = 1.2
"""Largest sensitivity with which a metric follows the host's drift: more has not been seen (docs/method.md)."""


@dataclass(frozen=True)
class Samples:
    """The two samples that are compared.

    Attributes:
        new: Block values of the new side.
        base: Block values of the base; as many as ``new``, block by block, when ``paired``.
        paired: Whether the two come from the same blocks.
        timeouts: Time-outs of the new side beyond the base's; its values are then only the quicker part.
        medians: Median of each run where the base is several runs, else empty.
    """

    new: Floats
    base: Floats
    paired: bool
    timeouts: int = 0
    medians: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def n(self) -> int:
        """Blocks that count."""
        return min(len(self.new), len(self.base))


@dataclass(frozen=True)
class Estimate:
    """How far the new sample lies from the base.

    Attributes:
        samples: What was compared.
        relative: Whether ``centre`` and ``ci`` are logarithms of a ratio; else differences in the metric's unit.
        centre: The estimate, ``None`` without values.
        ci: Its interval, widened by the host's drift, ``None`` for too few blocks.
        p: Two-sided p value, ``None`` without a test.
        raw: The change of the values themselves; the same as ``centre`` unless the metric is judged by its distance from 1 or 0.
        raw_ci: Its interval.
        level: Level that was asked for.
    """

    samples: Samples
    relative: bool
    centre: float | None = None
    ci: Interval | None = None
    p: float | None = None
    level: float = LEVEL
    raw: float | None = None
    raw_ci: Interval | None = None


@dataclass(frozen=True)
class Decision:
    """A verdict with its reason and the numbers of the reason; ``mde`` as in ``Comparison``."""

    verdict: Verdict
    reason: Reason
    numbers: Mapping[str, float] = field(default_factory=dict)
    mde: float | None = None


def estimate(samples: Samples, metric: Metric, drift: Interval | None = None, level: float = LEVEL) -> Estimate:
    """Estimate the change; ``drift`` is the interval of the sentinel's log ratio between the two sides.

    Values that are not all positive are compared as differences, which no sentinel corrects. A metric that should be 1 or 0 is
    judged by how much farther from that it is (:func:`distances`).
    """
    if not samples.n:
        return Estimate(samples, relative=True, level=level)
    relative = bool(np.all(samples.new > 0) and np.all(samples.base > 0))
    if metric.exact:
        centre = _exact_centre(samples, relative=relative)
        return Estimate(samples, relative, centre, level=level, raw=centre)
    values = [np.log(one) if relative else one for one in (samples.new, samples.base, samples.medians)]
    drift = drift if relative else None
    raw, raw_ci, p = _shifted(values, drift, level, paired=samples.paired)
    if metric.better not in ("one", "zero"):
        return Estimate(samples, relative, raw, raw_ci, p if raw_ci else None, level, raw, raw_ci)
    away = [distances(one, metric, relative=relative) for one in values]
    centre, ci, p = _shifted(away, drift, level, paired=samples.paired)
    return Estimate(samples, relative, centre, ci, p if ci else None, level, raw, raw_ci)


def distances(values: Floats, metric: Metric, *, relative: bool) -> Floats:
    """Return how far values are from what a metric should be, as they are for one that is better when lower or higher.

    ``relative`` values are logarithms: those of a metric that should be 0 are all positive, and so their own distance.
    """
    if metric.better == "one":
        return np.abs(values if relative else values - 1)
    return np.abs(values) if metric.better == "zero" and not relative else values


def _shifted(
    values: Sequence[Floats], drift: Interval | None, level: float, *, paired: bool
) -> tuple[float, Interval | None, float]:
    """Return shift, interval and p of new values against base values; the third array has the medians of the base's runs."""
    new, base, medians = values
    if paired:
        (centre, ci), p = signed_rank(new - base, level), signed_rank_p(new - base)
    else:
        (centre, ci), p = rank_sum(new, base, level), rank_sum_p(new, base)
        ci, p = _with_spread(centre, ci, p, medians)
    return centre, _widened(ci, drift), p


def _with_spread(centre: float, ci: Interval | None, p: float, medians: Floats) -> tuple[Interval | None, float]:
    """Widen an interval by the spread between the runs of the base, which blocks alone do not show.

    Uses the prediction interval for one more run, given the runs' medians (Student's t; Hahn and Meeker, Statistical Intervals,
    4.4). Returns the wider of the two ends on each side, and the larger p value.
    """
    k = len(medians)
    if ci is None or k < _SPREAD_FROM:
        return ci, p
    error = float(np.std(medians, ddof=1)) * math.sqrt(1 + 1 / k)
    half = t_quantile((1 + ci.level) / 2, k - 1) * error
    wide = Interval(min(ci.low, centre - half), max(ci.high, centre + half), ci.level)
    return wide, max(p, t_p(abs(centre) / error, k - 1)) if error else p


def _exact_centre(samples: Samples, *, relative: bool) -> float:
    new, base = float(np.median(samples.new)), float(np.median(samples.base))
    return math.log(new / base) if relative else new - base


def _widened(ci: Interval | None, drift: Interval | None) -> Interval | None:
    """Widen an interval by whatever the host's drift may have done to the metric."""
    if ci is None or drift is None:
        return ci
    up, down = STRONGEST * max(drift.high, 0.0), STRONGEST * min(drift.low, 0.0)
    return Interval(ci.low - up, ci.high - down, ci.level)


def decide(found: Estimate, metric: Metric, threshold: float, q: float | None) -> Decision:
    """Give the verdict.

    ``threshold`` is the smallest relative change that counts, ``q`` as in ``Comparison``; ``None``: uncorrected.
    """
    samples = found.samples
    if found.centre is None:
        empty = not len(samples.new) | len(samples.base)
        return Decision(Verdict.INCONCLUSIVE, Reason.NO_VALUES if empty else Reason.ONE_SIDE_EMPTY)
    if metric.exact:
        return _decide_exact(found, metric)
    if found.ci is None and samples.paired:
        return Decision(Verdict.INCONCLUSIVE, Reason.TOO_FEW_PAIRS, {"needed": needed_for(found.level)})
    if found.ci is None:
        return Decision(Verdict.INCONCLUSIVE, Reason.TOO_FEW_BLOCKS, {"needed": needed_for_shift(found.level)})
    return _weigh(found, metric, threshold, q, _mde(found, threshold))


def _decide_exact(found: Estimate, metric: Metric) -> Decision:
    samples = found.samples
    numbers = {"varied": int(np.ptp(samples.new) > 0 or np.ptp(samples.base) > 0)}
    if not found.centre:
        return Decision(Verdict.UNCHANGED, Reason.EXACTLY_SAME, numbers, 0.0)
    return Decision(_direction(found.centre, metric), Reason.EXACT_CHANGE, numbers, 0.0)


def is_worse(found: Estimate, metric: Metric) -> bool:
    """Say whether the estimate is on the worse side."""
    return bool(found.centre) and _direction(found.centre or 0.0, metric) is Verdict.REGRESSED


def _direction(centre: float, metric: Metric) -> Verdict:
    worse = (centre > 0) == (metric.better != "higher")  # a distance is better when lower
    return Verdict.REGRESSED if worse else Verdict.IMPROVED


def _mde(found: Estimate, threshold: float) -> float | None:
    """Return the smallest relative change that would have been found, which is at least the threshold."""
    return max(threshold, math.expm1(detectable(found.ci))) if found.relative and found.ci else None


def _weigh(found: Estimate, metric: Metric, threshold: float, q: float | None, mde: float | None) -> Decision:
    ci, samples = found.ci, found.samples
    assert ci is not None and found.centre is not None  # noqa: S101, PT018 - for the type checker: decide() saw to it
    base = float(np.median(samples.base))
    delta = abs(base * math.expm1(found.centre)) if found.relative else abs(found.centre)
    ends = [abs(base * math.expm1(end)) if found.relative else abs(end) for end in (ci.low, ci.high)]
    large = delta >= metric.floor and (not found.relative or abs(math.expm1(found.centre)) >= threshold)
    apart = ci.low > 0 or ci.high < 0
    if _equivalent(found, threshold):
        return Decision(Verdict.UNCHANGED, Reason.WITHIN_THRESHOLD, {"threshold": threshold}, mde)
    if max(ends) < metric.floor:
        return Decision(Verdict.UNCHANGED, Reason.WITHIN_FLOOR, {"floor": metric.floor}, mde)
    if apart and large:
        return _change(found, metric, q, mde)
    if apart and delta >= metric.floor:
        return Decision(Verdict.SMALL, Reason.BELOW_THRESHOLD, {"threshold": threshold}, mde)
    if apart:
        return Decision(Verdict.SMALL, Reason.BELOW_FLOOR, {"floor": metric.floor}, mde)
    return Decision(Verdict.INCONCLUSIVE, Reason.IMPRECISE, _imprecise(found, threshold), mde)


def _equivalent(found: Estimate, threshold: float) -> bool:
    ci = found.ci
    return bool(found.relative and ci and math.log1p(-threshold) < ci.low and ci.high < math.log1p(threshold))


def _change(found: Estimate, metric: Metric, q: float | None, mde: float | None) -> Decision:
    verdict = _direction(found.centre or 0.0, metric)
    if q is not None and q > 1 - LEVEL:
        return Decision(Verdict.INCONCLUSIVE, Reason.LOST_TO_CORRECTION, mde=mde)
    if verdict is Verdict.IMPROVED and found.samples.timeouts:
        return Decision(Verdict.INCONCLUSIVE, Reason.MORE_TIMEOUTS, {"timeouts": found.samples.timeouts}, mde)
    return Decision(verdict, Reason.CLEAR_CHANGE, mde=mde)


def _imprecise(found: Estimate, threshold: float) -> dict[str, float]:
    """Return the interval's half width and how many blocks would decide, where they can be told."""
    ci, n = found.ci, found.samples.n
    if ci is None or not found.relative:
        return {}
    half = (ci.high - ci.low) / 2
    blocks = math.ceil(n * (half / math.log1p(threshold)) ** 2)
    return {"half_width": half} | ({"blocks": blocks} if blocks > n else {})
