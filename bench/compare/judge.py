"""From two samples of one series to a verdict: the estimate first, the decision when its whole family is known.

The six verdicts and their order are explained in docs/method.md. A sample is one value a block; nothing here knows runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from bench.core.metrics import Metric
from bench.core.model import Interval, Verdict
from bench.core.units import format_value, significant
from bench.stats.exact import Floats, hodges_lehmann, needed_for, signed_rank_ci
from bench.stats.fit import t_p, t_quantile
from bench.stats.shift import detectable, needed_for_shift, rank_sum_p, shift, shift_ci, signed_rank_p

LEVEL = 0.95
"""Level of the interval that decides, and 1 - the rate of false discoveries that is accepted."""

_SPREAD_FROM = 3
"""Runs of a base from which on their spread is an estimate and no accident."""

_STRONGEST = 1.2
"""A metric follows the host's drift with a sensitivity of 0 to this: more has not been seen (docs/method.md)."""


@dataclass(frozen=True)
class Samples:
    """What is compared.

    Attributes:
        new: Block values of the new side.
        base: Block values of the base; as many as ``new``, block by block, when ``paired``.
        paired: Whether the two come from the same blocks.
        late: Time-outs of the new side beyond the base's: its values are then the quicker part only.
        medians: Median of each run where the base is several; empty: it is one.
    """

    new: Floats
    base: Floats
    paired: bool
    late: int = 0
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
        level: Level that was asked for.
    """

    samples: Samples
    relative: bool
    centre: float | None = None
    ci: Interval | None = None
    p: float | None = None
    level: float = LEVEL


@dataclass(frozen=True)
class Decision:
    """A verdict with its reason, and what is printed beside it."""

    verdict: Verdict
    reason: str
    mde: float | None = None


def estimate(samples: Samples, metric: Metric, drift: Interval | None = None, level: float = LEVEL) -> Estimate:
    """Estimate the change; ``drift`` is the interval of the sentinel's log ratio between the two sides.

    Values that are not all positive are compared as differences, which no sentinel corrects.
    """
    if not samples.n:
        return Estimate(samples, relative=True, level=level)
    relative = bool(np.all(samples.new > 0) and np.all(samples.base > 0))
    if metric.exact:
        return Estimate(samples, relative, _exact_centre(samples, relative=relative), level=level)
    new, base = (np.log(samples.new), np.log(samples.base)) if relative else (samples.new, samples.base)
    if samples.paired:
        centre, ci, p = hodges_lehmann(new - base), signed_rank_ci(new - base, level), signed_rank_p(new - base)
    else:
        centre, ci, p = shift(new, base), shift_ci(new, base, level), rank_sum_p(new, base)
        ci, p = _with_spread(centre, ci, p, np.log(samples.medians) if relative else samples.medians)
    ci = _widened(ci, drift) if relative else ci
    return Estimate(samples, relative, centre, ci, p if ci else None, level)


def _with_spread(centre: float, ci: Interval | None, p: float, medians: Floats) -> tuple[Interval | None, float]:
    """Take in how far runs of the base lie apart: one more run of the same is as far from them as they are from each other.

    The prediction interval of one more normal value (Student's t; Hahn and Meeker, Statistical Intervals, 4.4) of the runs'
    medians; blocks alone know nothing of what differs between runs. The wider of the two ends counts, and the larger p value.
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
    """Take in whatever a host that drifted so far may have done to the metric."""
    if ci is None or drift is None:
        return ci
    up, down = _STRONGEST * max(drift.high, 0.0), _STRONGEST * min(drift.low, 0.0)
    return Interval(ci.low - up, ci.high - down, ci.level)


def decide(found: Estimate, metric: Metric, threshold: float, q: float | None) -> Decision:
    """Give the verdict.

    ``threshold`` is the smallest relative change that counts, ``q`` as in ``Comparison``; ``None``: uncorrected.
    """
    samples = found.samples
    if found.centre is None:
        side = "neither side" if not len(samples.new) | len(samples.base) else "one side"
        return Decision(
            Verdict.INCONCLUSIVE, f"{side} has a value" if side == "neither side" else "one side has no value"
        )
    if metric.exact:
        return _decide_exact(found, metric)
    if found.ci is None:
        needed = needed_for(found.level) if samples.paired else needed_for_shift(found.level)
        where = "in both" if samples.paired else "on each side"
        return Decision(
            Verdict.INCONCLUSIVE, f"{samples.n} blocks are too few for an interval: {needed} {where} are needed"
        )
    mde = _mde(found, threshold)
    return _weigh(found, metric, threshold, q, mde)


def _decide_exact(found: Estimate, metric: Metric) -> Decision:
    samples = found.samples
    varied = np.ptp(samples.new) > 0 or np.ptp(samples.base) > 0
    note = "; it varies within a side, which a number without noise should not" if varied else ""
    if not found.centre:
        return Decision(Verdict.UNCHANGED, f"exactly the same{note}", 0.0)
    return Decision(_direction(found.centre, metric), f"a number without noise: any change counts{note}", 0.0)


def is_worse(found: Estimate, metric: Metric) -> bool:
    """Say whether the estimate is on the worse side."""
    return bool(found.centre) and _direction(found.centre or 0.0, metric) is Verdict.REGRESSED


def _direction(centre: float, metric: Metric) -> Verdict:
    worse = (centre > 0) == (metric.better == "lower")
    return Verdict.REGRESSED if worse else Verdict.IMPROVED


def _mde(found: Estimate, threshold: float) -> float | None:
    """Return the relative change that would have been found; a smaller one than the threshold never is."""
    return max(threshold, math.expm1(detectable(found.ci))) if found.relative and found.ci else None


def _weigh(found: Estimate, metric: Metric, threshold: float, q: float | None, mde: float | None) -> Decision:
    ci, samples = found.ci, found.samples
    assert ci is not None and found.centre is not None  # noqa: S101, PT018 - for the type checker: decide() saw to it
    base = float(np.median(samples.base))
    delta = abs(base * math.expm1(found.centre)) if found.relative else abs(found.centre)
    ends = [abs(base * math.expm1(end)) if found.relative else abs(end) for end in (ci.low, ci.high)]
    large = delta >= metric.floor and (not found.relative or abs(math.expm1(found.centre)) >= threshold)
    apart = ci.low > 0 or ci.high < 0
    if _equivalent(found, threshold) or max(ends) < metric.floor:
        return Decision(Verdict.UNCHANGED, _unchanged(found, metric, threshold), mde)
    if apart and large:
        return _change(found, metric, q, mde)
    if apart:
        least = (
            f"{significant(100 * threshold, 2)} %" if delta >= metric.floor else format_value(metric.floor, metric.unit)
        )
        return Decision(Verdict.SMALL, f"a change, but smaller than {least}", mde)
    return Decision(Verdict.INCONCLUSIVE, _imprecise(found, threshold), mde)


def _equivalent(found: Estimate, threshold: float) -> bool:
    ci = found.ci
    return bool(found.relative and ci and math.log1p(-threshold) < ci.low and ci.high < math.log1p(threshold))


def _unchanged(found: Estimate, metric: Metric, threshold: float) -> str:
    if _equivalent(found, threshold):
        return f"the whole interval is within ±{significant(100 * threshold, 2)} %"
    return f"the whole interval is within ±{format_value(metric.floor, metric.unit)}, the least that counts"


def _change(found: Estimate, metric: Metric, q: float | None, mde: float | None) -> Decision:
    verdict = _direction(found.centre or 0.0, metric)
    if q is not None and q > 1 - LEVEL:
        reason = (
            f"not after the correction over its family (q = {significant(q, 2)}): more blocks are needed to believe it"
        )
        return Decision(Verdict.INCONCLUSIVE, reason, mde)
    if verdict is Verdict.IMPROVED and found.samples.late:
        reason = f"the new side has {found.samples.late} more time-outs: what is left of it are its quicker blocks"
        return Decision(Verdict.INCONCLUSIVE, reason, mde)
    return Decision(verdict, "the interval leaves no change out, and the change is large enough to count", mde)


def _imprecise(found: Estimate, threshold: float) -> str:
    ci, n = found.ci, found.samples.n
    if ci is None or not found.relative:
        return "the interval holds both no change and one that counts"
    half = (ci.high - ci.low) / 2
    more = math.ceil(n * (half / math.log1p(threshold)) ** 2)
    advice = f"; about {more} blocks would tell" if more > n else ""
    return f"the interval (±{significant(100 * half, 2)} %) holds both no change and one that counts{advice}"
