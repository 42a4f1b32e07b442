"""Find the series that a claim's arms name in a run, and estimate each comparison; what is missing is told with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bench.claims import estimates
from bench.claims.estimates import Estimate
from bench.claims.measured import Measured, is_emulated
from bench.claims.model import Arm, Claim, Decision, Found, Kind, Reason
from bench.compare.doubts import bound
from bench.core.metrics import METRICS
from bench.core.model import FAILED_STATUSES, ParamValue, Status
from bench.stats.exact import needed_for
from bench.stats.series import Series


@dataclass(frozen=True)
class Comparison:
    """One comparison, not yet decided.

    Attributes:
        found: What is known of it so far; its decision stands if there is no estimate.
        estimate: The estimate; ``None`` where nothing can be estimated.
        doubt: How much a failed check of the scenario can explain, as a logarithm; 0 without a doubt.
    """

    found: Found
    estimate: Estimate | None = None
    doubt: float = 0.0


@dataclass(frozen=True)
class _Side:
    """An arm as the run has it: its target and the series that match, or the reason why there is none."""

    target: str
    series: tuple[Series, ...] = ()
    missing: Found | None = None


def comparisons(claim: Claim, measured: Measured) -> list[Comparison]:
    """Return the comparisons that a claim rests on, at least one."""
    if refused := _refused(claim, measured):
        return [Comparison(refused)]
    if claim.note:
        return [_noted(claim, measured)]
    first = _side(claim, claim.of, measured)
    if first.missing:
        return [Comparison(first.missing)]
    if not claim.than:
        return [_alone(claim, one, measured) for one in first.series]
    return [found for arm in claim.than for found in _against(claim, first, arm, measured)]


def _refused(claim: Claim, measured: Measured) -> Found | None:
    """Return why nothing in this run can be about a claim."""
    target = claim.of.target
    if claim.kernel and _older(str(measured.run.meta.get("facts", {}).get("kernel", "")), claim.kernel):
        return Found(target, decision=Decision.NOT_APPLICABLE, reason=Reason.OLD_KERNEL)
    emulated = measured.emulated_guest or (claim.kvm and measured.emulates_machines)
    if emulated and not _same_when_emulated(claim):
        return Found(target, decision=Decision.NOT_APPLICABLE, reason=Reason.EMULATED)
    if claim.scenario not in measured.scenarios:
        return Found(target, decision=Decision.NOT_MEASURED, reason=Reason.NO_SCENARIO)
    return None


def _older(kernel: str, least: str) -> bool:
    """Return whether a kernel's release is before another; an unknown one is not."""
    numbers = [text.partition("-")[0].split(".")[:2] for text in (kernel, least)]
    if not all(part.isdigit() for number in numbers for part in number):
        return False
    mine, wanted = ([int(part) for part in number] for number in numbers)
    return mine < wanted


def _same_when_emulated(claim: Claim) -> bool:
    """Return whether a claim's values do not depend on what runs the guest's instructions: bytes on disk, counts, facts."""
    return bool(claim.note) or METRICS[claim.metric].exact


def _side(claim: Claim, arm: Arm, measured: Measured) -> _Side:
    targets = measured.targets(claim.scenario, arm.target)
    if not targets:
        return _Side(arm.target, missing=_absent(claim, arm, measured))
    target = targets[0]
    if is_emulated(target) and not _same_when_emulated(claim):
        return _Side(target, missing=Found(target, decision=Decision.NOT_APPLICABLE, reason=Reason.EMULATED))
    series = measured.series.get((claim.scenario, target, claim.metric), ())
    fitting = tuple(one for one in series if _fits(arm, measured.in_force.get(one.key, {})))
    return _Side(target, fitting, None if fitting else _no_series(claim, arm, target, measured))


def _absent(claim: Claim, arm: Arm, measured: Measured) -> Found:
    """Say why a run has not measured a target."""
    skipped = measured.skipped(claim.scenario, arm.target)
    if skipped is None:
        return Found(arm.target, decision=Decision.NOT_MEASURED, reason=Reason.NO_TARGET)
    detail = f"{skipped.reason} ({skipped.remedy})" if skipped.remedy else skipped.reason
    return Found(arm.target, decision=Decision.NOT_APPLICABLE, reason=Reason.UNAVAILABLE, detail=detail)


def _fits(arm: Arm, in_force: Mapping[str, ParamValue]) -> bool:
    return all(name in in_force and in_force[name] == value for name, value in arm.params.items())


def _no_series(claim: Claim, arm: Arm, target: str, measured: Measured) -> Found:
    """Say why a target that was tried has no number: skipped, failed, or not with these parameters."""
    tried = _tried(claim, arm, target, measured)
    ended = [status for status, _ in tried]
    if ended and all(status == Status.SKIPPED for status in ended):
        detail = next((reason for _, reason in tried if reason), "")
        return Found(target, decision=Decision.NOT_APPLICABLE, reason=Reason.SKIPPED, detail=detail)
    if ended and all(status in (*FAILED_STATUSES, Status.DISTURBED) for status in ended):
        detail = next((reason for _, reason in tried if reason), "")
        return Found(target, decision=Decision.NOT_MEASURED, reason=Reason.ALL_FAILED, detail=detail, n=len(ended))
    return Found(target, params=arm.params, decision=Decision.NOT_MEASURED, reason=Reason.NO_SERIES)


def _tried(claim: Claim, arm: Arm, target: str, measured: Measured) -> list[tuple[str, str]]:
    """Return status and reason of the invocations of an arm; parameters that only name series do not tell them apart."""
    outcomes = measured.outcomes
    mine = outcomes[(outcomes["scenario"] == claim.scenario) & (outcomes["target"] == target)]
    return [
        (str(status), str(reason or ""))
        for status, reason, in_force in zip(mine["status"], mine["reason"], mine["in_force"], strict=True)
        if all(in_force[name] == value for name, value in arm.params.items() if name in (in_force or {}))
    ]


def _alone(claim: Claim, one: Series, measured: Measured) -> Comparison:
    metric = METRICS[claim.metric]
    is_fact = claim.kind is Kind.FACT
    estimate = estimates.every(one) if is_fact else estimates.alone(one, exact=metric.exact)
    values = tuple(f"{value:g}" for value in dict.fromkeys(one.values.tolist())) if is_fact else ()
    found = Found(one.target, params=measured.in_force[one.key], unit=metric.unit, values=values)
    return _estimated(claim, found, estimate, measured)


def _against(claim: Claim, first: _Side, arm: Arm, measured: Measured) -> Iterator[Comparison]:
    """Yield a comparison for each pair of series that differ in nothing but what the arms name."""
    second = _side(claim, arm, measured)
    if second.missing:
        yield Comparison(replace(second.missing, of=first.target, than=second.missing.of))
        return
    mine, theirs = claim.of.params, arm.params
    named = {name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)}
    pairs = [
        (one, other) for one in first.series for other in second.series if _rest(one, named) == _rest(other, named)
    ]
    if not pairs:
        yield Comparison(
            Found(
                first.target, second.target, decision=Decision.NOT_MEASURED, reason=Reason.NO_SERIES, params=arm.params
            )
        )
    for one, other in pairs:
        yield _pair(claim, one, other, measured)


def _rest(one: Series, named: set[str]) -> Mapping[str, ParamValue]:
    return {name: value for name, value in json.loads(one.params).items() if name not in named}


def _pair(claim: Claim, one: Series, other: Series, measured: Measured) -> Comparison:
    metric = METRICS[claim.metric]
    estimate = estimates.against(one, other, claim.scale, exact=metric.exact)
    unit = metric.unit if claim.scale == "difference" else "ratio"
    params, than_params = measured.in_force[one.key], measured.in_force[other.key]
    found = Found(one.target, other.target, params, than_params, unit=unit)
    return _estimated(claim, found, estimate, measured)


def _estimated(claim: Claim, found: Found, estimate: Estimate, measured: Measured) -> Comparison:
    found = replace(
        found,
        estimate=estimate.value,
        ci=estimate.ci,
        n=estimate.n,
        exact=estimate.exact,
        needed=0 if estimate.ci else needed_for(estimates.LEVEL),
        p=None if claim.kind is Kind.FACT else estimates.p_of(estimate, claim.band),
    )
    if any(measured.timeouts.get((claim.scenario, target)) for target in (found.of, found.than)):
        return Comparison(replace(found, decision=Decision.INCONCLUSIVE, reason=Reason.TIMEOUTS, p=None))
    return Comparison(found, estimate, _doubt(claim, estimate, measured))


def _doubt(claim: Claim, estimate: Estimate, measured: Measured) -> float:
    if estimate.exact or not estimate.relative:
        return 0.0
    return max((bound(check, claim.metric) for check in measured.doubts.get(claim.scenario, ())), default=0.0)


def _noted(claim: Claim, measured: Measured) -> Comparison:
    """Return what the invocations of an arm have noted, or proved by evidence, under the claim's name."""
    targets = measured.targets(claim.scenario, claim.of.target)
    if not targets:
        return Comparison(_absent(claim, claim.of, measured))
    outcomes = measured.outcomes
    mine = outcomes[(outcomes["scenario"] == claim.scenario) & (outcomes["target"] == targets[0])]
    good = mine[mine["status"] == Status.OK]
    values = [
        str({**(evidence or {}), **(notes or {})}[claim.note])
        for notes, evidence, in_force in zip(good["notes"], good["evidence"], good["in_force"], strict=True)
        if claim.note in {**(evidence or {}), **(notes or {})} and _fits(claim.of, in_force or {})
    ]
    if not values:
        return Comparison(_no_series(claim, claim.of, targets[0], measured))
    listed = tuple(dict.fromkeys(values))
    return Comparison(Found(targets[0], params=claim.of.params, n=len(values), values=listed, exact=True))
