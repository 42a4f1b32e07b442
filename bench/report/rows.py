"""The rows of ``tare show --json`` with what a page needs beside the numbers: plain names, what ran, checks, all ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench import benchmarks
from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL, Summary
from bench.display import paired
from bench.display.data import RunData, ScenarioData, Variant, evidence_counts, metric_title, params_key
from bench.display.names import title_of
from bench.display.table import show_json
from bench.display.wording import checks
from bench.report import checked
from bench.report.board import emulated
from bench.stats.findings import Answer


def rows(data: RunData, summaries: Sequence[Summary], *, pairs: bool = False) -> list[dict[str, Any]]:
    """Return one object a series; with ``pairs`` each has its ratio to every other target of the scenario, paired by blocks."""
    scenarios = {one.name: one for one in data.scenarios}
    targets = {one.target: _target(data, one.target) for one in summaries}
    doubts = {name: _doubts(data, name) for name in scenarios}
    made = show_json(summaries, {one.name: one.baseline for one in data.scenarios})
    for row, one in zip(made, summaries, strict=True):
        scenario = scenarios[one.scenario]
        more = {
            "title": metric_title(one.metric),
            "scenario_title": str(scenario.meta.get("title") or one.scenario),
            **targets[one.target],
            **_answer(one),
            **benchmarks.details(scenario, one),
            "doubts": doubts[one.scenario],
            "checks": checked.of_series(data.checks, one),
        }
        more |= {"inside": data.inside} if data.inside else {}
        row.update(more | ({"ratios": _ratios(scenario, one)} if pairs else {}))
    return made


def _answer(one: Summary) -> dict[str, bool | None]:
    """Return yes or no for a metric that is a fact, ``None`` if it was not the same in all blocks; nothing for a quantity."""
    if one.metric not in METRICS or not METRICS[one.metric].yes_no:
        return {}
    same = one.minimum is not None and one.minimum == one.maximum
    return {"answer": bool(one.minimum) if same else None}


def _target(data: RunData, target: str) -> dict[str, Any]:
    """Return a target's name for people, the runtime that its instances prove to have had, and whether it was emulated."""
    found = evidence_counts(data.outcomes, target).get("runtime")
    name = target if target in (NULL, SENTINEL) else title_of(target)
    return {"name": name, "runtime": found.most_common(1)[0][0] if found else None, "emulated": emulated(data, target)}


def _doubts(data: RunData, scenario: str) -> list[dict[str, str]]:
    return [
        {"check": str(one.name), "title": checks.TITLES[one.name], "sentence": checks.answer(one)}
        for one in data.checks
        if one.scenario == scenario and one.answer is Answer.DOUBT
    ]


def _ratios(data: ScenarioData, one: Summary) -> dict[str, dict[str, float | None]]:
    """Return other target → this series ÷ the other's, of the values as they are."""
    params = params_key(one.params)
    mine = Variant(one.target, params, one.target.partition(":")[0])
    what = paired.Quantity(one.metric, {}, "")
    found = {}
    for other in dict.fromkeys(row.target for row in data.variants):
        if other in (one.target, SENTINEL) or one.target == SENTINEL:
            continue
        if times := paired.times(data, mine, Variant(other, params, other.partition(":")[0]), what):
            low, high = (times.ci.low, times.ci.high) if times.ci else (None, None)
            found[other] = {"ratio": times.ratio, "ci_low": low, "ci_high": high, "n": times.n}
    return found
