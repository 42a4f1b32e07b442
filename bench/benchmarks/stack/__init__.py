"""Benchmark ``stack``: what each layer adds, from a bare process to the Docker command line."""

from __future__ import annotations

from bench.benchmarks.base import SIZE, Benchmark, Param
from bench.core.metrics import Metric

_METRICS = (
    Metric(
        "stack.added_s", "s", "lower", 50e-6, 0.05, exact=False, title="added by this layer", added_from="stack.wall_s"
    ),
    Metric("stack.cpu_s", "s", "lower", 50e-6, 0.05, exact=False, title="CPU time of the phase", may_be_zero=True),
    Metric(
        "stack.added_cpu_s",
        "s",
        "lower",
        50e-6,
        0.05,
        exact=False,
        title="CPU time added by this layer",
        added_from="stack.cpu_s",
    ),
    Metric("stack.wall_s", "s", "lower", 50e-6, 0.05, exact=False, title="wall time of the phase", may_be_zero=True),
    Metric("stack.daemon_cpu_s", "s", "lower", 50e-6, 0.05, exact=False, title="daemons' CPU time a life"),
    Metric("stack.daemon_pss_bytes", "bytes", "lower", 65536, 0.05, exact=False, title="daemons' memory"),
    Metric("stack.daemon_growth_bytes", "bytes", "lower", 65536, 0.05, exact=False, title="daemons' growth a life"),
    Metric(
        "stack.lives_per_s", "1/s", "higher", 0.01, 0.05, exact=False, title="lives under churn", shown_in="lives/s"
    ),
)

BENCHMARK = Benchmark(
    name="stack",
    package=__name__,
    metrics=_METRICS,
    params={**SIZE, "lives": Param(10, "further lives, one after the other, under which the daemons are watched")},
    primary=("startup.ready_s",),
)
