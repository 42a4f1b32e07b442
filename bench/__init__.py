"""Tare measures what isolation costs: VMs, containers, OCI runtimes and the bare host under one clock."""

from __future__ import annotations

from collections.abc import Iterable

from bench.core.grounds import GROUNDS
from bench.core.metrics import METRICS, Metric

__version__ = "0.1.0"


def _metrics() -> Iterable[Metric]:
    from bench.benchmarks import declared_metrics  # noqa: PLC0415 - whoever only imports Tare needs no benchmark

    return declared_metrics()


def _ground(engine: str) -> str:
    from bench import engines  # noqa: PLC0415 - as above
    from bench.core.errors import UsageError  # noqa: PLC0415

    try:
        return engines.get(engine).stands_on
    except UsageError:  # a run may name an engine that is not installed here
        return ""


METRICS.declared_by(_metrics)
GROUNDS.declared_by(_ground)
