"""CPU time of a history with the index and without, as ratios in one run, and of adding one run to many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bench import index
from bench.compare import trend
from bench.core.clock import self_cpu_s
from bench.index.connection import FILE
from tests.benchmarks.test_trend_history import grow

RUNS = 1500
T = TypeVar("T")


def spent(call: Callable[[], T]) -> tuple[T, float]:
    begin = self_cpu_s()
    found = call()
    return found, self_cpu_s() - begin


def test_index_costs_little_more_than_reading_once_and_then_a_small_part_of_it(benchmark: Any, tmp_path: Path) -> None:
    results = tmp_path / "results"
    grow(results, range(RUNS))
    trend.history(results)  # whatever is imported and cached on the first call
    read, reading = spent(lambda: trend.history(results))
    _, building = spent(lambda: index.opened(results, every_file=True))
    known, answering = benchmark.pedantic(
        lambda: spent(lambda: trend.history(index.opened(results, every_file=True))), rounds=1
    )
    assert known == read
    grow(results, range(RUNS, RUNS + 1))
    grown, adding = spent(lambda: index.opened(results))
    assert len(grown.entries) == RUNS + 1
    size = (results / FILE).stat().st_size
    print(
        f"{RUNS} runs: read {reading:.2f} s, index made {building:.2f} s, answered from it {answering:.2f} s, "
        f"one run added {1000 * adding:.0f} ms of CPU; {size / RUNS:.0f} bytes a run"
    )
    benchmark.extra_info |= {"answering": answering / reading, "adding": adding / building}
    assert building <= 2 * reading
    assert answering <= reading / 7  # 10 s for 100,000 runs, where 5,000 that are read take 3.5 s
    assert adding <= building / 50
