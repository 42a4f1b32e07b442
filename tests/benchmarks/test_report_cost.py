"""CPU and wall time of ``tare report`` of the sample run, with one process and with several."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Any

import pytest

from bench.core.clock import now_s
from bench.report import drawing
from tests.benchmarks import cold

SAMPLE = Path(__file__).parents[2] / "results/sample"
LIBRARIES = ("-c", "import pandas, matplotlib.figure, matplotlib.backends.backend_svg")
ALONE = "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from bench.cli import run; sys.exit(run(sys.argv[1:]))"


def test_report_takes_a_bounded_multiple_of_loading_its_libraries(benchmark: Any, tmp_path: Path) -> None:
    ours = ("-m", "bench", "report", str(SAMPLE), "-o", str(tmp_path))
    found, told = cold.ratio(benchmark, LIBRARIES, ours, rounds=3)
    print(f"loading pandas and matplotlib, report of the sample: {told}")
    assert found < 25


@pytest.mark.skipif(drawing.affordable() < 2, reason="one CPU")
def test_drawing_in_several_processes_saves_time_and_costs_little_cpu_time(benchmark: Any, tmp_path: Path) -> None:
    report = ("report", str(SAMPLE), "-o", str(tmp_path))
    commands = {"alone": ("-c", ALONE, *report), "several": ("-m", "bench", *report)}
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}

    def both() -> None:
        for name, command in commands.items():
            begin = now_s()
            cpu = cold.cpu_s(command)
            spent[name].append((cpu, now_s() - begin))

    benchmark.pedantic(both, rounds=3, iterations=1, warmup_rounds=1)
    pairs = list(zip(spent["several"][1:], spent["alone"][1:], strict=True))
    cpu, wall = (statistics.median(many[one] / alone[one] for many, alone in pairs) for one in (0, 1))
    benchmark.extra_info["ratio"] = {"cpu": cpu, "wall": wall}
    print(
        f"{drawing.affordable()} processes to one: CPU {cpu:.2f}, wall {wall:.2f}, load {os.getloadavg()[0]:.1f}; {spent}"
    )
    assert cpu < 1.5  # each process loads its own libraries
