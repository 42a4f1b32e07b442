"""Benchmark ``pull``: the share of pulling in the time until an instance is ready."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric

_METRICS = (
    Metric("pull.pull_s", "s", "lower", 1e-3, 0.05, exact=False, title="pull and unpack"),
    Metric("pull.ready_s", "s", "lower", 1e-3, 0.05, exact=False, title="pull → ready"),
    Metric("pull.share_ratio", "ratio", "lower", 0.01, 0.05, exact=False, title="share of the pull"),
    Metric("pull.bytes", "bytes", "lower", 0, 0.0, exact=True, title="transferred"),
)

BENCHMARK = Benchmark(
    name="pull",
    package=__name__,
    metrics=_METRICS,
    params={
        "layers": Param(1, "layers that the same bytes are in", minimum=1),
        "image_bytes": Param(32 * 2**20, "bytes in all layers together", minimum=2**20),
    },
    primary=("pull.share_ratio", "pull.ready_s"),
)
