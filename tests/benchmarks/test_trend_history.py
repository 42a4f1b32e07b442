"""CPU time of ``tare trend`` over years of nights: reading the runs and finding the steps, in one process.

CPU seconds are printed; what is asked is that they grow no faster than the number of runs, and are not much more than the standard
library needs to parse the same files.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from bench.compare import trend
from bench.core.clock import self_cpu_s
from tests.synthetic_pairs import write

TARGETS = ("host", "runc", "crun", "docker")
FEW, MANY = 1250, 5000


def grow(results: Path, numbers: range) -> None:
    """Add small complete runs (8 blocks, 4 targets, sentinel): copies of one run with new values, id and time."""
    rng = np.random.default_rng(numbers.start)
    template = results.parent / write(results.parent, "template", dict.fromkeys(TARGETS, [1.0] * 8), sentinel=[0.5] * 8)
    meta = json.loads((template / "run.json").read_text())
    texts = {name: (template / name).read_text() for name in ("plan.json", "measurements.jsonl", "outcomes.jsonl")}
    for number in numbers:
        run_id = f"night-{number:05}"
        folder = results / run_id
        folder.mkdir(parents=True)
        level = 0.1 * (1 + 0.1 * (number // 500 % 2)) * np.exp(rng.normal(0, 0.02))
        for name, text in texts.items():
            named = text.replace("template", run_id)
            (folder / name).write_text(named.replace('"value": 1.0', f'"value": {level:.6f}'))
        at = f"{2000 + number // 336:04}-{1 + number // 28 % 12:02}-{1 + number % 28:02}T02:00:00+00:00"
        (folder / "run.json").write_text(json.dumps({**meta, "run_id": run_id, "started_at": at}))
    shutil.rmtree(template)


def cost(results: Path) -> tuple[int, int, float, float]:
    """Return the numbers of series and steps, and the CPU seconds of reading and of analysis."""
    begin = self_cpu_s()
    history = trend.history(results)
    read = self_cpu_s()
    points = trend.change_points(history)
    return len(history.series), len(points), read - begin, self_cpu_s() - read


def parsing(results: Path) -> float:
    """Return the CPU seconds that the standard library takes to parse every file of the runs, line by line."""
    begin = self_cpu_s()
    for path in sorted(results.glob("*/*.json*")):
        data = path.read_bytes()
        for text in data.splitlines() if path.suffix == ".jsonl" else (data,):
            json.loads(text)
    return self_cpu_s() - begin


def test_trend_time_grows_linearly_with_the_number_of_runs(benchmark: Any, tmp_path: Path) -> None:
    results, spent = tmp_path / "results", dict[int, float]()
    for numbers in (range(FEW), range(FEW, MANY)):
        grow(results, numbers)
        measured = cost(results) if numbers.stop == FEW else benchmark.pedantic(cost, (results,), rounds=1)
        series, steps, reading, looking = measured
        spent[numbers.stop] = reading + looking
        print(f"{numbers.stop} runs, {series} series, {steps} steps: {reading:.1f} s to read, {looking:.2f} s to look")
        assert series == len(TARGETS)
        made = len(TARGETS) * ((numbers.stop - 1) // 500)
        assert made <= steps <= 1.5 * made  # 5000 nights may contain a false alarm
    assert spent[MANY] / spent[FEW] < 2 * MANY / FEW  # twice the linear growth allows for a busy host
    least = parsing(results)
    benchmark.extra_info["ratio"] = spent[MANY] / least
    print(f"parsing alone: {least:.1f} s, {spent[MANY] / least:.1f} times")
    assert spent[MANY] / least <= 2.5  # 1.7 to 1.9 were measured; 3.5 s are asked where parsing takes 1.6 s
