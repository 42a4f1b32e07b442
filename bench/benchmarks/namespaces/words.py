"""What a namespace costs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import format_value, significant
from bench.display.data import ScenarioData
from bench.display.prose import TIMES, blocks, nothing, told, value


def words(data: ScenarioData) -> str:
    """Say which namespace is cheapest and which dearest to create, what all take together, and what takes long to end."""
    rows = told(data.summaries, "namespace.create_s")
    if not rows:
        return nothing("namespace.create_s")
    target = rows[0].target
    kinds = {str(row.params.get("kind", "")): row for row in rows if row.target == target}
    single = sorted(
        (row for kind, row in kinds.items() if kind not in ("none", "all")), key=lambda row: row.median or 0.0
    )
    sentences = [
        _ends(single) + blocks(single) if single else "",
        f"All at once take {value(kinds['all'])}" if "all" in kinds else "",
        _gone(data.summaries, target),
    ]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _ends(single: Sequence[Summary]) -> str:
    last = single[-1]
    text = f"{last.params['kind']} with {value(last)}"
    if len(single) == 1:
        return f"The only namespace measured is {text} to create"
    next_to = single[-2]
    times = (
        f", {significant((last.median or 0.0) / next_to.median, 2)}{TIMES} the next ({next_to.params['kind']})"
        if next_to.median
        else ""
    )
    first = f"{single[0].params['kind']} with {format_value(single[0].median, single[0].unit)}"
    return f"Of the single namespaces the cheapest to create is {first}, the dearest {text}{times}"


def _gone(summaries: Sequence[Summary], target: str) -> str:
    rows = [row for row in told(summaries, "namespace.destroy_s") if row.target == target]
    if not rows:
        return ""
    last = max(rows, key=lambda row: row.median or 0.0)
    return f"Longest to go: {last.params.get('kind', 'a namespace')} with {format_value(last.median, last.unit)}"
