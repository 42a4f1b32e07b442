"""Benchmark ``volumes``: what outlives a container, what is seen of a change from the other side, how much a tmpfs takes."""

from __future__ import annotations

from bench.benchmarks.base import Benchmark, Param, exact_counts
from bench.core.metrics import Metric

_fact = exact_counts("volumes", "higher")


BENCHMARK = Benchmark(
    name="volumes",
    package=__name__,
    metrics=(
        _fact("outlives", "volume and content outlive the container", yes_no=True),
        _fact("seen", "change is seen on the other side", yes_no=True),
        _fact("notified", "inotify reports the change on the other side", yes_no=True),
        Metric("volumes.seen_s", "s", "lower", 1e-3, 0.1, exact=False, title="change on the host → seen inside"),
        Metric("volumes.size_ratio", "ratio", "one", 0, 0.0, exact=True, title="bytes until a tmpfs is full ÷ asked"),
        _fact("charged", "what is in a tmpfs counts as the container's memory", yes_no=True),
        _fact("killed", "a tmpfs larger than the memory limit gets the container killed", yes_no=True),
        Metric(
            "volumes.reached_ratio", "ratio", "one", 0.01, 0.02, exact=False, title="bytes until killed ÷ memory limit"
        ),
    ),
    params={
        "case": Param(
            "named-rm",
            "what is examined",
            (
                *("named-rm", "named-rm-v", "anonymous-rm", "anonymous-rm-v"),
                *("bind-changes", "volume-changes", "tmpfs-changes"),
                *("tmpfs-size", "tmpfs-beyond-memory"),
            ),
        ),
        "milliseconds": Param(1000, "how long a change is waited for", minimum=50),
        "size_bytes": Param(16 * 2**20, "size of the tmpfs, bytes", minimum=2**20),
    },
    primary=("volumes.outlives", "volumes.seen", "volumes.notified", "volumes.size_ratio", "volumes.charged"),
)
