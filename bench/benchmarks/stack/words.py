"""Which layer costs what."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import format_value
from bench.display.data import ScenarioData
from bench.display.prose import blocks, joined, nothing, told, value


def words(data: ScenarioData) -> str:
    """Say which rung adds most to a whole life, in wall and in CPU time, and what the others add."""
    rows = told(data.summaries, "stack.added_s", {"phase": "total"})
    if not rows:
        return nothing("stack.added_s: two neighbouring rungs in one block")
    most = max(rows, key=lambda row: row.median or 0.0)
    others = [f"{row.target} {_signed(row)}" for row in rows if row is not most]
    cpu = [row for row in told(data.summaries, "stack.added_cpu_s", {"phase": "total"}) if row.target == most.target]
    start = f"Of all layers {most.target} adds most to a whole life: {value(most)}"
    start += f" of wall and {value(cpu[0])} of CPU time" if cpu else " of wall time"
    sentences = [
        start + blocks([most]),
        f"The others add {joined(others, 12)}" if others else "",
        _daemons(data.summaries),
    ]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _signed(row: Summary) -> str:
    return format_value(row.median, row.unit).replace("-", "−")


def _daemons(summaries: Sequence[Summary]) -> str:
    rows = told(summaries, "stack.daemon_cpu_s")
    if not rows:
        return ""
    most = max(rows, key=lambda row: row.median or 0.0)
    return f"Daemons use up to {format_value(most.median, most.unit)} of CPU time a life ({most.target})"
