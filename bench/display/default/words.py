"""A sentence for benchmarks without a ``words`` module of their own: the medians."""

from __future__ import annotations

from bench.display import prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """List the medians of the first primary metric that has values, smallest first."""
    metrics = [str(name) for name in data.meta.get("primary", ())]
    rows = next((found for name in metrics if (found := prose.with_values(data.summaries, name))), [])
    if not rows:
        return prose.no_values(metrics[0] if metrics else "any metric")
    ordered = sorted(rows, key=prose.median_of)
    listed = prose.joined([f"{row.target} {prose.value(row)}" for row in ordered])
    return f"{data.meta.get('title') or 'Imported'}, {rows[0].metric}: {listed}{prose.too_few_blocks(rows)}."
