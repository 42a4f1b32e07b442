"""Benchmark ``network-modes``: what each network mode carries, how soon it answers and what it costs."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param, Question
from bench.core.metrics import Metric

_METRICS = (
    Metric(
        "network.throughput_bytes_per_s",
        "bytes/s",
        "higher",
        2**20,
        0.05,
        exact=False,
        title="TCP throughput",
        host_bound=True,
        shown_in="bit/s",
    ),
    Metric(
        "network.cpu_s_per_gb",
        "s/GB",
        "lower",
        1e-3,
        0.05,
        exact=False,
        title="CPU time of the host for 1 GB",
        host_bound=True,
    ),
    Metric("network.retransmits", "count", "lower", 10, 0.2, exact=False, title="retransmitted segments"),
    Metric(
        "network.rr_p50_s", "s", "lower", 1e-6, 0.05, exact=False, title="request-response, median", host_bound=True
    ),
    Metric(
        "network.rr_p99_s",
        "s",
        "lower",
        5e-6,
        0.1,
        exact=False,
        title="request-response, 99th percentile",
        host_bound=True,
    ),
    Metric(
        "network.connect_per_s",
        "1/s",
        "higher",
        10,
        0.05,
        exact=False,
        title="TCP connections",
        host_bound=True,
        shown_in="connections/s",
    ),
    Metric(
        "network.udp_bytes_per_s",
        "bytes/s",
        "higher",
        2**20,
        0.05,
        exact=False,
        title="UDP received",
        host_bound=True,
        shown_in="bit/s",
    ),
    Metric("network.udp_loss_ratio", "ratio", "lower", 0.001, 0.1, exact=False, title="UDP lost ÷ sent"),
    Metric("network.udp_jitter_s", "s", "lower", 1e-6, 0.1, exact=False, title="UDP jitter"),
    Metric(
        "network.ready_s", "s", "lower", 50e-6, 0.05, exact=False, title="request → ready in this mode", host_bound=True
    ),
)

BENCHMARK = Benchmark(
    name="network-modes",
    package=__name__,
    metrics=_METRICS,
    params={
        "seconds": Param(1, "how long each stream runs", minimum=1),
        "tests": Param(
            "all",
            "basic: one stream out, request-response, and connections for a quarter of the time",
            ("all", "basic"),
        ),
        "streams": Param(4, "streams at once in the test with several", minimum=2),
    },
    primary=("network.throughput_bytes_per_s", "network.rr_p50_s", "network.connect_per_s"),
    questions=(
        Question(
            "Sending", "one stream", "Network", "network.throughput_bytes_per_s", {"direction": "out", "streams": 1}
        ),
        Question("Latency", "median answer", "Network", "network.rr_p50_s"),
    ),
)
