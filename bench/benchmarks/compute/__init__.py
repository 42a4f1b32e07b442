"""Benchmark ``compute``: whether work inside is slower than on the host."""

from __future__ import annotations

from bench.benchmarks.base import SIZE, Benchmark, Param, Question
from bench.core.metrics import Metric

_METRICS = (
    Metric(
        "compute.cpu_events_per_s",
        "1/s",
        "higher",
        0.1,
        0.02,
        exact=False,
        title="sysbench cpu events",
        shown_in="events/s",
        host_bound=True,
    ),
    Metric(
        "compute.memory_bytes_per_s",
        "bytes/s",
        "higher",
        2**20,
        0.02,
        exact=False,
        title="sysbench memory",
        host_bound=True,
    ),
    Metric("compute.syscall_s", "s", "lower", 1e-9, 0.02, exact=False, title="one system call", host_bound=True),
    Metric(
        "compute.rounds_per_s",
        "1/s",
        "higher",
        1,
        0.02,
        exact=False,
        title="fixed computation",
        host_bound=True,
        shown_in="rounds/s",
    ),
)

BENCHMARK = Benchmark(
    name="compute",
    package=__name__,
    metrics=_METRICS,
    params={
        **SIZE,
        "milliseconds": Param(500, "how long each loop runs; sysbench twice as long", minimum=50),
        "tests": Param("all", "loops: the payload's own loops only, without sysbench", ("all", "loops")),
    },
    primary=("compute.syscall_s", "compute.rounds_per_s", "compute.cpu_events_per_s", "compute.memory_bytes_per_s"),
    questions=(
        Question("Compute", "fixed loop", "Work", "compute.rounds_per_s"),
        Question("System call", "getpid", "Work", "compute.syscall_s", {"syscall": "getpid"}),
    ),
)
