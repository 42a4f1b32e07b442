"""Small runs for tests of claims: any scenarios, targets, parameters, notes and ends, written with ``RunWriter``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import store
from bench.claims.model import Arm, Band, Claim, Kind, Relation, Scale, Source
from bench.core.metrics import metric_named
from bench.core.model import Invocation, Measurement, Outcome, ParamValue, RunState, Status
from bench.store import RunWriter
from tests.unsynced import unsynced

SOURCE = Source("primer", "A primer", "2024")


@dataclass(frozen=True)
class Row:
    """The values of one series, one a block.

    Attributes:
        target: Target.
        values: One value for each block; none for a target that gave no number.
        metric: Metric.
        scenario: Scenario.
        params: Parameters that name the series.
        in_force: Parameters in force that do not name it.
        notes: Notes of each invocation.
        status: How each invocation ended.
        reason: Why.
        blocks: Number of invocations; that of the values by default.
    """

    target: str
    values: Sequence[float] = ()
    metric: str = "startup.ready_s"
    scenario: str = "startup"
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    in_force: Mapping[str, ParamValue] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    status: Status = Status.OK
    reason: str = ""
    blocks: int = 0


@unsynced()
def write(folder: Path, rows: Iterable[Row], run_id: str = "r", **more: object) -> store.Run:
    """Write a run with one invocation for each block of each row, and return it as read; ``more`` goes to ``run.json``."""
    every = list(rows)
    plan: list[tuple[Invocation, Row]] = []
    for block in range(max(map(_blocks, every), default=0)):
        for order, row in enumerate(every):
            if block < _blocks(row):
                named = (len(plan), row.scenario, row.target, row.params, block, order, False)
                plan.append((Invocation(*named, {**row.in_force, **row.params}), row))
    meta = {"run_id": run_id, "host": "one", "fingerprint": "aa", "facts": {"kernel": "6.1.0"}, "skipped": [], **more}
    meta["scenarios"] = {name: _scenario(name, every) for name in dict.fromkeys(row.scenario for row in every)}
    writer = RunWriter.create(folder, meta, [invocation for invocation, _ in plan])
    for invocation, row in plan:
        writer.append(*_lines(run_id, invocation, row))
    writer.update(state=RunState.COMPLETE)
    return store.load(folder / run_id)


def _blocks(row: Row) -> int:
    return row.blocks or len(row.values)


def _scenario(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    mine = [row for row in rows if row.scenario == name]
    targets = list(dict.fromkeys(row.target for row in mine if row.target not in ("null", "sentinel")))
    return {
        "title": "t",
        "procedure": name,
        "targets": targets,
        "baseline": targets[0],
        "primary": [mine[0].metric],
        "blocks": max(map(_blocks, mine)),
        "warmup_blocks": 0,
    }


def _lines(run_id: str, one: Invocation, row: Row) -> tuple[list[Measurement], Outcome]:
    same: dict[str, Any] = {
        "scenario": one.scenario,
        "target": one.target,
        "engine": one.target.partition(":")[0],
        "params": dict(one.params),
        "block": one.block,
        "order": one.order,
        "warmup": False,
    }
    outcome = Outcome(
        run_id, one.index, status=row.status, reason=row.reason, notes=row.notes, in_force=one.in_force, **same
    )
    if row.status is not Status.OK or not row.values:
        return [], outcome
    unit = metric_named(row.metric).unit
    given = {"invocation": one.index, "iteration": 0, "at_s": float(one.index), "unit": unit}
    return [Measurement(run_id, metric=row.metric, value=row.values[one.block], **same, **given)], outcome


def claim(kind: Kind, of: Arm, *than: Arm, **more: Any) -> Claim:
    """Return a claim about ``startup.ready_s`` unless ``more`` says otherwise."""
    given: dict[str, Any] = {
        "name": "c",
        "says": "It is so.",
        "source": SOURCE,
        "section": "s",
        "line": 1,
        "tier": "",
        "tested_as": "",
        "scenario": "startup",
        "benchmark": more.get("scenario", "startup"),
        "blocks": 20,
        "metric": "startup.ready_s",
        "note": "",
        "scale": Scale.RATIO,
        "band": Band(),
        "relation": Relation.EQUALS,
        "wanted": "",
        "kvm": False,
        "kernel": "",
    }
    return Claim(kind=kind, of=of, than=than, **{**given, **more})
