"""A sentence for benchmarks without a ``words`` module of their own: the medians."""

from __future__ import annotations

from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData, metric_title


def words(data: ScenarioData) -> str:
    """List the medians of the first primary metric that has values, smallest first."""
    metrics, rows = _metrics(data), _rows(data)
    if not rows:
        return prose.no_values(metrics[0] if metrics else "any metric")
    listed = prose.joined([f"{row.target} {prose.value(row)}" for row in rows])
    start = f"{data.meta.get('title') or 'Imported'}, {rows[0].metric}: {listed}"
    return prose.paragraph([start, prose.restriction(rows)])


def finding(data: ScenarioData) -> str:
    """List the same medians in few words."""
    rows = _rows(data)
    return f"{metric_title(rows[0].metric)}: {prose.listed(data, rows, 4)}" if rows else ""


def _metrics(data: ScenarioData) -> list[str]:
    return [str(name) for name in data.meta.get("primary", ())]


def _rows(data: ScenarioData) -> list[Summary]:
    """Return the series of the first primary metric that has values, smallest first if all have intervals."""
    rows = next((found for name in _metrics(data) if (found := prose.with_values(data.summaries, name))), [])
    return sorted(rows, key=prose.median_of) if all(map(prose.is_decided, rows)) else rows
