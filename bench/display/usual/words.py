"""What another tool measured: its medians, no more than that tool knew."""

from __future__ import annotations

from bench.display import prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Tell the medians of the first metric that has values, the smallest first."""
    metrics = [str(name) for name in data.meta.get("primary", ())]
    rows = next((found for name in metrics if (found := prose.told(data.summaries, name))), [])
    if not rows:
        return prose.nothing(metrics[0] if metrics else "any metric")
    ordered = sorted(rows, key=lambda row: row.median or 0.0)
    listed = prose.joined([f"{row.target} {prose.value(row)}" for row in ordered])
    return f"{data.meta.get('title') or 'Imported'}, {rows[0].metric}: {listed}{prose.blocks(rows)}."
