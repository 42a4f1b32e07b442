"""Benchmark ``logging``: what becomes of the lines that an instance prints, and what that costs."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param, Question
from bench.core.metrics import Metric


def _count(name: str, title: str, *, exact: bool = True) -> Metric:
    """Return the metric of a count; one that is not exact depends on the moment, and often comes out the same."""
    return Metric(
        f"logging.{name}", "count", "lower", 0, 0.0, exact=exact, title=title, may_be_zero=True, stepped=not exact
    )


_METRICS = (
    _count("lost_lines", "lines lost"),
    _count("dropped_lines", "lines dropped", exact=False),
    _count("duplicated_lines", "lines duplicated"),
    _count("reordered_lines", "lines out of order"),
    _count("split_lines", "lines split", exact=False),
    _count("records", "records", exact=False),
    _count("altered_lines", "lines altered"),
    Metric("logging.lines_per_s", "1/s", "higher", 10, 0.05, exact=False, title="lines written"),
    Metric("logging.asked_ratio", "ratio", "one", 0.005, 0.02, exact=False, title="rate achieved ÷ asked"),
    Metric("logging.write_p50_s", "s", "lower", 5e-6, 0.1, exact=False, title="one write, median"),
    Metric("logging.write_p99_s", "s", "lower", 50e-6, 0.2, exact=False, title="one write, 99th percentile"),
    Metric("logging.cpu_per_million_s", "s", "lower", 0.05, 0.05, exact=False, title="CPU per million lines"),
    Metric("logging.stored_ratio", "ratio", "lower", 0.005, 0.01, exact=False, title="bytes stored ÷ written"),
    Metric("logging.kept_ratio", "ratio", "lower", 0.01, 0.05, exact=False, title="bytes kept ÷ limit"),
    Metric("logging.over_limit_bytes", "bytes", "lower", 0, 0.0, exact=True, title="over the limit", may_be_zero=True),
    _count("stalled_writers", "writers that stood still"),
)

BENCHMARK = Benchmark(
    name="logging",
    package=__name__,
    metrics=_METRICS,
    params={
        "load": Param(
            "flat",
            "what is written, and what is done meanwhile",
            ("edges", "rate", "flat", "limit", "follower", "stopped", "crash"),
        ),
        "lines": Param(10_000, "lines that are written flat out", minimum=100),
        "line_bytes": Param(100, "length of a line without its line feed, bytes", minimum=29),
        "per_s": Param(5000, "lines per second of the loads with a rate, for one second", minimum=100),
    },
    primary=("logging.lost_lines", "logging.lines_per_s", "logging.cpu_per_million_s"),
    questions=(
        Question("Log lines", "CPU per million", "Logs", "logging.cpu_per_million_s", {"load": "flat", "part": "all"}),
    ),
)
