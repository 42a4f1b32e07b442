"""Say the result of ``goodbye`` in one sentence a target."""

from __future__ import annotations

from bench.core.model import NULL, SENTINEL
from bench.core.units import format_value
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Say how long each target takes to disappear, fastest first."""
    rows = [row for row in data.summaries if row.metric == "goodbye.gone_s" and row.median is not None]
    rows = sorted((row for row in rows if row.target not in (NULL, SENTINEL)), key=lambda row: row.median or 0.0)
    if not rows:
        return "No instance was stopped: every invocation failed."
    listed = ", ".join(f"{row.target} after {format_value(row.median, row.unit)}" for row in rows)
    return f"On {data.here} the last process of a stopped instance is gone: {listed}."
