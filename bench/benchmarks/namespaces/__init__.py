"""Benchmark ``namespaces``: what each kind of namespace costs, and what a process inside sees."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric

_METRICS = (
    Metric("namespace.create_s", "s", "lower", 1e-6, 0.05, exact=False, title="create a namespace"),
    Metric("namespace.destroy_s", "s", "lower", 1e-6, 0.05, exact=False, title="end its last process"),
    Metric("namespace.create_per_s", "1/s", "higher", 0.1, 0.05, exact=False, title="created and destroyed"),
    Metric("namespace.drain_s", "s", "lower", 1e-3, 0.05, exact=False, title="dead ones gone after"),
    Metric("namespace.processes_seen", "count", "lower", 1, 0.5, exact=False, title="processes seen"),
    Metric("namespace.interfaces_seen", "count", "lower", 0, 0.0, exact=True, title="interfaces seen"),
    Metric("namespace.mounts_seen", "count", "lower", 0, 0.0, exact=True, title="mounts seen"),
)

BENCHMARK = Benchmark(
    name="namespaces",
    package=__name__,
    metrics=_METRICS,
    params={"rounds": Param(100, "namespaces made of each kind, and of each kind at each concurrency", minimum=10)},
    primary=("namespace.create_s", "namespace.destroy_s", "namespace.create_per_s"),
)
