"""One night: tonight's run against this host's baseline, what lasts told from what was seen once, and a summary of it.

The baseline is the run tagged ``baseline=main``, else a rolling one: the newest night at least three before tonight in which
nothing had regressed, so that a lasting shift never becomes its own baseline. A series that regressed tonight is *new*; one that
had regressed the night before, too, is *confirmed*, and only that is an alarm.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import compare, store, trend
from bench._sides import differences
from bench.errors import StoreError, UsageError
from bench.model import Comparison, RunState, Status, Verdict
from bench.units import format_value, significant

OFFSET = 3
"""Nights between tonight and its rolling baseline."""

FILE = "nightly.json"
"""What a night leaves in its run's folder for the nights after it."""

Name = tuple[str, str, str, str]


@dataclass(frozen=True)
class Night:
    """What one night came to.

    Attributes:
        run: Tonight's run.
        suite: The suite that was run.
        baseline: Run id of the baseline, ``None`` without one; ``why`` says how it was chosen, or why there is none.
        compared: Tonight against the baseline.
        confirmed: What regressed tonight and the night before.
        new: What regressed tonight for the first time.
        steps: Steps of the history that began in this run's last nights.
        failed: Invocations that failed tonight.
    """

    run: store.Run
    suite: str
    baseline: str | None
    why: str
    compared: compare.Compared | None
    confirmed: tuple[Comparison, ...]
    new: tuple[Comparison, ...]
    steps: tuple[trend.ChangePoint, ...]
    failed: int

    @property
    def exit_code(self) -> int:
        """1 for a confirmed regression, 5 when the host was too noisy to decide, 4 when invocations failed, else 0."""
        if self.confirmed:
            return 1
        undecided = self.compared is not None and self.compared.exit_code == 5
        return 5 if undecided else 4 if self.failed else 0

    @property
    def headline(self) -> str:
        """The night in one sentence."""
        if self.compared is None:
            return f"No verdict: {self.why}."
        counts = f"{len(self.compared.results)} series against {self.baseline}"
        if self.confirmed:
            return f"REGRESSED: {len(self.confirmed)} of {counts} for the second night."
        if self.exit_code == 5:
            return f"Too noisy to decide: {counts}."
        if self.new:
            return f"{len(self.new)} of {counts} regressed for the first time: an alarm if they do so again next night."
        return f"Nothing regressed in {counts}."


def judge(results: Path, run: store.Run, suite: str) -> Night:
    """Compare tonight's run with its baseline and with what the night before said."""
    earlier = nights(results, suite, run)
    base, why = _baseline(results, earlier, run)
    compared = compare.compare(compare.Side(base), compare.Side(run)) if base else None
    worse = [one for one in compared.results if one.verdict is Verdict.REGRESSED] if compared else []
    before = _regressed(earlier[-1]) if earlier else set()
    outcomes = store.outcomes(run)
    failed = int(outcomes["status"].isin((Status.FAILED, Status.TIMEOUT)).sum())
    return Night(
        run,
        suite,
        base.run_id if base else None,
        why,
        compared,
        tuple(one for one in worse if _name(one) in before),
        tuple(one for one in worse if _name(one) not in before),
        tuple(_recent(results, [*(one.run_id for one in earlier), run.run_id])),
        failed,
    )


def nights(results: Path, suite: str, tonight: store.Run) -> list[store.Run]:
    """Return the earlier complete nights of a suite on this host, the oldest first."""
    found = []
    for path in results.glob("*/run.json"):
        try:
            run = store.load(path.parent)
        except UsageError:
            continue  # a folder that is no run of ours has no say
        same = run.meta.get("tags", {}).get("nightly") == suite and run.meta.get("state") == RunState.COMPLETE
        if same and run.run_id != tonight.run_id and not differences(run, tonight):
            found.append(run)
    return sorted(found, key=lambda run: str(run.meta.get("started_at", "")))


def _baseline(results: Path, earlier: Sequence[store.Run], tonight: store.Run) -> tuple[store.Run | None, str]:
    tagged = [run for run in _tagged(results) if run.run_id != tonight.run_id]
    if tagged:
        run = tagged[-1]
        if strange := differences(run, tonight):
            return None, f"the baseline {run.run_id} is of another host or workload ({strange[0]}); tag a newer run"
        return run, "tagged baseline=main"
    old = earlier[:-OFFSET] if len(earlier) > OFFSET else earlier[:1]
    clean = [run for run in old if not _regressed(run)]
    if clean:
        return clean[-1], "rolling: the newest clean night that is old enough"
    if old:
        return None, "every night that is old enough has regressed: accept one with 'tare tag RUN baseline=main'"
    return None, "this is the first night of this host and workload"


def _tagged(results: Path) -> list[store.Run]:
    found = []
    for path in results.glob("*/run.json"):
        try:
            run = store.load(path.parent)
        except UsageError:
            continue
        if run.meta.get("tags", {}).get("baseline") == "main":
            found.append(run)
    return sorted(found, key=lambda run: str(run.meta.get("started_at", "")))


def _regressed(run: store.Run) -> set[Name]:
    try:
        record = json.loads((run.path / FILE).read_text(encoding="utf-8"))
        return {_name_of(one) for one in [*record["confirmed"], *record["new"]]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()  # no night, or one that was cut off before its end


def _name(one: Comparison) -> Name:
    return one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric


def _name_of(record: Mapping[str, Any]) -> Name:
    params = json.dumps(record["params"], sort_keys=True)
    return str(record["scenario"]), str(record["target"]), params, str(record["metric"])


def _recent(results: Path, runs: Sequence[str]) -> Iterator[trend.ChangePoint]:
    """Yield the steps for the worse that began in the last seven nights."""
    for one in trend.change_points(trend.history(results)):
        if one.worse and one.at_run in runs[-7:]:
            yield one


def write(night: Night, folder: Path) -> None:
    """Write ``summary.md``, ``summary.json`` and ``junit.xml`` into a report's folder, and the night's own record.

    Raises:
        StoreError: It cannot be written.
    """
    from bench.interchange import junit  # noqa: PLC0415 - only a night needs it

    record = json.dumps(as_json(night), indent=1, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "summary.md").write_text(summary(night), encoding="utf-8")
        (folder / "summary.json").write_text(record, encoding="utf-8")
        text = junit.comparison(night.compared) if night.compared else junit.run(night.run)
        (folder / "junit.xml").write_text(text, encoding="utf-8")
        (night.run.path / FILE).write_text(record, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write the night's summary: {error.strerror} ({error.filename})"
        raise StoreError(msg) from error


def as_json(night: Night) -> dict[str, Any]:
    """Return the summary for a machine."""
    verdicts: dict[str, int] = {}
    for one in night.compared.results if night.compared else ():
        verdicts[one.verdict] = verdicts.get(one.verdict, 0) + 1
    return {
        "run": night.run.run_id,
        "suite": night.suite,
        "baseline": night.baseline,
        "why": night.why,
        "headline": night.headline,
        "exit_code": night.exit_code,
        "verdicts": verdicts,
        "failed_invocations": night.failed,
        "confirmed": [dataclasses.asdict(one) for one in night.confirmed],
        "new": [dataclasses.asdict(one) for one in night.new],
        "steps": [dataclasses.asdict(one) for one in night.steps],
        "notes": list(night.compared.notes) if night.compared else [],
    }


def summary(night: Night) -> str:
    """Return the summary for a human, Markdown."""
    lines = [f"# {night.suite}, {str(night.run.meta.get('started_at', ''))[:16].replace('T', ' ')}", ""]
    lines += [night.headline, "", f"Run `{night.run.run_id}`, baseline `{night.baseline or 'none'}` ({night.why})."]
    for title, found in (("Confirmed", night.confirmed), ("New tonight", night.new)):
        if found:
            lines += [
                "",
                f"## {title}",
                "",
                "| series | base | now | new ÷ base | found from |",
                "|---|---|---|---|---|",
            ]
            lines += [_row(one) for one in found]
    if night.steps:
        lines += ["", "## Steps of the last nights", ""]
        lines += [
            f"- {one.target} {one.metric} ({one.scenario}): × {significant(one.ratio)} since {one.at_run}"
            for one in night.steps
        ]
    if night.failed:
        lines += ["", f"{night.failed} invocations failed; the report says why."]
    lines += [f"- {note}" for note in night.compared.notes] if night.compared else []
    return "\n".join(lines) + "\n"


def _row(one: Comparison) -> str:
    words = ", ".join(f"{key}={value}" for key, value in one.params.items())
    ratio = "–" if one.ratio is None else significant(one.ratio, 4)
    if one.ci:
        ratio += f" [{significant(one.ci.low, 4)}, {significant(one.ci.high, 4)}]"
    found = "–" if one.mde is None else f"±{significant(100 * one.mde, 2)} %"
    name = f"{one.scenario}: {one.target} {one.metric}" + (f" ({words})" if words else "")
    return f"| {name} | {format_value(one.base, one.unit)} | {format_value(one.new, one.unit)} | {ratio} | {found} |"


def retain(results: Path, tonight: Night, keep: int) -> list[str]:
    """Remove the oldest nights of the suite beyond ``keep``; tagged baselines and tonight's own always stay.

    Returns the ids of the runs that were removed.
    """
    earlier = nights(results, tonight.suite, tonight.run)
    spare = earlier[: max(0, len(earlier) + 1 - keep)]
    gone = [run for run in spare if run.run_id != tonight.baseline and run.meta.get("tags", {}).get("baseline") is None]
    for run in gone:
        shutil.rmtree(run.path)
    return [run.run_id for run in gone]
