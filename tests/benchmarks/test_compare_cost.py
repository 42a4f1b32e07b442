"""What a comparison costs: two runs of a hundred thousand measurements, and a quarter of that. CPU time, as a ratio."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench import compare, store
from bench.core.clock import self_cpu_s
from tests.synthetic_pairs import write
from tests.unsynced import unsynced

METRICS = ("created_s", "started_s", "first_instruction_s", "ready_s", "stop_s", "delete_s", "cpu_s")
TARGETS = 40


def measured(folder: Path, name: str, blocks: int) -> store.Run:
    """Write a run of forty targets, seven metrics an invocation."""
    rng = np.random.default_rng([blocks, len(name)])
    values = {
        f"runc:bin=/{i}" if i else "host": (0.1 * np.exp(rng.normal(0, 0.02, blocks))).tolist() for i in range(TARGETS)
    }
    with unsynced():
        write(folder, name, values, sentinel=(0.04 * np.exp(rng.normal(0, 0.005, blocks))).tolist())
    path = folder / name / store.MEASUREMENTS
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    whole = [
        {**line, "metric": f"startup.{metric}"} if line["metric"] != "sentinel.work_s" else line
        for line in lines
        for metric in (METRICS if line["metric"] != "sentinel.work_s" else ("",))
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in whole))
    return store.load(folder / name)


def test_cost_of_a_comparison_grows_linearly(tmp_path: Path) -> None:
    spent = []
    for blocks in (90, 360):
        base, new = (compare.Side(measured(tmp_path, f"{name}{blocks}", blocks)) for name in ("base", "the-new"))
        begin = self_cpu_s()
        results = compare.compare(base, new).results
        spent.append(self_cpu_s() - begin)
        count = blocks * (TARGETS * len(METRICS) + 1)
        print(f"{count} measurements on each side, {len(results)} series: {spent[-1]:.2f} s of CPU")
        assert len(results) == TARGETS * len(METRICS)
    assert spent[1] / spent[0] < 8  # four times as much: twice the linear growth is allowed for a busy host


@pytest.mark.parametrize("n", [20, 2500])
def test_rank_among_many_pairs_needs_linear_memory(n: int) -> None:
    from bench.stats import shift  # noqa: PLC0415 - what is measured

    rng = np.random.default_rng(n)
    new, base = rng.normal(0.1, 1, n), rng.normal(0, 1, n)
    begin = self_cpu_s()
    centre, ci, p = shift.shift(new, base), shift.shift_ci(new, base), shift.rank_sum_p(new, base)
    print(f"{n} blocks on each side: {1000 * (self_cpu_s() - begin):.0f} ms of CPU, {centre:.4f} {ci}, p {p:.2g}")
    listed = np.sort(np.subtract.outer(new, base).ravel())
    assert centre == pytest.approx(float(np.median(listed)), abs=1e-12)
    assert ci is not None
    assert ci.low < centre < ci.high
