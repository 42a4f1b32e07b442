"""Sentences on verdicts: what was found, why nothing was decided, and how many comparisons were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.claims.judging import ERROR, family_size
from bench.claims.model import Claim, Decision, Found, Kind, Reason, Relation, Scale, Verdict
from bench.core.metrics import METRICS
from bench.core.units import format_value, format_with_interval, significant

_MUST = {Relation.EQUALS: "must be {}", Relation.DIFFERS: "must not be {}", Relation.HAS: "must have '{}'"}


def number(verdict: Verdict) -> str:
    """Return the number that decided, with its interval: ``5.08 [4.55, 5.92]``; the value of a fact; empty without one."""
    found = verdict.leading
    if found.values:
        return ", ".join(found.values)
    if found.estimate is None:
        return ""
    if found.ci is None or found.ci.low == found.ci.high:
        return format_value(found.estimate, found.unit)
    return format_with_interval(found.estimate, found.ci.low, found.ci.high, found.unit)


def compared(verdict: Verdict) -> str:
    """Return what the number is of: ``docker ÷ runc``, or the target alone."""
    found = verdict.leading
    if not found.than:
        return found.of
    sign = "÷" if verdict.claim.scale is Scale.RATIO else "less"
    first, second = (_named(target, params, verdict) for target, params in _sides(found))
    return f"{first} {sign} {second}"


def flips(claim: Claim) -> str:
    """Say where the verdict flips."""
    if claim.kind is Kind.FACT:
        return _MUST[claim.relation].format(claim.wanted)
    unit = METRICS[claim.metric].unit if not claim.than or claim.scale is Scale.DIFFERENCE else "ratio"
    return f"flips at {' and '.join(format_value(end, unit) for end in claim.band.ends)}"


def evidence(verdict: Verdict) -> str:
    """Return what was found on one line, with the number of blocks and the flip value; empty where nothing was found."""
    said = number(verdict)
    if not said:
        return ""
    found = verdict.leading
    every = f" in all {found.n} invocations" if verdict.claim.note and len(found.values) == 1 else f", n = {found.n}"
    what = f"{verdict.claim.note} of {compared(verdict)}" if verdict.claim.note else compared(verdict)
    return f"{what}: {said}{every}; {flips(verdict.claim)}"


def why(verdict: Verdict) -> str:
    """Say why a claim is not decided, in a clause; empty for one that is."""
    if verdict.decided:
        return ""
    found = verdict.leading
    detail = found.detail.rstrip(".")
    missing = found.than or found.of
    return {
        Reason.ACROSS: "the interval contains a value at which the verdict flips",
        Reason.TOO_FEW_BLOCKS: f"{found.n} blocks, an interval needs {found.needed}",
        Reason.NOT_POSITIVE: "a value is zero or negative, so there is no ratio",
        Reason.LOST_TO_CORRECTION: (
            "not significant among all comparisons of the run: a rate of false discoveries of "
            f"{significant(found.q or 0, 2)}, at most {ERROR:g} is accepted"
        ),
        Reason.CHECK_FAILED: "a failed check of the scenario can explain as much",
        Reason.TIMEOUTS: "invocations timed out, and what remains is the quicker part",
        Reason.NO_SCENARIO: f"the run has no scenario '{verdict.claim.scenario}'",
        Reason.NO_TARGET: f"the run has not measured {missing}",
        Reason.NO_SERIES: f"the run has not measured {missing} with these parameters",
        Reason.ALL_FAILED: f"every invocation of {missing} failed: {detail}",
        Reason.UNAVAILABLE: f"{missing} cannot run on this host: {detail}",
        Reason.SKIPPED: f"{missing} was skipped: {detail}",
        Reason.EMULATED: f"{missing} is emulated (TCG) on this host; a claim about machines needs KVM",
        Reason.OLD_KERNEL: f"it is about Linux {verdict.claim.kernel} and later",
    }.get(found.reason, "")


def left_out(verdict: Verdict) -> str:
    """Name the targets that a decided claim leaves out because they cannot run here; empty for none."""
    if not verdict.decided:
        return ""
    names = [one.than for one in verdict.found if one.decision is Decision.NOT_APPLICABLE and one.than]
    return f"left out, not on this host: {', '.join(names)}" if names else ""


def origin(claim: Claim) -> str:
    """Say where a claim comes from: section and line of a text, or title, date and tier of a measurement."""
    source = claim.source
    if claim.line:
        return f"{source.name}, {claim.section}, line {claim.line}"
    tier = f", tier {claim.tier}" if claim.tier else ""
    return f"{source.title}, {source.date}{tier}"


def counts(verdicts: Sequence[Verdict]) -> str:
    """Count the decisions: ``92 claims: 33 supported, 2 contradicted, …``."""
    found = Counter(one.decision for one in verdicts)
    told = ", ".join(f"{found[decision]} {decision}" for decision in Decision if found[decision])
    return f"{len(verdicts)} claim{'s' * (len(verdicts) != 1)}: {told}"


def multiplicity(verdicts: Sequence[Verdict]) -> str:
    """Say how many comparisons were tested, and what the verdicts are corrected for."""
    tested = family_size(verdicts)
    if not tested:
        return "No comparison has an interval; what is decided rests on exact numbers."
    return (
        f"{tested} comparison{'s' * (tested != 1)} with a 95 % interval, corrected together: at most {100 * ERROR:g} % of what "
        "they decide is expected to be wrong (Benjamini and Hochberg). Exact numbers and facts are not tested."
    )


def _sides(found: Found) -> list[tuple[str, dict[str, object]]]:
    """Return both targets, each with the parameters in which it differs from the other."""
    mine, theirs = dict(found.params), dict(found.than_params)
    differing = [name for name in mine if name in theirs and mine[name] != theirs[name]]
    return [
        (found.of, {name: mine[name] for name in differing}),
        (found.than, {name: theirs[name] for name in differing}),
    ]


def _named(target: str, params: dict[str, object], verdict: Verdict) -> str:
    """Name one side by its parameters if both sides are one target."""
    words = ", ".join(f"{name}={value}" for name, value in params.items())
    if verdict.leading.of == verdict.leading.than and words:
        return words
    return f"{target} ({words})" if words else target
