"""Decide claims by a run: estimate every comparison first, correct for how many there are, then decide each claim.

A comparison supports its claim when the 95 % interval lies wholly inside the band, contradicts it when the interval lies wholly
outside, and is inconclusive otherwise. All comparisons with a p value are one family; the rate of false discoveries is held at
5 % (Benjamini and Hochberg, 1995). A claim of several comparisons is contradicted when one is, and supported when all are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench import store
from bench.claims import command, estimates, loading
from bench.claims.comparing import Comparison, comparisons
from bench.claims.measured import Measured, measured
from bench.claims.model import Claim, Decision, Found, Kind, Reason, Verdict
from bench.core.model import Interval
from bench.stats.shift import false_discovery

ERROR = 0.05
"""Accepted rate of false discoveries among the comparisons that decide."""

_MORE = 2
"""Blocks of the command for a claim that is inconclusive, in multiples of those that did not decide it."""

_BY_WEIGHT = (
    Decision.CONTRADICTED,
    Decision.NOT_MEASURED,
    Decision.INCONCLUSIVE,
    Decision.SUPPORTED,
    Decision.NOT_APPLICABLE,
)
"""Decisions of comparisons, the one that decides a claim first: a target that cannot run here leaves a claim to the others."""


def judge(run: store.Run, claims: Sequence[Claim] | None = None, data: Measured | None = None) -> list[Verdict]:
    """Return the verdict of a run on every claim, in the order of the claims.

    ``claims`` are those that ship with Tare by default. A caller that has read the run's frames gives ``data``, which
    :func:`bench.claims.measured.of_samples` makes of them.

    Raises:
        UsageError: A file of the run cannot be read.
        ScenarioError: The claims file is invalid.
    """
    chosen = loading.load() if claims is None else list(claims)
    data = data or measured(run)
    compared = [comparisons(claim, data) for claim in chosen]
    family = [one for every in compared for one in every if one.found.p is not None]
    rates = iter(false_discovery([one.found.p for one in family if one.found.p is not None]))
    verdicts = []
    for claim, every in zip(chosen, compared, strict=True):
        corrected = [_corrected(one, next(rates)) if one.found.p is not None else one for one in every]
        verdicts.append(_verdict(claim, [_decided(claim, one) for one in corrected]))
    return verdicts


def family_size(verdicts: Sequence[Verdict]) -> int:
    """Return how many comparisons were tested, over which verdicts were corrected."""
    return sum(one.p is not None for verdict in verdicts for one in verdict.found)


def _corrected(one: Comparison, q: float) -> Comparison:
    return replace(one, found=replace(one.found, q=q))


def _verdict(claim: Claim, found: Sequence[Found]) -> Verdict:
    """Combine the comparisons of a claim: the heaviest decision first, and of equals the one nearest to its flip value."""
    ordered = sorted(found, key=lambda one: (_BY_WEIGHT.index(one.decision), -(one.p or 0.0)))
    decision = ordered[0].decision
    more = _MORE * ordered[0].n if decision is Decision.INCONCLUSIVE else 0
    return Verdict(claim, decision, tuple(ordered), command.of(claim, more))


def _decided(claim: Claim, one: Comparison) -> Found:
    """Return a comparison with its decision."""
    found = one.found
    if found.decision is not Decision.INCONCLUSIVE or found.reason is Reason.TIMEOUTS:
        return found
    if claim.kind is Kind.FACT:
        return _fact(claim, found)
    decision, reason = _by_interval(claim, one)
    return replace(found, decision=decision, reason=reason)


def _by_interval(claim: Claim, one: Comparison) -> tuple[Decision, Reason]:
    found = one.found
    if found.ci is None:
        unusable = found.estimate is None and found.n
        return Decision.INCONCLUSIVE, Reason.NOT_POSITIVE if unusable else Reason.TOO_FEW_BLOCKS
    decision, reason = _place(claim, found.ci)
    if decision is Decision.INCONCLUSIVE:
        return decision, reason
    if found.q is not None and found.q > ERROR:
        return Decision.INCONCLUSIVE, Reason.LOST_TO_CORRECTION
    if one.doubt and _place(claim, estimates.widened(found.ci, one.doubt))[0] is not decision:
        return Decision.INCONCLUSIVE, Reason.CHECK_FAILED
    return decision, reason


def _place(claim: Claim, ci: Interval) -> tuple[Decision, Reason]:
    """Say where an interval lies, seen from the band."""
    if claim.band.holds(ci.low, ci.high):
        return Decision.SUPPORTED, Reason.INSIDE
    if claim.band.fails(ci.low, ci.high):
        return Decision.CONTRADICTED, Reason.OUTSIDE
    return Decision.INCONCLUSIVE, Reason.ACROSS


def _fact(claim: Claim, found: Found) -> Found:
    """Decide a fact, which is about every block: one that is otherwise contradicts it."""
    if not found.values:
        return replace(found, reason=Reason.TOO_FEW_BLOCKS)
    if all(claim.relation.holds(value, claim.wanted) for value in found.values):
        return replace(found, decision=Decision.SUPPORTED, reason=Reason.INSIDE)
    return replace(found, decision=Decision.CONTRADICTED, reason=Reason.OUTSIDE)
