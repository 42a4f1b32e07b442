"""Benchmark ``health``: when an engine notices that an instance is healthy or broken, what a probe costs, what it leaves."""

from __future__ import annotations

from bench.benchmarks.base import RAMP, SIZE, Benchmark, Param, exact_counts
from bench.core.metrics import Metric

_count = exact_counts("health")

CASES = ("cmd", "shell", "start-period", "start-interval", "hanging", "hanging-shell", "rate")


def _time(name: str, title: str, *, may_be_zero: bool = False) -> Metric:
    return Metric(f"health.{name}_s", "s", "lower", 1e-3, 0.05, exact=False, title=title, may_be_zero=may_be_zero)


_METRICS = (
    _time("healthy_added", "time to healthy beyond the interval", may_be_zero=True),
    _time("unhealthy", "broken → unhealthy"),
    _time("unhealthy_added", "first failed probe → unhealthy, beyond the intervals", may_be_zero=True),
    _time("recovery", "mended → healthy"),
    _time("probe", "time a probe takes"),
    _time("cpu", "CPU time a probe, all processes"),
    Metric("health.exec_ratio", "ratio", "one", 0.02, 0.05, exact=False, title="a probe ÷ the same command by exec"),
    _count("probes_to_healthy", "probes until healthy"),
    _count("probes_to_unhealthy", "failed probes until unhealthy"),
    _count("probes_to_recovery", "probes until healthy again"),
    _count("window_missed", "outside the documented window"),
    Metric(
        "health.start_forgiven",
        "count",
        "lower",
        1,
        0.05,
        exact=False,
        title="failed probes in the start period",
        may_be_zero=True,
    ),
    _count("start_counted", "failed probes after the start period until unhealthy"),
    _count("start_early", "unhealthy within the start period"),
    _time("start_gap", "interval between probes in the start period"),
    _time("overrun", "probe waited for beyond its time limit", may_be_zero=True),
    _count("left_timed_out", "processes left by timed-out probes"),
    _count("left_zombies", "zombies left by timed-out probes"),
    _count("left_processes", "processes left by ended probes"),
    Metric("health.per_s", "1/s", "higher", 0.1, 0.05, exact=False, title="probes a second", shown_in="probes/s"),
    _time("rate_cpu", "CPU time a probe, many instances"),
)

BENCHMARK = Benchmark(
    name="health",
    package=__name__,
    metrics=_METRICS,
    params={
        **SIZE,
        "case": Param("cmd", "what is looked at", CASES),
        "interval_s": Param(0.5, "wait between two probes, seconds", minimum=0.05),
        "timeout_s": Param(0.5, "time limit of a probe that hangs, seconds", minimum=0.05),
        "retries": Param(3, "failures in a row until unhealthy", minimum=1),
        "repeats": Param(5, "probes whose time is measured", minimum=2),
        "commands": Param(5, "commands by exec, in between as many further probes; 0: none", minimum=0),
        "concurrency": RAMP["concurrency"],
        "instances": Param(10, "case rate: most instances at once", minimum=1),
        "rate_interval_s": Param(0.1, "case rate: wait between two probes of an instance, seconds", minimum=0.001),
        "window_s": Param(2.0, "case rate: how long probes are counted, seconds", minimum=0.1),
    },
    primary=("health.healthy_added_s", "health.probe_s"),
)
