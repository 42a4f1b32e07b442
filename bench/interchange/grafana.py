"""Write a Grafana dashboard for what the OpenMetrics export of a run has: a row a scenario, a chart a metric."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench import store
from bench.core.metrics import METRICS
from bench.interchange.gauges import STARTED, gauge_names
from bench.interchange.series import NamedSeries, named_series

_UNITS = {"s": "s", "bytes": "bytes", "bytes/s": "Bps", "1/s": "ops", "ratio": "none", "count": "none", "s/GB": "s"}
"""Tare's unit → Grafana's."""
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 24
"""Size of a chart, and width of the page, in the cells of Grafana's grid."""


def dashboard(run: store.Run) -> str:
    """Write the JSON that Grafana imports (Dashboards → New → Import), with charts of every metric that the run has."""
    every = list(named_series(run))
    content = {
        "title": "Tare: what isolation costs",
        "uid": "tare-overview",
        "description": "Medians of Tare's runs, from its OpenMetrics export",
        "tags": ["tare"],
        "editable": True,
        "schemaVersion": 39,
        "time": {"from": "now-90d", "to": "now"},
        "refresh": "1h",
        "templating": {"list": [_source(), _variable("host", STARTED), *_of_targets(every)]},
        "panels": list(_numbered(_panels(every))),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _of_targets(every: Sequence[NamedSeries]) -> list[dict[str, Any]]:
    names = [name for name, _ in gauge_names(every).values()]
    selector = f'{{__name__=~"{"|".join(names)}"}}'
    return [_variable("target", selector)] if names else []


def _variable(label: str, metric: str) -> dict[str, Any]:
    return {
        "name": label,
        "label": label.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "query": f"label_values({metric}, {label})",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "sort": 1,
    }


def _panels(every: Sequence[NamedSeries]) -> Iterator[dict[str, Any]]:
    """Yield a row for each scenario and its charts, two beside each other."""
    names = gauge_names(every)
    top = 0
    by_scenario: dict[str, dict[str, str]] = {}
    for one in every:
        by_scenario.setdefault(one.series.scenario, {})[one.series.metric] = one.series.unit
    for scenario, metrics in by_scenario.items():
        place = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
        yield {"type": "row", "title": scenario, "collapsed": False, "panels": [], "gridPos": place}
        for number, (metric, unit) in enumerate(metrics.items()):
            left, down = number * _WIDTH % _COLUMNS, number * _WIDTH // _COLUMNS * _HEIGHT
            grid = {"x": left, "y": top + 1 + down, "w": _WIDTH, "h": _HEIGHT}
            yield _chart(scenario, metric, unit, names[metric][0], grid)
        top += 1 + -(-len(metrics) * _WIDTH // _COLUMNS) * _HEIGHT


def _chart(scenario: str, metric: str, unit: str, name: str, grid: Mapping[str, int]) -> dict[str, Any]:
    known = METRICS.get(metric)
    chosen = f'scenario={json.dumps(scenario)}, stat="median", host=~"$host", target=~"$target"'
    query = f"max without (run, instance, job) ({name}{{{chosen}}})"
    return {
        "type": "timeseries",
        "title": known.title if known else metric,
        "description": metric,
        "datasource": _SOURCE,
        "gridPos": dict(grid),
        "fieldConfig": {"defaults": {"unit": _UNITS.get(unit, "none"), "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"], "showLegend": True}
        },
        "targets": [
            {"refId": "A", "datasource": _SOURCE, "expr": query, "legendFormat": "{{host}} {{target}} {{params}}"}
        ],
    }


def _numbered(panels: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for number, panel in enumerate(panels, 1):
        yield {"id": number, **panel}
