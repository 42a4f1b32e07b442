"""Benchmark ``limits``: whether a limit holds, and what it costs at start."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric

_METRICS = (
    Metric("limit.achieved_ratio", "ratio", "one", 0.01, 0.02, exact=False, title="achieved ÷ asked"),
    Metric("limit.ready_s", "s", "lower", 50e-6, 0.05, exact=False, title="request → ready"),
    Metric("limit.probe_s", "s", "lower", 1e-3, 0.05, exact=False, title="time observed"),
    Metric("limit.off_set_s", "s", "lower", 0, 0.0, exact=True, title="CPU time off the set of CPUs", may_be_zero=True),
    Metric(
        "limit.set_to_quota_ratio", "ratio", "higher", 0.01, 0.02, exact=False, title="work, set ÷ quota of one CPU"
    ),
    Metric(
        "limit.kept_without_ratio",
        *("ratio", "higher", 0.01, 0.02),
        exact=False,
        title="page cache kept without a reservation",
        may_be_zero=True,
    ),
)

BENCHMARK = Benchmark(
    name="limits",
    package=__name__,
    metrics=_METRICS,
    params={
        "limit": Param(
            "none",
            "what is limited",
            (
                *("none", "cpu", "cpu-shares", "cpuset", "memory", "memory-reservation", "memory-swap"),
                *("pids", "read", "write", "network"),
            ),
        ),
        "milliseconds": Param(1000, "how long CPU and block I/O are watched", minimum=100),
    },
    primary=("limit.achieved_ratio",),
)
