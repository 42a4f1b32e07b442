"""One night: tonight's run against this host's baseline, in two stages, and what lasts told from what was seen once.

The baseline is the run tagged ``baseline=main``, else a rolling one: for each series the newest nights at least three before
tonight in which it had not regressed, so that a lasting shift never becomes its own baseline. What regressed at the
screen is measured once more tonight, on fresh blocks of a restarted lab; only what regresses there, too, or did so the night
before, is an alarm.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import compare, ledger, store, trend
from bench._series import Key
from bench._sides import differences, find_target
from bench.errors import UsageError
from bench.model import Comparison, RunState, Status, Verdict

OFFSET = 3
"""Nights between tonight and its rolling baseline."""

SCREEN = compare.Rules(correct=False)
"""The first stage: nothing is lost to the correction over a family, since fresh blocks decide afterwards."""

CONFIRM = compare.Rules(level=0.99, correct=False)
"""The second stage, on fresh blocks."""

FILE = "nightly.json"
"""What a night leaves in its run's folder for the nights after it."""

TAG, AGAIN = "nightly", "confirms"
"""Tags of a night's run (the suite) and of its second run (the first one's id)."""

Name = tuple[str, str, str, str, str]
"""Scenario, target, params, metric, and the target that it was compared with in the same run, else empty."""

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
        return _name(self.comparison, self.reference)


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
    base, why, without = _baseline(results, earlier, run)
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
    seen = _regressed(earlier[-1]) if earlier else set()
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
    base, _, without = _baseline(results, earlier, night.run)
    found = compare.against(base, compare.Side(fresh), CONFIRM, without=without) if base else None
    again = {"": found} if found else {}
    again |= _paired(fresh, references, CONFIRM)
    verdicts = {_name(one, reference): one for reference, each in again.items() for one in each.results}
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
    measured = {_name(one, reference) for reference, each in night.compared.items() for one in each.results
                if one.verdict not in (Verdict.INVALID, Verdict.INCONCLUSIVE)}  # fmt: skip
    return dataclasses.replace(night, acknowledged=acknowledged, fixed=tuple(sorted((alarmed & measured) - tonight)))


def _paired(run: store.Run, references: References, rules: compare.Rules) -> dict[str, compare.Compared]:
    found = {}
    for current, reference in references:
        new, base = (compare.Side(run, find_target(run, text)) for text in (current, reference))
        found[str(base.target)] = compare.compare(base, new, rules)
    return found


def nights(results: Path, suite: str, tonight: store.Run) -> list[store.Run]:
    """Return the earlier complete nights of a suite on this host, the oldest first."""
    found = []
    for run in _runs(results):
        same = run.meta.get("tags", {}).get(TAG) == suite and run.meta.get("state") == RunState.COMPLETE
        if same and _began(run) < _began(tonight) and not differences(run, tonight):
            found.append(run)
    return found


def _runs(results: Path) -> list[store.Run]:
    found: dict[str, store.Run] = {}
    for path in results.glob("*/run.json"):
        with contextlib.suppress(UsageError):  # a folder that is no run of ours has no say
            run = store.load(path.parent)
            if run.run_id not in found or run.path.name == run.run_id:  # the others are copies of it
                found[run.run_id] = run
    return sorted(found.values(), key=_began)


def _began(run: store.Run) -> tuple[str, str]:
    return str(run.meta.get("started_at", "")), run.run_id


def _baseline(
    results: Path, earlier: Sequence[store.Run], tonight: store.Run
) -> tuple[list[store.Run], str, Mapping[str, AbstractSet[Key]]]:
    """Return the runs that may be the base, the newest first, how they were chosen, and what each does not stand for."""
    tagged = [run for run in _runs(results) if run.meta.get("tags", {}).get("baseline") == "main"]
    tagged = [run for run in tagged if run.run_id != tonight.run_id]
    if tagged:
        run = tagged[-1]
        if strange := differences(run, tonight):
            return (
                [],
                f"the baseline {run.run_id} is of another host or workload ({next(iter(strange.values()))}); tag a newer run",
                {},
            )
        return [run], "tagged baseline=main", {}
    if not earlier:
        return [], "this is the first night of this host and workload", {}
    old = list(reversed(earlier[:-OFFSET] or earlier[:1]))
    if len(earlier) <= OFFSET:
        return old, f"the oldest night: none is {OFFSET} nights old yet", {}
    without = {run.run_id: {name[:4] for name in _regressed(run)} for run in old}
    return old, f"rolling: a week of nights at least {OFFSET} nights old, without what had regressed in them", without


def _regressed(run: store.Run) -> set[Name]:
    """Return what regressed in a night, believed or not: one bad night in a week's base would hide the next one."""
    return {name_of(one) for part in ("confirmed", "new") for one in record(run).get(part, ())}


def record(run: store.Run) -> dict[str, Any]:
    """Return what a night has left; nothing of one that was cut off before its end, or is none."""
    try:
        found = json.loads((run.path / FILE).read_text(encoding="utf-8"))
        [name_of(one) for part in ("confirmed", "new") for one in found[part]]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(found)


def _name(one: Comparison, reference: str) -> Name:
    return one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric, reference


def name_of(finding: Mapping[str, Any]) -> Name:
    """Return the name of a finding that was written down."""
    params = json.dumps(finding["params"], sort_keys=True)
    names = (str(finding[key]) for key in ("scenario", "target"))
    return *names, params, str(finding["metric"]), str(finding.get("reference", ""))  # type: ignore[return-value] # five


def _recent(results: Path, runs: Sequence[str]) -> Iterator[trend.ChangePoint]:
    """Yield the steps for the worse that began in the last seven nights."""
    for one in trend.change_points(trend.history(results)):
        if one.worse and one.at_run in runs[-7:]:
            yield one


def retain(results: Path, tonight: Night, keep: int) -> list[str]:
    """Remove the oldest nights of the suite beyond ``keep``, each with its fresh blocks.

    Tagged baselines, and what is tonight's baseline, stay. Returns the ids of the nights that were removed.
    """
    earlier = nights(results, tonight.suite, tonight.run)
    spare = earlier[: max(0, len(earlier) + 1 - keep)]
    gone = [run for run in spare if run.run_id not in tonight.baseline and "baseline" not in run.meta.get("tags", {})]
    ids = {run.run_id for run in gone}
    followers = [run for run in _runs(results) if run.meta.get("tags", {}).get(AGAIN) in ids]
    for run in [*gone, *followers]:
        shutil.rmtree(run.path)
    return [run.run_id for run in gone]


def doubtful(night: Night) -> list[str]:
    """Return the scenarios that fresh blocks would tell more of."""
    return list(dict.fromkeys(one.comparison.scenario for one in night.findings))


def newest(results: Path, suite: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the id of a suite's newest night and what was confirmed in it.

    Raises:
        UsageError: There is no night that was judged.
    """
    judged = [run for run in _runs(results) if run.meta.get("tags", {}).get(TAG) == suite and record(run)]
    if not judged:
        msg = f"'{results}' has no night of the suite '{suite}'; 'tare nightly {suite}' makes one, --results DIR looks elsewhere"
        raise UsageError(msg)
    return judged[-1].run_id, list(record(judged[-1])["confirmed"])
