"""Export one number per series for dashboards: OpenMetrics, Bencher Metric Format, github-action-benchmark."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

from bench import store
from bench.core.metrics import METRICS
from bench.interchange.series import NamedSeries, named_series, started

_SUFFIX = {
    "s": "seconds",
    "s/GB": "seconds_per_gb",
    "bytes": "bytes",
    "bytes/s": "bytes_per_second",
    "1/s": "per_second",
    "ratio": "ratio",
}
_NOT_A_NAME = re.compile(r"[^a-zA-Z0-9_]")
_LABELS = ("scenario", "target", "params", "stat", "host", "run")
STARTED = "tare_run_started_timestamp_seconds"
"""Name of the gauge of when the run began, which shows how old the other gauges are."""
ENDING = re.compile(r"_(bytes_per_s|s_per_gb|per_s|bytes|ratio|s)$")
"""What the name of a metric ends in, as its unit says."""


def openmetrics(run: store.Run) -> str:
    """Write OpenMetrics 1.0 text: one gauge per metric; label ``stat`` is ``median``, ``ci_low`` or ``ci_high``.

    Samples have no timestamps: a textfile collector and a Pushgateway refuse them. The gauge :data:`STARTED` says how old
    they are.
    """
    text: bytes = generate_latest(registry(run))  # type: ignore[no-untyped-call]  # this one function has no types
    return text.decode()


def registry(run: store.Run) -> CollectorRegistry:
    """Return the gauges of a run."""
    found = CollectorRegistry()
    every = list(named_series(run))
    host = str(run.meta.get("host", ""))
    names = gauge_names(every)
    gauges = {metric: _gauge(metric, *name, found) for metric, name in names.items()}
    for one in every:
        series_labels = (one.series.scenario, one.series.target, ",".join(one.labels))
        for stat, value in one.stats.items():
            gauges[one.series.metric].labels(*series_labels, stat, host, run.run_id).set(value)
    if (began := started(run)) is not None:
        gauge = Gauge(STARTED, "When the run began, Unix time", ["host", "run"], unit="seconds", registry=found)
        gauge.labels(host, run.run_id).set(began.timestamp())
    return found


def _gauge(metric: str, name: str, unit: str, found: CollectorRegistry) -> Gauge:
    known = METRICS.get(metric)
    return Gauge(name, known.title if known else metric, _LABELS, unit=unit, registry=found)


def gauge_names(every: Iterable[NamedSeries]) -> dict[str, tuple[str, str]]:
    """Return metric → name of its gauge and unit; the name ends in it, as the specification requires, and comes only once."""
    found: dict[str, tuple[str, str]] = {}
    taken = {STARTED}
    for one in every:
        if one.series.metric not in found:
            suffix = _SUFFIX.get(one.series.unit, "")
            plain = ENDING.sub("", "tare_" + _NOT_A_NAME.sub("_", one.series.metric))
            stems = itertools.chain([plain], (f"{plain}_{number}" for number in itertools.count(2)))
            names = (f"{stem}_{suffix}" if suffix else stem for stem in stems)
            found[one.series.metric] = next(name for name in names if name not in taken), suffix
            taken.add(found[one.series.metric][0])
    return found


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
