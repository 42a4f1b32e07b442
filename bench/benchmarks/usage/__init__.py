"""Benchmark ``usage``: what an engine reports of an instance's CPU time and memory, against the control group's own count."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric

BENCHMARK = Benchmark(
    name="usage",
    package=__name__,
    metrics=(
        Metric("usage.cpu_ratio", "ratio", "one", 0, 0.0, exact=True, title="CPU time, reported ÷ counted"),
        Metric("usage.memory_ratio", "ratio", "one", 0, 0.0, exact=True, title="memory, reported ÷ counted"),
        Metric("usage.poll_s", "s", "lower", 50e-6, 0.05, exact=False, title="one poll"),
        Metric(
            "usage.poll_cpu_s",
            *("s", "lower", 20e-6, 0.05),
            exact=False,
            title="daemon's CPU time for a poll",
            may_be_zero=True,
        ),
    ),
    params={
        "polls": Param(5, "polls that are timed", minimum=1),
        "anonymous_bytes": Param(16 * 2**20, "memory that the instance touches, bytes"),
        "cached_bytes": Param(16 * 2**20, "file that the instance writes through the page cache, bytes", minimum=1),
        "milliseconds": Param(200, "how long the instance computes", minimum=1),
    },
    primary=("usage.cpu_ratio", "usage.memory_ratio"),
)
