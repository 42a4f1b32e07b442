"""Export one number per series for dashboards: OpenMetrics, Bencher Metric Format, github-action-benchmark."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Set as AbstractSet
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

from bench import store
from bench.core.metrics import METRICS
from bench.interchange.series import NamedSeries, named_series

_SUFFIX = {
    "s": "seconds",
    "s/GB": "seconds_per_gb",
    "bytes": "bytes",
    "bytes/s": "bytes_per_second",
    "1/s": "per_second",
    "ratio": "ratio",
}
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_ENDING = re.compile(r"_(bytes_per_s|s_per_gb|per_s|bytes|ratio|s)$")


def openmetrics(run: store.Run) -> str:
    """Write OpenMetrics 1.0 text: one gauge per metric; label ``stat`` is ``median``, ``ci_low`` or ``ci_high``."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    taken: set[str] = set()
    labels = ["scenario", "target", "params", "stat", "host", "run"]
    for one in named_series(run):
        metric = one.series.metric
        if metric not in gauges:
            name, unit = _gauge(metric, one.series.unit, taken)
            taken.add(name)
            known = METRICS.get(metric)
            gauges[metric] = Gauge(name, known.title if known else metric, labels, unit=unit, registry=registry)
        series_labels = (one.series.scenario, one.series.target, ",".join(one.labels))
        for stat, value in (("median", one.median), ("ci_low", one.low), ("ci_high", one.high)):
            if value is not None:
                gauges[metric].labels(*series_labels, stat, str(run.meta.get("host", "")), run.run_id).set(value)
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]  # this one function has no types
    return text.decode()


def _gauge(metric: str, unit: str, taken: AbstractSet[str]) -> tuple[str, str]:
    """Return the gauge's name, unused so far, which ends in its unit as the specification requires, and that unit."""
    suffix = _SUFFIX.get(unit, "")
    plain = _ENDING.sub("", "tare_" + _NOT_A_NAME.sub("_", metric))
    stems = itertools.chain([plain], (f"{plain}_{number}" for number in itertools.count(2)))
    names = (f"{stem}_{suffix}" if suffix else stem for stem in stems)
    return next(name for name in names if name not in taken), suffix


def bencher(run: store.Run) -> str:
    """Write Bencher Metric Format: series → metric → median with the ends of its interval."""
    found: dict[str, dict[str, Any]] = {}
    for one in named_series(run):
        ends = {} if one.low is None else {"lower_value": one.low, "upper_value": one.high}
        name = "/".join([one.series.scenario, one.series.target, *one.labels])
        found.setdefault(name, {})[one.series.metric] = {"value": one.median, **ends}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def github(run: store.Run) -> str:
    """Write ``customSmallerIsBetter``: metrics for which lower is better. Metrics that should be 1 or 0 are in neither file."""
    return _custom(run, "lower")


def github_bigger(run: store.Run) -> str:
    """Write ``customBiggerIsBetter``: metrics for which higher is better."""
    return _custom(run, "higher")


def _custom(run: store.Run, better: str) -> str:
    chosen = [one for one in named_series(run) if _better(one) == better]
    return json.dumps([_entry(one) for one in chosen], indent=1, ensure_ascii=False) + "\n"


def _better(one: NamedSeries) -> str:
    known = METRICS.get(one.series.metric)
    return known.better if known else "lower"


def _entry(one: NamedSeries) -> dict[str, Any]:
    found: dict[str, Any] = {"name": one.name, "unit": one.series.unit, "value": one.median}
    if one.low is not None and one.high is not None:
        # A bare number in the unit of the value: the action converts both together.
        found["range"] = f"± {(one.high - one.low) / 2:.6g}"
    return {**found, "extra": f"blocks={len(one.values)}"}
