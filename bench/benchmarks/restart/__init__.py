"""Benchmark ``restart``: when, how soon and how often an engine starts an instance again that has ended."""

from __future__ import annotations

from bench.benchmarks.base import SIZE, Benchmark, Param, exact_counts
from bench.core.metrics import Metric

_count = exact_counts("restart")


def _time(name: str, title: str, *, may_be_zero: bool = False) -> Metric:
    return Metric(
        f"restart.{name}_s",
        "s",
        "lower",
        0.005,
        0.05,
        exact=False,
        title=title,
        may_be_zero=may_be_zero,
        host_bound=True,
    )


def _cpu(name: str, title: str) -> Metric:
    return Metric(f"restart.{name}_s", "s", "lower", 0.001, 0.05, exact=False, title=title, may_be_zero=True)


_METRICS = (
    _time("again", "first exit → next first instruction"),
    _time("normal", "start request → first instruction"),
    _time("gap", "exit → next first instruction"),
    _time("delay", "the same, less a normal start", may_be_zero=True),
    Metric("restart.growth_ratio", "ratio", "lower", 0.02, 0.05, exact=False, title="delay ÷ the one before"),
    _time("reset", "delay after a long run", may_be_zero=True),
    _cpu("cpu", "CPU time a restart, all processes"),
    _cpu("daemon_cpu", "of it in daemons"),
    _count("miscounted", "restarts that the engine has not counted, or too many"),
    _count("restarts", "restarts"),
    _count("running", "runs in the end"),
    _count("documented", "restarts by the documentation"),
    _count("documented_running", "runs in the end by the documentation"),
    _count("deviations", "cases unlike the documentation"),
    _time("outage", "service away while its daemon restarts", may_be_zero=True),
    _time("unanswered", "daemon's end asked for → answers again"),
)

BENCHMARK = Benchmark(
    name="restart",
    package=__name__,
    metrics=_METRICS,
    params={
        **SIZE,
        "part": Param(
            "delays",
            "what is measured: the delays of a crash loop, which policy restarts what, or the same over a daemon's restart",
            allowed=("delays", "policies", "daemon"),
        ),
        "attempts": Param(6, "restarts in a crash loop", minimum=1),
        "long_run_s": Param(10.5, "length of the run after which delays are measured anew, seconds; 0: none"),
        "settle_s": Param(
            2.0, "how long an instance's state must stay as it is to count as its end, seconds", minimum=0.1
        ),
    },
    primary=("restart.again_s",),
)
