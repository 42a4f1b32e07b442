"""The result of ``stack`` in sentences: what each layer adds."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.display import cells, prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Name the layer that adds most to a whole life, in wall and CPU time, and list what the others add."""
    rows = prose.with_values(data.summaries, "stack.added_s", {"phase": "total"})
    if not rows:
        return prose.no_values("stack.added_s: two neighbouring rungs in one block")
    most = max(rows, key=prose.median_of)
    others = [f"{row.target} {_signed(row)}" for row in rows if row is not most]
    cpu = [
        row
        for row in prose.with_values(data.summaries, "stack.added_cpu_s", {"phase": "total"})
        if row.target == most.target
    ]
    start = f"Of all layers {most.target} adds most to a whole life: {prose.value(most)}"
    start += f" of wall and {prose.value(cpu[0])} of CPU time" if cpu else " of wall time"
    sentences = [
        start + prose.too_few_blocks([most]),
        f"The others add {prose.joined(others, 12)}" if others else "",
        _daemons(data.summaries),
    ]
    return prose.paragraph(sentences)


def _signed(row: Summary) -> str:
    return cells.minus(prose.median_text(row))


def _daemons(summaries: Sequence[Summary]) -> str:
    rows = prose.with_values(summaries, "stack.daemon_cpu_s")
    if not rows:
        return ""
    most = max(rows, key=prose.median_of)
    return f"Daemons use up to {prose.median_text(most)} of CPU time a life ({most.target})"
