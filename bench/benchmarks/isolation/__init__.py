"""Benchmark ``isolation``: what a neighbour takes from a program, and which target keeps it."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric

ARMS = ("alone", "placebo", "unlimited", "limited", "apart")
"""What is beside the victim: nothing, an idle instance, a neighbour at work without limits, with the engine's, on other CPUs."""

VICTIMS = ("tick", "compute", "fork", "map", "file", "read", "cache", "tcp", "remote")
NEIGHBOURS = (
    *("cpu", "memory", "bandwidth", "write", "read", "cache"),
    *("network", "bulk", "flood", "forks", "journal", "pages", "inodes"),
)
NATURAL = "natural"
"""The victim that a neighbour's resource hurts most directly."""


def _time(name: str, title: str, min_effect: float) -> Metric:
    return Metric(f"isolation.{name}_s", "s", "lower", 1e-6, min_effect, exact=False, title=title)


def _rate(name: str, title: str) -> Metric:
    return Metric(f"isolation.{name}_per_s", "1/s", "higher", 0.1, 0.05, exact=False, title=title, may_be_zero=True)


def _share(name: str, title: str, min_effect: float = 0.1) -> Metric:
    return Metric(
        f"isolation.{name}_ratio", "ratio", "lower", 0.01, min_effect, exact=False, title=title, may_be_zero=True
    )


_METRICS = (
    _time("p50", "due → done, median", 0.05),
    _time("p99", "due → done, 99th percentile", 0.1),
    _time("p999", "due → done, 99.9th percentile", 0.2),
    _time("reference_p50", "due → done by itself, median", 0.05),
    _time("reference_p99", "due → done by itself, 99th percentile", 0.1),
    _time("reference_p999", "due → done by itself, 99.9th percentile", 0.2),
    Metric(
        "isolation.kept_ratio",
        "ratio",
        "higher",
        0.01,
        0.05,
        exact=False,
        title="own rate kept in the worst twentieth",
        may_be_zero=True,
        stepped=True,
    ),
    _rate("neighbour_alone", "neighbour's work before the victim"),
    _rate("neighbour", "neighbour's work beside the victim"),
    _share("neighbour_lost", "neighbour's traffic that does not arrive ÷ sent"),
    _share("pressure", "time in which tasks of the host waited"),
    _share("throttled", "time waited for a quota, summed over CPUs"),
    _share("softirq", "CPU time of software interrupts"),
    _share("steal", "CPU time taken by the hypervisor"),
    Metric(
        "isolation.sentinel_p99_s",
        "s",
        "lower",
        10e-6,
        0.2,
        exact=False,
        title="lateness outside the lab, 99th percentile",
    ),
    Metric(
        "isolation.sentinel_ratio",
        "ratio",
        "lower",
        0.1,
        0.2,
        exact=False,
        title="lateness outside the lab ÷ that of the idle host",
    ),
)

BENCHMARK = Benchmark(
    name="isolation",
    package=__name__,
    metrics=_METRICS,
    params={
        "neighbour": Param("cpu", "resource that the neighbour takes", NEIGHBOURS),
        "arm": Param("alone", "what is beside the victim", ARMS),
        "neighbour_target": Param(
            "", "another target of the run, of which the neighbour is an instance; empty: the victim's"
        ),
        "victim": Param(NATURAL, "what the victim does; natural: what fits the neighbour", (NATURAL, *VICTIMS)),
        "per_s": Param(0, "operations of the victim a second; 0: the victim's own rate"),
        "milliseconds": Param(2000, "how long the victim works", minimum=200),
        "reference_milliseconds": Param(
            0,
            "how long the victim works by itself, half before the neighbour is there and half after it is gone; 0: not at all",
        ),
        "placebo_rounds": Param(1, "how many times an idle neighbour comes and goes while the victim works", minimum=1),
        "alone_milliseconds": Param(500, "how long the neighbour works alone before", minimum=100),
        "percent": Param(100, "part of the time in which the neighbour works, %", minimum=1),
        "workers": Param(0, "processes of the neighbour that work; 0: one for each CPU that it may use"),
        "room_bytes": Param(256 * 2**20, "memory or disk that the neighbour takes at the most, bytes", minimum=2**22),
    },
    primary=("isolation.p50_s", "isolation.p99_s"),
)
