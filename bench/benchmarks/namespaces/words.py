"""The result of ``namespaces`` in sentences: what each kind of namespace costs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData

CREATE = "namespace.create_s"


def words(data: ScenarioData) -> str:
    """Give the time to create each kind of namespace and all together, and the time to destroy."""
    rows = prose.with_values(data.summaries, CREATE)
    if not rows:
        return prose.no_values(CREATE)
    mine = [row for row in rows if row.target == rows[0].target]
    gone = [row for row in prose.with_values(data.summaries, "namespace.destroy_s") if row.target == rows[0].target]
    together = next((row for row in mine if row.params.get("kind") == "all"), None)
    sentences = [
        f"To create one namespace takes {_span(_single(mine))}" if _single(mine) else "",
        f"All kinds at once take {prose.value(together)}" if together else "",
        f"To destroy them takes {_span(gone, 4)}" if gone else "",
        prose.restriction(mine),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give the time to create namespaces of one kind."""
    rows = prose.with_values(data.summaries, CREATE)
    mine = [row for row in rows if row.target == rows[0].target]
    return f"create: {_ends(_single(mine) or mine)}" if mine else ""


def _ends(rows: Sequence[Summary]) -> str:
    """Write the smallest and the largest if their intervals are apart; else list the kinds."""
    low, high = min(rows, key=prose.median_of), max(rows, key=prose.median_of)
    told = [f"{row.params.get('kind', 'a namespace')} {prose.value(row)}" for row in rows]
    if prose.apart(low, high):
        return f"{told[rows.index(low)]} to {told[rows.index(high)]}"
    return ", ".join(told)


def _single(rows: Sequence[Summary]) -> list[Summary]:
    return [row for row in rows if row.params.get("kind") not in ("none", "all")]


def _span(rows: Sequence[Summary], most: int = 12) -> str:
    """Write the smallest and the largest if their intervals are apart; else list the kinds in display order."""
    low, high = min(rows, key=prose.median_of), max(rows, key=prose.median_of)
    if prose.apart(low, high):
        return f"{_short(low)} to {_short(high)}"
    return prose.joined([_short(row) for row in rows], most)


def _short(row: Summary) -> str:
    return f"{prose.value(row)} ({row.params.get('kind', 'a namespace')})"
