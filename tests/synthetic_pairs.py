"""Small runs with given values for tests of comparisons: one scenario, any targets, written with ``RunWriter``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.core.metrics import metric_named
from bench.core.model import Invocation, Measurement, Outcome, RunState, Status
from bench.store import RunWriter
from tests.unsynced import unsynced

FACTS = {"kernel": "6.1.0", "cpu.model": "one"}
INSTRUMENT = {"stamp": "c", "scheduling": "SCHED_FIFO"}
Values = Sequence[float | None]
"""One value for each block; ``None`` is a time-out."""


@unsynced()
def write(
    folder: Path,
    run_id: str,
    values: Mapping[str, Values],
    *,
    metric: str = "startup.ready_s",
    sentinel: Values = (),
    fingerprint: str = "aa",
    facts: Mapping[str, str] = FACTS,
    payload: str = "p" * 64,
    **more: object,
) -> str:
    """Write a run and return its id.

    ``values`` is target → block values, each target at its place in every block; ``more`` goes to ``run.json``.
    """
    whole = {**values, **({"sentinel": sentinel} if sentinel else {})}
    targets = [name for name in values if name != "null"]
    scenario = {
        "title": "t",
        "description": "",
        "procedure": "startup",
        "targets": targets,
        "baseline": targets[0],
        "primary": [metric],
        "params": {},
        "blocks": max(map(len, whole.values())),
        "warmup_blocks": 0,
        "timeout_s": 60.0,
        "digest": "d",
        "path": "p",
    }
    plan: list[Invocation] = []
    lines: list[float | None] = []
    for block in range(int(str(scenario["blocks"]))):
        for order, (target, row) in enumerate(whole.items()):
            if block < len(row):
                # the order rotates with the block, so that no target always has the same place
                place = (order + block) % len(whole)
                plan.append(Invocation(len(plan), "startup", target, {}, block, place, warmup=False))
                lines.append(row[block])
    meta = {
        "run_id": run_id,
        "scenarios": {"startup": scenario},
        "facts": dict(facts),
        "epoch": list(facts),
        "fingerprint": fingerprint,
        "engines": {"host": {"payload": payload}},
        "instrument": INSTRUMENT,
        "skipped": [],
        **more,
    }
    writer = RunWriter.create(folder, meta, plan)
    for invocation, value in zip(plan, lines, strict=True):
        writer.append(*_lines(run_id, invocation, value, metric))
    writer.update(state=RunState.COMPLETE)
    return run_id


def _lines(run_id: str, one: Invocation, value: float | None, metric: str) -> tuple[list[Measurement], Outcome]:
    name = "sentinel.work_s" if one.target == "sentinel" else metric
    same: dict[str, Any] = {
        "scenario": one.scenario,
        "target": one.target,
        "engine": "e",
        "block": one.block,
        "order": one.order,
    }
    status = Status.TIMEOUT if value is None else Status.OK
    outcome = Outcome(run_id, one.index, params={}, warmup=False, status=status, reason="" if value else "late", **same)
    if value is None:
        return [], outcome
    unit = metric_named(name).unit
    given: dict[str, Any] = {
        "params": {},
        "invocation": one.index,
        "iteration": 0,
        "warmup": False,
        "at_s": float(one.index),
    }
    return [Measurement(run_id, metric=name, value=value, unit=unit, **same, **given)], outcome
