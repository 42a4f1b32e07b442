"""What another tool measured: its medians, no more than that tool knew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench._headline import words
from bench.model import Summary


def headline(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any]) -> str:
    """Tell the medians of the first metric that has values, the smallest first."""
    metrics = [str(name) for name in scenario_meta.get("primary", ())]
    rows = next((found for name in metrics if (found := words.told(summaries, name))), [])
    if not rows:
        return words.nothing(metrics[0] if metrics else "any metric")
    ordered = sorted(rows, key=lambda row: row.median or 0.0)
    listed = words.joined([f"{row.target} {words.value(row)}" for row in ordered])
    return f"{scenario_meta.get('title') or 'Imported'}, {rows[0].metric}: {listed}{words.blocks(rows)}."
