"""Benchmark ``reach``: who reaches whom, who may use a port, which names are found; what images stand for."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param, exact_counts

_fact = exact_counts("reach")

BENCHMARK = Benchmark(
    name="reach",
    package=__name__,
    metrics=(
        _fact("works", "it works", yes_no=True),
        _fact("error", "error number of the call that failed"),
        _fact("documented", "it works according to the documentation", yes_no=True),
        _fact("reached", "places that the instance reaches"),
        _fact("interfaces", "interfaces other than loopback"),
        _fact("deviations", "facts that differ from the documentation"),
    ),
    params={
        "part": Param(
            "reach",
            "what is examined: who reaches whom, two instances with one port, names, an image's configuration, or its tags",
            allowed=("reach", "ports", "names", "image", "tags"),
        ),
        "limit_ms": Param(
            4000, "how long a call may take; the kernel gives up after 3 s when nobody has the address", minimum=100
        ),
    },
    primary=("reach.deviations",),
)
