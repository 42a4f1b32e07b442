"""Read a run's folder into the data of a report: series, rows in display order, checks."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench import benchmarks, store
from bench.core.model import NULL, SENTINEL, Skipped, Status, Summary
from bench.display import shown
from bench.display.data import RunData, ScenarioData, Variant, evidence_counts, params_key, sortable
from bench.stats.alarms import check_run
from bench.stats.summaries import summarise

if TYPE_CHECKING:
    import pandas as pd


def collect(run: store.Run) -> RunData:
    """Read one run's folder and compute what a report needs."""
    measurements, outcomes = store.measurements(run, coded=True), store.outcomes(run)
    scenarios = _titled(run.meta)
    found = tuple(summarise(measurements, outcomes, scenarios))
    points, skipped = _good(measurements, outcomes), tuple(store.skipped(run))
    return RunData(
        run=run,
        scenarios=tuple(
            _scenario(name, meta, found, points, outcomes, skipped=skipped) for name, meta in scenarios.items()
        ),
        summaries=found,
        measurements=measurements,
        outcomes=outcomes,
        skipped=skipped,
        checks=tuple(check_run(measurements, outcomes, scenarios)),
    )


def _titled(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the scenarios of ``run.json``; for a run in a guest, each title says so."""
    scenarios: Mapping[str, Any] = meta.get("scenarios", {})
    if not (inside := meta.get("inside")):
        return scenarios
    return {
        name: {**one, "title": f"{one.get('title') or name} – in the guest {inside}", "inside": inside}
        for name, one in scenarios.items()
    }


def _good(measurements: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    ended_well = outcomes.loc[outcomes["status"] == Status.OK, "invocation"]
    finite = measurements["value"].astype("float64").abs() < math.inf  # not so for NaN
    good = _where(measurements, measurements["invocation"].isin(ended_well) & finite)
    return good.assign(warmup=good["warmup"].astype(bool))


def _where(frame: pd.DataFrame, wanted: pd.Series[bool]) -> pd.DataFrame:
    """Return the wanted rows; without a copy when it is all of them."""
    return frame if wanted.all() else frame[wanted]


def _scenario(
    name: str,
    meta: Mapping[str, Any],
    summaries: Sequence[Summary],
    points: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    skipped: Sequence[Skipped],
) -> ScenarioData:
    own = tuple(shown.summary(item) for item in summaries if item.scenario == name)
    own_outcomes = _where(outcomes, outcomes["scenario"] == name)
    own_points = shown.points(_where(points, points["scenario"] == name))
    left_out = tuple(item for item in skipped if item.scenario == name)
    data = ScenarioData(
        name=name,
        meta=meta,
        headline="",
        summaries=own,
        variants=tuple(_variants(own, meta, own_outcomes)),
        invoked=tuple(_invoked(meta, own_outcomes)),
        points=own_points,
        outcomes=own_outcomes,
        skipped=left_out,
    )
    return replace(data, headline=benchmarks.words(data))


def _variants(summaries: Iterable[Summary], meta: Mapping[str, Any], outcomes: pd.DataFrame) -> list[Variant]:
    """Return the rows: in the order of the scenario file, then by parameters, the null control after its baseline."""
    engines = {(item.target, params_key(item.params)): item.engine for item in summaries if item.target != SENTINEL}
    summarised = {SENTINEL, *(target for target, _ in engines)}
    silent = _last(outcomes, ["target", "params"], "engine")
    engines |= {key: engine for key, engine in silent.items() if key[0] not in summarised}
    return _in_order(engines, meta, outcomes)


def _invoked(meta: Mapping[str, Any], outcomes: pd.DataFrame) -> list[Variant]:
    """Return every target with the params of its invocations, successful or not, numbers sorted as numbers."""
    found = _last(outcomes, ["target", "params"], "engine")
    engines = {key: engine for key, engine in found.items() if key[0] != SENTINEL}
    ordered = sorted(engines, key=lambda key: [(name, *sortable(v)) for name, v in json.loads(key[1]).items()])
    rows = _in_order({key: engines[key] for key in ordered}, meta, outcomes)
    every = [json.loads(row.params) for row in rows]
    same = {name for params in every for name in params if len({str(one.get(name)) for one in every}) == 1}
    return [
        replace(row, shown=params_key({k: v for k, v in own.items() if k not in same}))
        for row, own in zip(rows, every, strict=True)
    ]


def _last(outcomes: pd.DataFrame, keys: list[str], name: str) -> dict[Any, str]:
    """Return the last value of a column for each combination of keys, in the order in which these come first."""
    order = outcomes[keys].drop_duplicates().itertuples(index=False, name=None)
    last = outcomes[[*keys, name]].drop_duplicates(keys, keep="last").itertuples(index=False, name=None)
    found = {tuple(row): value for *row, value in last}
    return {key: found[key] for key in order}


def _in_order(engines: Mapping[tuple[str, str], str], meta: Mapping[str, Any], outcomes: pd.DataFrame) -> list[Variant]:
    order = [item if isinstance(item, str) else str(item["text"]) for item in meta.get("targets", ())]
    baseline = str(meta.get("baseline", ""))
    if NULL not in order:
        order.insert(order.index(baseline) + 1 if baseline in order else 0, NULL)
    rank = {target: place for place, target in enumerate(order)}
    keys = sorted(engines, key=lambda key: rank.get(key[0], len(rank)))
    notes = {target: _note(target, baseline, outcomes) for target in dict.fromkeys(target for target, _ in keys)}
    kinds = _last(outcomes, ["target"], "kind") if "kind" in outcomes else {}
    return [
        Variant(target, params, engines[target, params], notes[target], kind=str(kinds.get((target,), "")))
        for target, params in keys
    ]


def _note(target: str, baseline: str, outcomes: pd.DataFrame) -> str:
    """Return what a name does not tell: that the null control repeats the baseline, and which accelerator a VM really had."""
    if target == NULL:
        return f"{baseline or 'baseline'} again"
    found = evidence_counts(outcomes, target).get("accelerator", Counter())
    hidden = [name for name in sorted(found) if name not in target]
    return "accelerator " + "/".join(hidden) if hidden else ""
