"""The result of ``namespaces`` in sentences: what each kind of namespace costs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Name the cheapest and the dearest namespace to create, the cost of all together, and the slowest to be destroyed."""
    rows = prose.with_values(data.summaries, "namespace.create_s")
    if not rows:
        return prose.no_values("namespace.create_s")
    target = rows[0].target
    kinds = {str(row.params.get("kind", "")): row for row in rows if row.target == target}
    single = sorted((row for kind, row in kinds.items() if kind not in ("none", "all")), key=prose.median_of)
    sentences = [
        _ends(single) + prose.too_few_blocks(single) if single else "",
        f"All at once take {prose.value(kinds['all'])}" if "all" in kinds else "",
        _gone(data.summaries, target),
    ]
    return prose.paragraph(sentences)


def _ends(single: Sequence[Summary]) -> str:
    last = single[-1]
    text = f"{last.params['kind']} with {prose.value(last)}"
    if len(single) == 1:
        return f"The only namespace measured is {text} to create"
    next_to = single[-2]
    times = (
        f", {significant((last.median or 0.0) / next_to.median, 2)}× the next ({next_to.params['kind']})"
        if next_to.median
        else ""
    )
    first = f"{single[0].params['kind']} with {prose.median_text(single[0])}"
    return f"Of the single namespaces the cheapest to create is {first}, the dearest {text}{times}"


def _gone(summaries: Sequence[Summary], target: str) -> str:
    rows = [row for row in prose.with_values(summaries, "namespace.destroy_s") if row.target == target]
    if not rows:
        return ""
    last = max(rows, key=prose.median_of)
    return f"Longest to go: {last.params.get('kind', 'a namespace')} with {prose.median_text(last)}"
