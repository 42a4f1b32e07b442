"""Benchmark ``exec``: what one more command in a running instance costs, and what it leaves."""

from __future__ import annotations

from bench.benchmarks.base import SIZE, Benchmark, Param, Question
from bench.core.metrics import Metric
from bench.core.units import Unit


def _time(name: str, title: str, *, host_bound: bool = True) -> Metric:
    return Metric(f"exec.{name}_s", "s", "lower", 50e-6, 0.05, exact=False, title=title, host_bound=host_bound)


def _left(name: str, title: str, unit: Unit = "count") -> Metric:
    return Metric(f"exec.left_{name}", unit, "lower", 0, 0.0, exact=True, title=title, may_be_zero=True)


_METRICS = (
    _time("first_instruction", "request → first instruction of the command"),
    _time("exit", "request → its exit seen by the caller"),
    _time("cpu", "CPU time a command, all processes"),
    Metric(
        "exec.daemon_cpu_s",
        "s",
        "lower",
        50e-6,
        0.05,
        exact=False,
        title="of it in daemons and monitors",
        may_be_zero=True,
    ),
    _time("after", "request → exit, after many commands"),
    Metric(
        "exec.growth_ratio",
        "ratio",
        "lower",
        0.02,
        0.05,
        exact=False,
        title="last commands ÷ first ones of an instance",
    ),
    _time("crowd", "request → exit, many at once"),
    Metric(
        "exec.per_s",
        "1/s",
        "higher",
        0.1,
        0.05,
        exact=False,
        title="commands a second, many at once",
        shown_in="commands/s",
    ),
    _left("processes", "processes left"),
    _left("fifos", "FIFOs left"),
    _left("files", "files left"),
    Metric(
        "exec.left_descriptors", "count", "lower", 2, 0.1, exact=False, title="open descriptors left", may_be_zero=True
    ),
    Metric(
        "exec.grown_bytes", "bytes", "lower", 4096, 0.1, exact=False, title="memory growth a command", may_be_zero=True
    ),
)

BENCHMARK = Benchmark(
    name="exec",
    package=__name__,
    metrics=_METRICS,
    params={
        **SIZE,
        "repeats": Param(10, "commands that are measured one after another, at each point", minimum=1),
        "at_once": Param(4.0, "commands at once in between, in multiples of the CPUs", minimum=0.01),
        "history": Param(100, "commands in one instance in all", minimum=2),
    },
    primary=("exec.exit_s",),
    questions=(Question("Exec", "one more command", "Life of an instance", "exec.exit_s"),),
)
