"""Tare measures what isolation costs: VMs, containers, OCI runtimes and the bare host under one clock."""

from __future__ import annotations

from collections.abc import Iterable

from bench.core.metrics import METRICS, Metric

__version__ = "0.1.0"


def _metrics() -> Iterable[Metric]:
    from bench.benchmarks import declared_metrics  # noqa: PLC0415 - whoever only imports Tare needs no benchmark

    return declared_metrics()


METRICS.declared_by(_metrics)
