"""The files of a night: a summary for people, one for machines, JUnit, and the record that later nights read."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.compare import wording
from bench.compare.acknowledged import series_text
from bench.compare.nightly import Finding, Night
from bench.compare.nights import FILE, OFFSET, Baseline, Choice, Name
from bench.compare.sides import difference_text
from bench.compare.trend import ChangePoint
from bench.compare.verdicts import Comparison, Verdict
from bench.core.errors import StoreError
from bench.core.metrics import METRICS
from bench.core.units import format_value, significant
from bench.interchange import junit
from bench.report import files

_CHOICES = {
    Choice.TAGGED: "tagged baseline=main",
    Choice.FIRST_NIGHT: "this is the first night of this host and workload",
    Choice.OLDEST_NIGHT: f"the oldest night: none is {OFFSET} nights old yet",
    Choice.ROLLING: f"rolling: a week of nights at least {OFFSET} nights old, without what had regressed in them",
    Choice.NOTHING_COMPARABLE: "no earlier night has a series of tonight's that is not in doubt",
}
"""How a baseline was chosen, in words."""


def write(night: Night, folder: Path) -> None:
    """Write ``summary.md``, ``summary.json`` and ``junit.xml`` into a report's folder, and the night's own record.

    Raises:
        StoreError: It cannot be written.
    """
    record = json.dumps(as_json(night), indent=1, ensure_ascii=False) + "\n"
    tests = junit.night(night) if night.compared else junit.run(night.run)
    texts = {"summary.md": summary(night), "summary.json": record, "junit.xml": tests}
    files.write(folder, texts, "the night's summary")
    try:
        (night.run.path / FILE).write_text(record, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write the night's summary: {error.strerror} ({error.filename})"
        raise StoreError(msg) from error


def headline(night: Night) -> str:
    """Return the night in one sentence."""
    if not night.compared:
        return f"No verdict: {why(night.chosen)}."
    counts = f"{len(night.results)} series"
    if night.alarms:
        return f"REGRESSED: {len(night.alarms)} of {counts}."
    if night.exit_code == 5:
        doubtful = sum(one.verdict in (Verdict.INVALID, Verdict.INCONCLUSIVE) for one in night.results)
        return f"Too noisy to decide: {doubtful} of {counts}."
    if night.new:
        then = "and not on fresh blocks" if night.fresh else "for the first time"
        return f"{len(night.new)} of {counts} regressed {then}: an alarm if they do so again next night."
    known = len(night.acknowledged)
    return f"Nothing regressed in {counts}" + (f" but what is acknowledged ({known})." if known else ".")


def why(baseline: Baseline) -> str:
    """Say how the baseline was chosen, or why there is none."""
    if baseline.choice is Choice.TAGGED_ELSEWHERE:
        what = difference_text(baseline.difference) if baseline.difference else ""
        return f"the baseline {baseline.tagged} is of another host or workload ({what}); tag a newer run"
    return _CHOICES[baseline.choice]


def as_json(night: Night) -> dict[str, Any]:
    """Return the summary for a machine."""
    believed = [one for one in night.findings if one.confirmation]
    return {
        "run": night.run.run_id,
        "suite": night.suite,
        "baseline": list(night.baseline),
        "why": why(night.chosen),
        "fresh": night.fresh or None,
        "headline": headline(night),
        "exit_code": night.exit_code,
        "verdicts": {str(verdict): count for verdict, count in Counter(one.verdict for one in night.results).items()},
        "failed_invocations": night.failed,
        "confirmed": [_finding(night, one) for one in believed],
        "new": [_finding(night, one) for one in night.new],
        "fixed": [_named(name) for name in night.fixed],
        "steps": [dataclasses.asdict(one) for one in night.steps],
        "notes": _notes(night),
    }


def _finding(night: Night, one: Finding) -> dict[str, Any]:
    known = night.acknowledged.get(one.name)
    return {
        **_comparison(one.comparison),
        "reference": one.reference,
        "how": one.confirmation,
        "again": _comparison(one.again) if one.again else None,
        "acknowledged": {"reason": known.reason, "until": known.until} if known else None,
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    """Return a comparison with its reason in words; the numbers behind the words are left out."""
    names = [field.name for field in dataclasses.fields(one) if field.name not in ("numbers", "doubt", "without_doubt")]
    ci = dataclasses.asdict(one.ci) if one.ci else None
    return {name: getattr(one, name) for name in names} | {
        "ci": ci,
        "reason": wording.reason(one),
        "doubt": wording.doubt(one),
    }


def _named(name: Name) -> dict[str, Any]:
    scenario, target, params, metric, reference = name
    return {
        "scenario": scenario,
        "target": target,
        "params": json.loads(params),
        "metric": metric,
        "reference": reference,
    }


def _notes(night: Night) -> list[str]:
    """Return the notes of the comparisons, and what is damaged in the folders of tonight's run and of its baseline."""
    notes = [note for compared in night.compared.values() for note in wording.notes(compared)]
    notes += [f"{run.run_id}: {text}" for run in (night.run, *night.chosen.runs) for text in run.warnings]
    return list(dict.fromkeys(notes))


def summary(night: Night) -> str:
    """Return the summary for people, in Markdown."""
    lines = [f"# {night.suite}, {str(night.run.meta.get('started_at', ''))[:16].replace('T', ' ')}", ""]
    lines += [headline(night), "", f"Run `{night.run.run_id}`, baseline {_base(night)} ({why(night.chosen)})."]
    if night.fresh:
        lines.append(
            "Series that regressed in the first comparison or were in doubt were measured again on fresh blocks: run "
            f"`{night.fresh}`, at 99 %."
        )
    known = [one for one in night.findings if one.name in night.acknowledged]
    for title, found in (("Confirmed", night.alarms), ("Acknowledged", known), ("New tonight", night.new)):
        lines += _table(night, title, found)
    if night.fixed:
        lines += ["", "## No longer regressed", "", *(f"- {_text(name)}" for name in night.fixed)]
    if night.steps:
        lines += ["", "## Steps of the last nights", ""]
        lines += [
            f"- {one.target} {one.metric} ({one.scenario}): {_step(one)} since {one.at_run}" for one in night.steps
        ]
    if night.failed:
        lines += ["", f"{night.failed} invocations failed; the report says why."]
    if notes := _notes(night):
        lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _step(one: ChangePoint) -> str:
    if one.ratio is not None:
        return f"× {significant(one.ratio)}"
    unit = METRICS[one.metric].unit
    return f"from {format_value(one.before, unit)} to {format_value(one.after, unit)}"


def _base(night: Night) -> str:
    if not night.baseline:
        return "`none`"
    more = f" and {len(night.baseline) - 1} before it" if len(night.baseline) > 1 else ""
    return f"`{night.baseline[0]}`{more}"


def _text(name: Name) -> str:
    scenario, target, params, metric, _ = name
    words = ", ".join(f"{key}={value}" for key, value in json.loads(params).items())
    return series_text(scenario, target, metric) + (f" ({words})" if words else "")


def _table(night: Night, title: str, found: Sequence[Finding]) -> list[str]:
    if not found:
        return []
    lines = ["", f"## {title}", "", "| series | base | now | new ÷ base | smallest detectable | fresh blocks | why |"]
    return [*lines, "|---|---|---|---|---|---|---|", *(_row(night, one) for one in found)]


def _row(night: Night, finding: Finding) -> str:
    one, known = finding.comparison, night.acknowledged.get(finding.name)
    found = "–" if one.mde is None else f"±{significant(100 * one.mde, 2)} %"
    name = _text(finding.name) + (f" against {finding.reference}" if finding.reference else "")
    why = f"{known.reason} (until {known.until})" if known else finding.confirmation or "seen once"
    why = "; ".join(filter(None, (why, wording.doubt(one))))
    values = f"{format_value(one.base, one.unit)} | {format_value(one.new, one.unit)}"
    return f"| {name} | {values} | {_ratio(one)} | {found} | {_ratio(finding.again)} | {why} |"


def _ratio(one: Comparison | None) -> str:
    if one is None or one.ratio is None:
        return "–"
    ends = f" [{significant(one.ci.low, 4)}, {significant(one.ci.high, 4)}]" if one.ci else ""
    return significant(one.ratio, 4) + ends
