"""Benchmark ``goodbye``: how long an instance takes to disappear after it is told to stop."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric

BENCHMARK = Benchmark(
    name="goodbye",
    package=__name__,
    metrics=(
        Metric("goodbye.stop_s", "s", "lower", 50e-6, 0.05, exact=False, title="stop call"),
        Metric("goodbye.gone_s", "s", "lower", 50e-6, 0.05, exact=False, title="stop → last process gone"),
    ),
    params={"touch_bytes": Param(0, "memory that the payload fills before it is stopped, bytes")},
    primary=("goodbye.gone_s",),
)
