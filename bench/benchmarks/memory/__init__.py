"""Benchmark ``memory``: how much memory each further instance takes, and which part of the system takes it."""

from __future__ import annotations

from bench.benchmarks.base import RAMP, SIZE, TOUCH, Benchmark, Param, Question
from bench.core.metrics import Better, Metric, Quantity
from bench.invocation.metrics import memory_quantity

_AVAILABLE = memory_quantity({"column": "available"}, ("memory.slope_low_bytes", "memory.slope_high_bytes"))


def _metric(quantity: str, title: str, better: Better = "lower", of: Quantity | None = None) -> Metric:
    # 64 KiB is the batch in which a control group is charged on each CPU, and 16 pages: less is bookkeeping.
    return Metric(
        f"memory.{quantity}_bytes",
        "bytes",
        better,
        65536,
        0.05,
        exact=False,
        title=title,
        quantity=of,
        host_bound=of is not None,  # an instance is the same process as on the host, and what isolates it
        bound_where=of.where if of else {},
    )


_METRICS = (
    _metric("slope", "memory, each further instance", of=_AVAILABLE),
    _metric("slope_low", "… lower end of the fit's 95 % interval"),
    _metric("slope_high", "… upper end of the fit's 95 % interval"),
    _metric("intercept", "memory, before the first instance"),
    Metric("memory.fit_r2", "ratio", "higher", 0.0, 0.01, exact=False, title="R² of memory over N"),
    _metric("available_delta", "taken from MemAvailable"),
    _metric("pss", "proportional set size"),
    _metric("rss", "resident set size"),
    _metric("uss", "unique set size"),
    _metric("anonymous", "anonymous and shared memory"),
    _metric("cgroup", "charged to control groups"),
    _metric("kernel", "kernel memory"),
    _metric("unexplained", "unexplained rest", "zero"),
    Metric("memory.unexplained_ratio", "ratio", "zero", 0.01, 0.05, exact=False, title="unexplained ÷ taken"),
    Metric("memory.network_namespaces", "count", "lower", 0, 0.0, exact=True, title="network namespaces"),
    Metric("memory.processes", "count", "lower", 0, 0.0, exact=True, title="processes"),
)

BENCHMARK = Benchmark(
    name="memory",
    package=__name__,
    metrics=_METRICS,
    params={
        **SIZE,
        **TOUCH,
        **RAMP,
        "instances": Param(50, "instances at the top of the ramp", minimum=2),
        "steps": Param(5, "readings on the way up, after the one without any", minimum=2),
    },
    primary=("memory.slope_bytes",),
    questions=(
        Question("Memory", "per instance", "Capacity", "memory.slope_bytes", {"column": "available", "touch_bytes": 0}),
    ),
)
