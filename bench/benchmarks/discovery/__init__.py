"""Benchmark ``discovery``: how long it takes to resolve the name of an instance."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param, Question
from bench.core.metrics import Metric

_METRICS = (
    Metric("discovery.lookup_s", "s", "lower", 1e-6, 0.05, exact=False, title="one lookup", host_bound=True),
    Metric("discovery.resolvable_s", "s", "lower", 1e-3, 0.05, exact=False, title="request → name resolves"),
    Metric("discovery.gap_s", "s", "lower", 1e-3, 0.05, exact=False, title="between two tries"),
)

BENCHMARK = Benchmark(
    name="discovery",
    package=__name__,
    metrics=_METRICS,
    params={"lookups": Param(1000, "lookups of each kind of name", minimum=10)},
    primary=("discovery.lookup_s",),
    questions=(Question("Name lookup", "another one's", "Network", "discovery.lookup_s", {"name": "other"}),),
)
