"""One night: tonight's run against this host's baseline, in two stages, and what lasts told from what was seen once.

The baseline is the run tagged ``baseline=main``, else a rolling one: for each series the newest nights at least three before
tonight in which it had not regressed, so that a lasting shift never becomes its own baseline. What regressed at the
screen is measured once more tonight, on fresh blocks of a restarted lab; only what regresses there, too, or did so the night
before, is an alarm.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import compare, store
from bench.compare import acknowledged as ledger
from bench.compare import trend
from bench.compare.nights import Name, baseline, name, name_of, nights, record, regressed
from bench.compare.sides import find_target
from bench.compare.verdicts import Comparison, Verdict
from bench.core.model import Status

SCREEN = compare.Rules(correct=False)
"""The first stage: nothing is lost to the correction over a family, since fresh blocks decide afterwards."""

CONFIRM = compare.Rules(level=0.99, correct=False)
"""The second stage, on fresh blocks."""

References = Sequence[tuple[str, str]]
"""(current, reference): targets of the same run, compared in pairs."""


@dataclass(frozen=True)
class Finding:
    """A series that regressed tonight.

    Attributes:
        comparison: Tonight against its baseline.
        reference: The target of the same run that it was compared with; empty: the baseline's nights.
        how: Why it is believed (``fresh blocks``, ``second night``); empty: it is not yet.
        again: The same on fresh blocks, ``None`` when they were not measured.
    """

    comparison: Comparison
    reference: str = ""
    how: str = ""
    again: Comparison | None = None

    @property
    def name(self) -> Name:
        """What names it from night to night."""
        return name(self.comparison, self.reference)


@dataclass(frozen=True)
class Night:
    """What one night came to.

    Attributes:
        run: Tonight's run.
        suite: The suite that was run.
        baseline: Run ids of the baseline, the newest first; ``why`` says how they were chosen, or why there are none.
        compared: Tonight against the baseline, and each current target against its reference.
        findings: What regressed at the screen.
        acknowledged: Names of findings that somebody has acknowledged → the acknowledgement.
        fixed: What had been an alarm the night before and is none tonight.
        steps: Steps of the history that began in this run's last nights.
        failed: Invocations that failed tonight.
        fresh: Run id of the fresh blocks, empty without them.
    """

    run: store.Run
    suite: str
    baseline: tuple[str, ...]
    why: str
    compared: Mapping[str, compare.Compared]
    findings: tuple[Finding, ...] = ()
    acknowledged: Mapping[Name, ledger.Acknowledgement] = dataclasses.field(default_factory=dict)
    fixed: tuple[Name, ...] = ()
    steps: tuple[trend.ChangePoint, ...] = ()
    failed: int = 0
    fresh: str = ""

    @property
    def alarms(self) -> list[Finding]:
        """What is believed and nobody has acknowledged."""
        return [one for one in self.findings if one.how and one.name not in self.acknowledged]

    @property
    def new(self) -> list[Finding]:
        """What regressed at the screen and is not believed yet."""
        return [one for one in self.findings if not one.how]

    @property
    def results(self) -> list[Comparison]:
        """Every comparison of the night."""
        return [one for compared in self.compared.values() for one in compared.results]

    @property
    def exit_code(self) -> int:
        """1 for an alarm, 5 when the host was too noisy to decide, 4 when invocations failed, else 0."""
        if self.alarms:
            return 1
        undecided = any(compared.exit_code == 5 for compared in self.compared.values())
        return 5 if undecided else 4 if self.failed else 0


def judge(results: Path, run: store.Run, suite: str, references: References = ()) -> Night:
    """Compare tonight's run with its baseline and with what the night before said: the screen."""
    earlier = nights(results, suite, run)
    compared: dict[str, compare.Compared] = {}
    base, why, without = baseline(results, earlier, run)
    if base and (found := compare.against(base, compare.Side(run), SCREEN, without=without)):
        compared[""] = found
    elif base:
        why = "no earlier night has a series of tonight's that is not in doubt"
    compared |= _paired(run, references, SCREEN)
    findings = [
        Finding(one, reference)
        for reference, each in compared.items()
        for one in each.results
        if one.verdict is Verdict.REGRESSED
    ]
    before = record(earlier[-1]) if earlier else {}
    seen = regressed(earlier[-1]) if earlier else set()
    kept = tuple(dataclasses.replace(one, how="second night") if one.name in seen else one for one in findings)
    outcomes = store.outcomes(run)
    night = Night(
        run,
        suite,
        compared[""].runs if "" in compared else (),
        why,
        compared,
        kept,
        steps=tuple(_recent(results, [*(one.run_id for one in earlier), run.run_id])),
        failed=int(outcomes["status"].isin((Status.FAILED, Status.TIMEOUT)).sum()),
    )
    return _settled(night, results, before)


def confirm(night: Night, results: Path, fresh: store.Run, references: References = ()) -> Night:
    """Weigh what regressed at the screen once more, on the fresh blocks of a second run of tonight: at 99 %, alone."""
    earlier = nights(results, night.suite, night.run)
    base, _, without = baseline(results, earlier, night.run)
    found = compare.against(base, compare.Side(fresh), CONFIRM, without=without) if base else None
    again = {"": found} if found else {}
    again |= _paired(fresh, references, CONFIRM)
    verdicts = {name(one, reference): one for reference, each in again.items() for one in each.results}
    findings = tuple(_confirmed(one, verdicts.get(one.name)) for one in night.findings)
    before = record(earlier[-1]) if earlier else {}
    return _settled(dataclasses.replace(night, findings=findings, fresh=fresh.run_id), results, before)


def _confirmed(one: Finding, again: Comparison | None) -> Finding:
    believed = again is not None and again.verdict is Verdict.REGRESSED
    return dataclasses.replace(one, again=again, how="fresh blocks" if believed else one.how)


def _settled(night: Night, results: Path, before: Mapping[str, Any]) -> Night:
    """Say what is acknowledged and what is over."""
    believed = [one for one in night.findings if one.how]
    known = ledger.load(results)
    acknowledged = {
        one.name: entry
        for one in believed
        if (entry := ledger.match(known, one.comparison, night.run.meta)) is not None
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


def _recent(results: Path, runs: Sequence[str]) -> Iterator[trend.ChangePoint]:
    """Yield the steps for the worse that began in the last seven nights."""
    for one in trend.change_points(trend.history(results)):
        if one.worse and one.at_run in runs[-7:]:
            yield one


def doubtful(night: Night) -> list[str]:
    """Return the scenarios that fresh blocks would tell more of."""
    return list(dict.fromkeys(one.comparison.scenario for one in night.findings))
