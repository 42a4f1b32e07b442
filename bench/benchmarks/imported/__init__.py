"""Benchmark ``imported``: measurements that another tool made."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark
from bench.core.metrics import Metric

_METRICS = (Metric("imported.time_s", "s", "lower", 0.0, 0.05, exact=False, title="time, as imported"),)

BENCHMARK = Benchmark(
    name="imported",
    package=__name__,
    metrics=_METRICS,
)
