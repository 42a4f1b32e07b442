"""Benchmark ``reach``: who reaches whom, who may use a port, which names are found; what images stand for."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param
from bench.core.metrics import Metric


def _fact(name: str, title: str, *, yes_no: bool = False) -> Metric:
    return Metric(f"reach.{name}", "count", "lower", 0, 0.0, exact=True, title=title, may_be_zero=True, yes_no=yes_no)


BENCHMARK = Benchmark(
    name="reach",
    package=__name__,
    metrics=(
        _fact("works", "it works", yes_no=True),
        _fact("error", "error number of the call that failed"),
        _fact("documented", "it works by the documentation", yes_no=True),
        _fact("reached", "places that the instance reaches"),
        _fact("interfaces", "interfaces other than loopback"),
        _fact("deviations", "facts unlike the documentation"),
    ),
    params={
        "part": Param(
            "reach",
            "what is looked at: who reaches whom, two instances with one port, names, an image's configuration, or its tags",
            allowed=("reach", "ports", "names", "image", "tags"),
        ),
        "limit_ms": Param(
            4000, "how long a call may take; the kernel gives up after 3 s when nobody has the address", minimum=100
        ),
    },
    primary=("reach.deviations",),
)
