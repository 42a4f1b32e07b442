"""Benchmark ``sentinel``: a fixed workload on the bare host, once a block, which shows how the host drifts."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark
from bench.core.metrics import Metric
from bench.core.model import SENTINEL

_METRICS = (Metric("sentinel.work_s", "s", "lower", 50e-6, 0.05, exact=False, title="fixed host workload"),)

BENCHMARK = Benchmark(
    name=SENTINEL,
    package=__name__,
    metrics=_METRICS,
)
