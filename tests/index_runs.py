"""Results folders of varied small runs, for tests of the index: several hosts, scenarios, params, iterations and failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.model import Invocation, Measurement, Outcome, RunState, Status
from bench.store import RunWriter
from tests.unsynced import unsynced

TARGETS = ("host", "runc", "docker", "null", "sentinel")
METRICS = {"startup": ("startup.ready_s", "startup.created_s"), "compute": ("compute.rounds_per_s",)}
UNITS = {"startup.ready_s": "s", "startup.created_s": "s", "compute.rounds_per_s": "1/s", "sentinel.work_s": "s"}


def scenario(name: str, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "title": name,
        "description": "",
        "procedure": name,
        "targets": list(TARGETS[:3]),
        "baseline": "host",
        "primary": list(METRICS[name]),
        "params": {},
        "blocks": 7,
        "warmup_blocks": 1,
        "timeout_s": 60.0,
        "digest": "d",
        "path": "p",
        "parameters": {"image": [["small", "large"][int(rng.random() < 0.1)]]},
    }


def plan_of(names: list[str], rng: np.random.Generator) -> list[Invocation]:
    found: list[Invocation] = []
    for name in names:
        for block in range(8):
            for order, target in enumerate(rng.permutation(TARGETS)):
                params = {} if target == "sentinel" or name == "compute" else {"size": int(rng.integers(1, 3))}
                found.append(Invocation(len(found), name, str(target), params, block, order, warmup=block == 0))
    return found


def ended(run_id: str, one: Invocation, rng: np.random.Generator) -> tuple[list[Measurement], Outcome]:
    same: dict[str, Any] = {"scenario": one.scenario, "target": one.target, "engine": "e"}
    at: dict[str, Any] = {"block": one.block, "order": one.order, "warmup": one.warmup}
    weights = (0.85, 0.06, 0.05, 0.04)
    status = rng.choice([Status.OK, Status.FAILED, Status.TIMEOUT, Status.SKIPPED], p=weights)
    silent = one.target == "docker" and one.params.get("size") == 2 and int(run_id[-1]) % 3 == 0
    status = Status.FAILED if silent else Status(str(status))
    reason = "" if status is Status.OK else "it did not"
    outcome = Outcome(run_id, one.index, params=one.params, status=status, reason=reason, **same, **at)
    if status is not Status.OK:
        return [], outcome
    metrics = ("sentinel.work_s",) if one.target == "sentinel" else METRICS[one.scenario]
    taken = [
        Measurement(
            run_id,
            params={**one.params, **({"instances": 4} if metric == "startup.created_s" else {})},
            invocation=one.index,
            iteration=iteration,
            metric=metric,
            value=float("nan") if rng.random() < 0.02 else float(np.exp(rng.normal())),
            unit=UNITS[metric],
            at_s=float(one.index),
            **same,
            **at,
        )
        for metric in metrics
        for iteration in range(int(rng.integers(1, 4)))
    ]
    return taken, outcome


@unsynced()
def write(results: Path, number: int, **more: Any) -> str:
    """Write one run of a seed and return its id."""
    rng = np.random.default_rng(number)
    run_id = str(more.get("run_id", f"r{number:04}"))
    names = [["startup"], ["startup", "compute"], ["compute"]][int(rng.integers(3))]
    plan = plan_of(names, rng)
    tags = [{}, {"nightly": "nightly"}, {"nightly": "nightly", "confirms": "x"}, {"baseline": "main"}]
    meta = {
        "run_id": run_id,
        "tare_version": "1.0",
        "started_at": f"2026-{1 + number // 28 % 12:02}-{1 + number % 28:02}T02:00:00+00:00",
        "host": ["alpha", "alpha", "alpha", "beta"][int(rng.integers(4))],
        "fingerprint": ["aa", "aa", "aa", "bb"][int(rng.integers(4))],
        "scenarios": {name: scenario(name, rng) for name in names},
        "facts": {"kernel": "6.1.0", "cpu.model": "a model with a name that is long enough to be stored once " * 4},
        "epoch": ["kernel", "cpu.model"],
        "engines": {"host": {"payload": "p" * 64}},
        "instrument": {"stamp": "c", "scheduling": "SCHED_FIFO"} if rng.random() < 0.9 else {},
        "skipped": [],
        "tags": tags[int(rng.choice(4, p=[0.1, 0.7, 0.1, 0.1]))],
        **more,
    }
    writer = RunWriter.create(results, meta, plan)
    for one in plan:
        writer.append(*ended(run_id, one, rng))
    if rng.random() < 0.9:
        writer.update(state=RunState.COMPLETE)
    return run_id


def folder_of(results: Path, count: int, first: int = 0) -> Path:
    """Write a results folder with runs that are damaged in several ways, and a copy of a run."""
    results.mkdir()
    ids = [write(results, number) for number in range(first, first + count)]
    for damage, run_id in zip(damages(), ids[3::5], strict=False):
        damage(results / run_id)
    return results


def damages() -> Iterator[Any]:
    def of_json(folder: Path) -> None:
        (folder / "run.json").write_text("{", encoding="utf-8")

    def of_line(folder: Path) -> None:
        with (folder / "measurements.jsonl").open("a", encoding="utf-8") as file:
            file.write("{}\n")

    def of_end(folder: Path) -> None:
        path = folder / "measurements.jsonl"
        path.write_bytes(path.read_bytes()[:-20])

    def of_plan(folder: Path) -> None:
        (folder / "plan.json").unlink()

    def of_version(folder: Path) -> None:
        meta = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        (folder / "run.json").write_text(json.dumps({**meta, "schema_version": 99}), encoding="utf-8")

    yield from (of_json, of_line, of_end, of_plan, of_version)
