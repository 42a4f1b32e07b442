"""Benchmark ``density``: how many instances fit, and what stops the next one."""

from __future__ import annotations

from bench.benchmarks.base import RAMP, SIZE, TOUCH, Benchmark, Param, Question
from bench.core.metrics import Metric
from bench.invocation.metrics import memory_quantity

_METRICS = (
    Metric("density.instances", "count", "higher", 0, 0.05, exact=False, title="instances at the end"),
    Metric("density.start_s", "s", "lower", 50e-6, 0.05, exact=False, title="start of the N-th", host_bound=True),
    Metric(
        "density.launch_per_s",
        "1/s",
        "higher",
        0.01,
        0.05,
        exact=False,
        title="launch rate",
        shown_in="starts/s",
        host_bound=True,
    ),
    Metric(
        "density.delete_per_s", "1/s", "higher", 0.01, 0.05, exact=False, title="removal rate", shown_in="removals/s"
    ),
    Metric("density.alive_ratio", "ratio", "higher", 0.0, 0.01, exact=False, title="alive ÷ started"),
    Metric("density.available_bytes", "bytes", "higher", 2**20, 0.05, exact=False, title="MemAvailable left"),
    Metric(
        "density.slope_bytes",
        "bytes",
        "lower",
        65536,
        0.05,
        exact=False,
        title="memory, each further instance",
        quantity=memory_quantity({}),
        host_bound=True,
    ),
    Metric("density.intercept_bytes", "bytes", "lower", 65536, 0.05, exact=False, title="memory before the first"),
    Metric("density.fit_r2", "ratio", "higher", 0.0, 0.01, exact=False, title="R² of memory over N"),
    Metric(
        "density.extrapolated_instances", "count", "higher", 1, 0.05, exact=False, title="extrapolated to the floor"
    ),
    Metric("density.bound_instances", "count", "higher", 1, 0.05, exact=False, title="extrapolated to the first limit"),
)

BENCHMARK = Benchmark(
    name="density",
    package=__name__,
    metrics=_METRICS,
    params={
        **SIZE,
        **TOUCH,
        **RAMP,
        "instances": Param(100, "largest number of instances", minimum=2),
        "step": Param(20, "instances between two readings", minimum=1),
        "floor_bytes": Param(
            0, "MemAvailable that is left to other processes, bytes; 0: a tenth of the memory, at least 1 GiB"
        ),
        "slower": Param(20.0, "start time, in multiples of the first step's, at which the ramp stops", minimum=1),
        "pressure_percent": Param(
            50, "share of time with processes waiting for memory at which the ramp stops", minimum=1
        ),
    },
    primary=("density.slope_bytes", "density.launch_per_s"),
    questions=(
        Question("How many fit", "instances at once", "Capacity", "density.instances", open_end=("rule", "asked")),
        Question("Launch rate", "many at once", "Capacity", "density.launch_per_s", largest="instances"),
    ),
)
