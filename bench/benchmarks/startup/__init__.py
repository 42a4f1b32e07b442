"""Benchmark ``startup``: the time from the request to a ready instance, and to its end."""

from __future__ import annotations

from bench.benchmarks.base import SIZE, TOUCH, Benchmark, Param, Question
from bench.core.metrics import Metric
from bench.invocation.metrics import startup_quantity


def _metric(quantity: str, title: str, *, host_bound: bool = False) -> Metric:
    # 50 µs is about one scheduler wake-up on the hosts this was developed on: less is not a change of the target.
    return Metric(
        f"startup.{quantity}_s",
        "s",
        "lower",
        50e-6,
        0.03,
        exact=False,
        title=title,
        host_bound=host_bound,
        quantity=startup_quantity(quantity),
    )


_METRICS = (
    # The host forks and executes the same program, and so do all others, which do more besides. Stopping and deleting are
    # different work: some engines report the end and clean up later.
    _metric("created", "request → created", host_bound=True),
    _metric("started", "request → started", host_bound=True),
    _metric("first_instruction", "request → first instruction", host_bound=True),
    _metric("ready", "request → ready", host_bound=True),
    _metric("stop", "stop"),
    _metric("delete", "delete"),
    _metric("cpu", "CPU time, all processes", host_bound=True),
)

BENCHMARK = Benchmark(
    name="startup",
    package=__name__,
    metrics=_METRICS,
    params={"cache": Param("warm", "host page cache at the request", ("warm", "cold")), **SIZE, **TOUCH},
    primary=("startup.ready_s",),
    questions=(
        Question(
            "Start",
            "request until ready",
            "Life of an instance",
            "startup.ready_s",
            {"cache": "warm"},
            verb="is ready after",
        ),
        Question("CPU to start", "all processes", "Life of an instance", "startup.cpu_s", {"cache": "warm"}),
        Question("Stop", "until it has ended", "Life of an instance", "startup.stop_s", {"cache": "warm"}),
    ),
)
