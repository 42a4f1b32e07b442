"""One number a series, for dashboards: OpenMetrics, Bencher's metric format, github-action-benchmark's custom JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

from bench import store
from bench.core.metrics import METRICS
from bench.interchange.series import Named, named

_SUFFIX = {
    "s": "seconds",
    "s/GB": "seconds_per_gb",
    "bytes": "bytes",
    "bytes/s": "bytes_per_second",
    "1/s": "per_second",
    "ratio": "ratio",
}
_ENDING = re.compile(r"_(bytes_per_s|s_per_gb|per_s|bytes|ratio|s)$")


def openmetrics(run: store.Run) -> str:
    """Write OpenMetrics 1.0 text: gauges by metric, with the median and the ends of its interval by label ``stat``."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    labels = ["scenario", "target", "params", "stat", "host", "run"]
    for one in named(run):
        metric = one.series.metric
        if metric not in gauges:
            name, unit = _gauge(metric, one.series.unit)
            known = METRICS.get(metric)
            gauges[metric] = Gauge(name, known.title if known else metric, labels, unit=unit, registry=registry)
        given = (one.series.scenario, one.series.target, ",".join(one.words))
        for stat, value in (("median", one.median), ("ci_low", one.low), ("ci_high", one.high)):
            if value is not None:
                gauges[metric].labels(*given, stat, str(run.meta.get("host", "")), run.run_id).set(value)
    text: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]  # this one function has no types
    return text.decode()


def _gauge(metric: str, unit: str) -> tuple[str, str]:
    """Return a metric's name, its unit at the end in full as the specification wants it, and that unit."""
    suffix = _SUFFIX.get(unit, "")
    plain = _ENDING.sub("", "tare_" + metric.replace(".", "_"))
    return (f"{plain}_{suffix}" if suffix else plain), suffix


def bencher(run: store.Run) -> str:
    """Write Bencher's metric format: series → metric → value with the ends of its interval."""
    found: dict[str, dict[str, Any]] = {}
    for one in named(run):
        ends = {} if one.low is None else {"lower_value": one.low, "upper_value": one.high}
        place = "/".join([one.series.scenario, one.series.target, *one.words])
        found.setdefault(place, {})[one.series.metric] = {"value": one.median, **ends}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def github(run: store.Run) -> str:
    """Write ``customSmallerIsBetter``: the metrics of which less is better."""
    return _custom(run, "lower")


def github_bigger(run: store.Run) -> str:
    """Write ``customBiggerIsBetter``: the metrics of which more is better."""
    return _custom(run, "higher")


def _custom(run: store.Run, better: str) -> str:
    chosen = [one for one in named(run) if _better(one) == better]
    return json.dumps([_entry(one) for one in chosen], indent=1, ensure_ascii=False) + "\n"


def _better(one: Named) -> str:
    known = METRICS.get(one.series.metric)
    return known.better if known else "lower"


def _entry(one: Named) -> dict[str, Any]:
    found: dict[str, Any] = {"name": one.name, "unit": one.series.unit, "value": one.median}
    if one.low is not None and one.high is not None:
        found["range"] = (
            f"± {(one.high - one.low) / 2:.6g}"  # a bare number in the unit of the value: it is converted with it
        )
    return {**found, "extra": f"blocks={len(one.values)}"}
