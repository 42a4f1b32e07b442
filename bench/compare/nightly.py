"""One night: compare tonight's run with this host's baseline, in two stages, and tell what lasts from what was seen once.

The baseline is the run tagged ``baseline=main``, else a rolling one: for each series the newest nights at least three before
tonight in which it had not regressed, so that a lasting shift never becomes its own baseline. What regressed in this first
comparison is measured again tonight, on fresh blocks of a restarted lab. Only what regresses there too is an alarm, or what
also regressed the night before, unless the fresh blocks are clean. A scenario in doubt is measured again with them: what the
doubt hid is then judged on the fresh blocks.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench import compare, store
from bench.compare import acknowledged as acknowledgements
from bench.compare import trend
from bench.compare.nights import Baseline, Choice, Name, baseline, name, name_of, nights, record, regressed
from bench.compare.past import Past, folder_of
from bench.compare.rates import FAILURES
from bench.compare.sides import find_target
from bench.compare.verdicts import Comparison, Verdict
from bench.core.metrics import METRICS, Metric
from bench.core.model import Status

SCREEN = compare.Rules(correct=False, products=False)
"""The first stage, without correction for the size of the family, since fresh blocks decide afterwards."""

CONFIRM = compare.Rules(level=0.99, correct=False, products=False)
"""The second stage, on fresh blocks."""

References = Sequence[tuple[str, str]]
"""(current, reference): targets of the same run, compared in pairs."""


class Confirmation(StrEnum):
    """Why a regression is believed."""

    FRESH_BLOCKS = "fresh blocks"
    SECOND_NIGHT = "second night"


@dataclass(frozen=True)
class Finding:
    """A series that regressed tonight.

    Attributes:
        comparison: Tonight against its baseline.
        reference: The target of the same run that it was compared with; empty for the baseline's nights.
        confirmation: Why it is believed, ``None`` while it is not.
        again: The comparison on fresh blocks, ``None`` when they were not measured.
    """

    comparison: Comparison
    reference: str = ""
    confirmation: Confirmation | None = None
    again: Comparison | None = None

    @property
    def name(self) -> Name:
        """Its name, the same from night to night."""
        return name(self.comparison, self.reference)


@dataclass(frozen=True)
class Night:
    """The result of one night.

    Attributes:
        run: Tonight's run.
        suite: The suite that was run.
        chosen: How the baseline was chosen, or why there is none.
        baseline: Ids of the baseline's runs that were used, the newest first.
        compared: Tonight against the baseline, and each current target against its reference.
        findings: What regressed in the first comparison.
        acknowledged: Names of acknowledged findings → the acknowledgement.
        fixed: Findings that were confirmed the night before and did not regress tonight.
        steps: Steps of the history for the worse that began in the last seven nights.
        failed: Invocations that failed tonight.
        fresh: Run id of the fresh blocks, empty without them.
    """

    run: store.Run
    suite: str
    chosen: Baseline
    baseline: tuple[str, ...]
    compared: Mapping[str, compare.Compared]
    findings: tuple[Finding, ...] = ()
    acknowledged: Mapping[Name, acknowledgements.Acknowledgement] = dataclasses.field(default_factory=dict)
    fixed: tuple[Name, ...] = ()
    steps: tuple[trend.ChangePoint, ...] = ()
    failed: int = 0
    fresh: str = ""

    @property
    def alarms(self) -> list[Finding]:
        """Confirmed findings that nobody has acknowledged."""
        return [one for one in self.findings if one.confirmation and one.name not in self.acknowledged]

    @property
    def new(self) -> list[Finding]:
        """Findings that are not confirmed yet."""
        return [one for one in self.findings if not one.confirmation]

    @property
    def results(self) -> list[Comparison]:
        """Every comparison of the night."""
        return [one for compared in self.compared.values() for one in compared.results]

    @property
    def exit_code(self) -> int:
        """1 for an alarm, 5 when the host was too noisy to decide, 4 when invocations failed, else 0."""
        if self.alarms:
            return 1
        undecided = any(compared.undecided for compared in self.compared.values())
        return 5 if undecided else 4 if self.failed else 0


def judge(results: Past, run: store.Run, suite: str, references: References = ()) -> Night:
    """Compare tonight's run with its baseline and with the record of the night before: the first comparison."""
    earlier = nights(results, suite, run)
    compared: dict[str, compare.Compared] = {}
    base = baseline(results, earlier, run)
    if base.runs and (found := compare.against(base.runs, compare.Side(run), SCREEN, without=base.without)):
        compared[""] = found
    elif base.runs:
        base = Baseline(Choice.NOTHING_COMPARABLE)
    compared |= _paired(run, references, SCREEN)
    findings = [
        Finding(one, reference)
        for reference, each in compared.items()
        for one in each.results
        if one.verdict is Verdict.REGRESSED
    ]
    before = record(earlier[-1]) if earlier else {}
    seen = regressed(earlier[-1]) if earlier else set()
    kept = tuple(
        dataclasses.replace(one, confirmation=Confirmation.SECOND_NIGHT) if one.name in seen else one
        for one in findings
    )
    outcomes = store.outcomes(run)
    night = Night(
        run,
        suite,
        base,
        compared[""].runs if "" in compared else (),
        compared,
        kept,
        steps=tuple(_recent(results, suite, [*(one.run_id for one in earlier), run.run_id])),
        failed=int(outcomes["status"].isin((Status.FAILED, Status.TIMEOUT)).sum()),
    )
    return _settled(night, results, before)


def confirm(night: Night, results: Past, fresh: store.Run, references: References = ()) -> Night:
    """Judge what regressed in the first comparison once more, at 99 %, on the fresh blocks alone of a second run of tonight.

    What was in doubt in the first comparison is compared on them, too.
    """
    earlier = nights(results, night.suite, night.run)
    base = baseline(results, earlier, night.run)
    sure, screen = (_by_name(base, fresh, references, rules) for rules in (CONFIRM, SCREEN))
    findings = tuple(_confirmed(one, sure.get(one.name), fresh) for one in night.findings)
    hidden = tuple(_hidden(night, screen, sure))
    before = record(earlier[-1]) if earlier else {}
    compared = {reference: _cleared(each, reference, screen) for reference, each in night.compared.items()}
    night = dataclasses.replace(night, findings=findings + hidden, compared=compared, fresh=fresh.run_id)
    return _settled(night, results, before)


def _by_name(base: Baseline, run: store.Run, references: References, rules: compare.Rules) -> dict[Name, Comparison]:
    """Compare fresh blocks as tonight's run was compared."""
    found = compare.against(base.runs, compare.Side(run), rules, without=base.without) if base.runs else None
    whole = ({"": found} if found else {}) | _paired(run, references, rules)
    return {name(one, reference): one for reference, each in whole.items() for one in each.results}


def _confirmed(one: Finding, again: Comparison | None, fresh: store.Run) -> Finding:
    scenario, metric = one.comparison.scenario, one.comparison.metric
    if again is None and metric == FAILURES and scenario in fresh.meta["scenarios"]:
        return dataclasses.replace(one, confirmation=None)  # without a failure on either side there is no comparison
    if again is None or again.verdict is Verdict.INVALID:
        return dataclasses.replace(one, again=again)
    if again.verdict is Verdict.REGRESSED:
        return dataclasses.replace(one, again=again, confirmation=Confirmation.FRESH_BLOCKS)
    clean = is_clean(again.verdict, again.ratio, METRICS.get(again.metric))
    clean = clean or (metric == FAILURES and (again.new or 0.0) <= (again.base or 0.0))
    return dataclasses.replace(one, again=again, confirmation=None if clean else one.confirmation)


def is_clean(verdict: Verdict, ratio: float | None, metric: Metric | None) -> bool:
    """Say whether fresh blocks show no regression worth reporting, so that a finding of two nights is no alarm.

    An undecided comparison whose estimate is worse by the smallest effect or more is not clean: the blocks may be too few.
    """
    if verdict is not Verdict.INCONCLUSIVE:
        return verdict is not Verdict.REGRESSED
    if ratio is None or metric is None:
        return False
    small = abs(math.log(ratio)) < math.log1p(metric.min_effect)
    return small or (metric.better != "one" and (ratio < 1) == (metric.better != "higher"))


def _hidden(night: Night, screen: Mapping[Name, Comparison], sure: Mapping[Name, Comparison]) -> Iterator[Finding]:
    """Yield what regresses on the fresh blocks and was in doubt in the first comparison.

    It is an alarm if the first comparison showed it, too, and the fresh blocks do at 99 %. Otherwise it was seen once.
    """
    for reference, each in night.compared.items():
        for one in each.results:
            fresh = screen.get(name(one, reference))
            if one.verdict is Verdict.INVALID and fresh is not None and fresh.verdict is Verdict.REGRESSED:
                again = sure.get(name(one, reference))
                seen = (
                    one.without_doubt is Verdict.REGRESSED and again is not None and again.verdict is Verdict.REGRESSED
                )
                yield Finding(fresh, reference, Confirmation.FRESH_BLOCKS if seen else None, again)


def _cleared(compared: compare.Compared, reference: str, again: Mapping[Name, Comparison]) -> compare.Compared:
    """Return a comparison with what was in doubt replaced by what fresh blocks say, where they are not in doubt."""
    results = [
        fresh
        if one.verdict is Verdict.INVALID
        and (fresh := again.get(name(one, reference)))
        and fresh.verdict is not Verdict.INVALID
        else one
        for one in compared.results
    ]
    return dataclasses.replace(compared, results=results)


def _settled(night: Night, results: Past, before: Mapping[str, Any]) -> Night:
    """Return the night with its acknowledged findings and those that no longer regress."""
    believed = [one for one in night.findings if one.confirmation]
    known = acknowledgements.load(folder_of(results))
    acknowledged = {
        one.name: entry
        for one in believed
        if (entry := acknowledgements.match(known, one.comparison, night.run.meta)) is not None
    }
    alarmed, tonight = {name_of(one) for one in before.get("confirmed", ())}, {one.name for one in night.findings}
    measured = {name(one, reference) for reference, each in night.compared.items() for one in each.results
                if one.verdict not in (Verdict.INVALID, Verdict.INCONCLUSIVE)}  # fmt: skip
    return dataclasses.replace(night, acknowledged=acknowledged, fixed=tuple(sorted((alarmed & measured) - tonight)))


def _paired(run: store.Run, references: References, rules: compare.Rules) -> dict[str, compare.Compared]:
    found = {}
    for current, reference in references:
        new, base = (compare.Side(run, find_target(run, text)) for text in (current, reference))
        found[str(base.target)] = compare.compare(base, new, rules)
    return found


def _recent(results: Past, suite: str, runs: Sequence[str]) -> Iterator[trend.ChangePoint]:
    """Yield the steps for the worse that began in the last seven nights."""
    for one in trend.change_points(trend.history(results, suite=suite)):
        if one.worse and one.at_run in runs[-7:]:
            yield one


def to_repeat(night: Night) -> list[str]:
    """Return the scenarios to measure again on fresh blocks: those with a regression, and those in doubt."""
    regressed = [one.comparison.scenario for one in night.findings]
    return list(dict.fromkeys([*regressed, *(one.scenario for one in night.results if one.verdict is Verdict.INVALID)]))
