"""Read a run's folder into the data of a report: series, rows in display order, checks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench import benchmarks, store
from bench.core.model import NULL, SENTINEL, Skipped, Status, Summary
from bench.display import shown
from bench.display.data import RunData, ScenarioData, Variant, evidence_by_target, params_key, sortable
from bench.stats.alarms import check_run
from bench.stats.samples import of_frames
from bench.stats.summaries import summarise

if TYPE_CHECKING:
    import pandas as pd


def collect(run: store.Run) -> RunData:
    """Read one run's folder and compute what a report needs."""
    outcomes = store.outcomes(run)
    measurements = store.measurements(run, outcomes, coded=True)
    scenarios = _titled(run.meta)
    samples = of_frames(measurements, outcomes, scenarios)
    found = tuple(summarise(samples))
    points, skipped = _good(measurements, outcomes), tuple(store.skipped(run))
    return RunData(
        run=run,
        scenarios=tuple(
            _scenario(name, meta, found, points, outcomes, skipped=skipped) for name, meta in scenarios.items()
        ),
        summaries=found,
        samples=samples,
        skipped=skipped,
        checks=tuple(check_run(samples)),
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
    targets = _targets(meta, own_outcomes)
    data = ScenarioData(
        name=name,
        meta=meta,
        headline="",
        summaries=own,
        variants=tuple(_variants(own, targets)),
        invoked=tuple(_invoked(targets)),
        points=own_points,
        outcomes=own_outcomes,
        skipped=left_out,
    )
    return replace(data, headline=benchmarks.words(data))


@dataclass(frozen=True)
class _Targets:
    """What the invocations of a scenario tell of its targets.

    Attributes:
        rank: Target → its place in the order of the scenario file, the null control after its baseline.
        engines: Target and params of the invocations, in the order of the first ones → the last one's engine.
        notes: Target → what its name does not tell.
        kinds: Target → what its engine makes.
    """

    rank: Mapping[str, int]
    engines: Mapping[tuple[str, str], str]
    notes: Mapping[str, str]
    kinds: Mapping[str, str]

    def rows(self, engines: Mapping[tuple[str, str], str]) -> list[Variant]:
        """Return rows for targets with params, and their engines, in display order."""
        keys = sorted(engines, key=lambda key: self.rank.get(key[0], len(self.rank)))
        return [
            Variant(
                target, params, engines[target, params], self.notes.get(target, ""), kind=self.kinds.get(target, "")
            )
            for target, params in keys
        ]


def _targets(meta: Mapping[str, Any], outcomes: pd.DataFrame) -> _Targets:
    order = [item if isinstance(item, str) else str(item["text"]) for item in meta.get("targets", ())]
    baseline = str(meta.get("baseline", ""))
    if NULL not in order:
        order.insert(order.index(baseline) + 1 if baseline in order else 0, NULL)
    names = ["target", "params", "engine", *(["kind"] if "kind" in outcomes else [])]
    last = outcomes[names].drop_duplicates(["target", "params"], keep="last")
    first = outcomes[["target", "params"]].drop_duplicates().itertuples(index=False, name=None)
    engines = dict(zip(zip(last["target"], last["params"], strict=True), last["engine"], strict=True))
    return _Targets(
        rank={target: place for place, target in enumerate(order)},
        engines={key: engines[key] for key in first},
        notes=_notes(baseline, outcomes),
        kinds=dict(zip(last["target"], map(str, last["kind"]), strict=True)) if "kind" in last else {},
    )


def _notes(baseline: str, outcomes: pd.DataFrame) -> dict[str, str]:
    """Return what names do not tell: that the null control repeats the baseline, and which accelerator a VM really had."""
    notes = {NULL: f"{baseline or 'baseline'} again"}
    for target, counts in evidence_by_target(outcomes).items():
        hidden = [name for name in sorted(counts.get("accelerator", ())) if name not in target]
        if hidden and target != NULL:
            notes[target] = "accelerator " + "/".join(hidden)
    return notes


def _variants(summaries: Iterable[Summary], targets: _Targets) -> list[Variant]:
    """Return the rows: in the order of the scenario file, then by parameters, the null control after its baseline."""
    engines = {(item.target, params_key(item.params)): item.engine for item in summaries if item.target != SENTINEL}
    summarised = {SENTINEL, *(target for target, _ in engines)}
    engines |= {key: engine for key, engine in targets.engines.items() if key[0] not in summarised}
    return targets.rows(engines)


def _invoked(targets: _Targets) -> list[Variant]:
    """Return every target with the params of its invocations, successful or not, numbers sorted as numbers."""
    engines = {key: engine for key, engine in targets.engines.items() if key[0] != SENTINEL}
    ordered = sorted(engines, key=lambda key: [(name, *sortable(v)) for name, v in json.loads(key[1]).items()])
    rows = targets.rows({key: engines[key] for key in ordered})
    every = [json.loads(row.params) for row in rows]
    same = {name for params in every for name in params if len({str(one.get(name)) for one in every}) == 1}
    return [
        replace(row, shown=params_key({k: v for k, v in own.items() if k not in same}))
        for row, own in zip(rows, every, strict=True)
    ]
