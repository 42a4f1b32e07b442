"""CPU time of ``tare site`` over many runs: from nothing, and when one run is new; what is asked is linear growth and a small rest.

``python -m tests.benchmarks.test_site_cost RESULTS 1000`` writes the runs that are measured here into a folder.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from bench import site
from bench.compare import side_cache
from bench.core.clock import self_cpu_s
from tests.synthetic import write_run

FEW, MANY = 100, 400
TARGETS = ("host", "sandbox", "runc", "crun", "containerd", "docker:network=none", "docker")
BEGUN = datetime(2024, 1, 1, 2, tzinfo=UTC)


def grow(results: Path, numbers: Iterable[int]) -> None:
    """Add complete runs of ``startup`` (7 targets, 5 blocks, 49 series): copies of one with new values, id and time."""
    template = write_run(results.parent / "template", targets=TARGETS, blocks=5, warmups=0, failures={})
    meta = json.loads((template / "run.json").read_text())
    lines = [json.loads(line) for line in (template / "measurements.jsonl").read_text().splitlines()]
    others = {name: (template / name).read_text() for name in ("plan.json", "outcomes.jsonl")}
    for number in numbers:
        rng = np.random.default_rng(number)
        at = BEGUN + timedelta(hours=12 * number)
        run_id = f"{at:%Y%m%dT%H%M%SZ}-bench-01-{number:04x}"
        folder = results / run_id
        folder.mkdir(parents=True)
        level = 1.1 if number // 150 % 2 else 1.0
        factors = level * np.exp(rng.normal(0, 0.02, len(lines)))
        made = [
            {**line, "run_id": run_id, "value": line["value"] * factor}
            for line, factor in zip(lines, factors, strict=True)
        ]
        (folder / "measurements.jsonl").write_text("".join(json.dumps(line) + "\n" for line in made))
        for name, text in others.items():
            (folder / name).write_text(text.replace(str(meta["run_id"]), run_id))
        (folder / "run.json").write_text(json.dumps({**meta, "run_id": run_id, "started_at": at.isoformat()}))
    shutil.rmtree(template.parent)


def cost(results: Path, folder: Path) -> tuple[float, site.Built]:
    """Return the CPU seconds of a build as a new process has it, and what was built."""
    side_cache._computed.cache_clear()
    begin = self_cpu_s()
    built = site.build(results, folder)
    return self_cpu_s() - begin, built


def test_site_time_grows_linearly_and_one_new_run_costs_a_fraction(tmp_path: Path) -> None:
    site.build(_one(tmp_path / "first"), tmp_path / "warm")  # templates and claims are loaded
    spent = {}
    for count in (FEW, MANY):
        results = tmp_path / str(count) / "results"
        grow(results, range(count))
        spent[count], built = cost(results, tmp_path / str(count) / "site")
        grow(results, [count])
        again, rebuilt = cost(results, tmp_path / str(count) / "site")
        print(
            f"{count} runs: {built.written} files in {spent[count]:.2f} s of CPU; one more: {rebuilt.written} in {again:.2f} s"
        )
        assert rebuilt.kept >= count - 1
    assert spent[MANY] / spent[FEW] < 2 * MANY / FEW  # twice the linear growth allows for a busy host
    assert again < spent[MANY] / 2


def _one(folder: Path) -> Path:
    grow(folder / "results", [0])
    return folder / "results"


if __name__ == "__main__":
    grow(Path(sys.argv[1]), range(int(sys.argv[2])))
