"""What a namespace costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench._headline.words import TIMES, blocks, nothing, told, value
from bench.model import Summary
from bench.units import format_value, significant


def headline(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any]) -> str:
    """Say what no namespace, the cheapest, the dearest and all of them together take to create."""
    rows = told(summaries, "namespace.create_s")
    if not rows:
        return nothing("namespace.create_s")
    del scenario_meta
    target = rows[0].target
    kinds = {str(row.params.get("kind", "")): row for row in rows if row.target == target}
    single = sorted(
        (row for kind, row in kinds.items() if kind not in ("none", "all")), key=lambda row: row.median or 0
    )
    sentences = [
        f"A process without a new namespace takes {value(kinds['none'])}{blocks([kinds['none']])}"
        if "none" in kinds
        else "",
        _ends(single, kinds.get("none")),
        f"All at once take {value(kinds['all'])}" if "all" in kinds else "",
        _gone(summaries, target),
    ]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _ends(single: Sequence[Summary], none: Summary | None) -> str:
    if not single:
        return ""
    last = single[-1]
    text = f"the dearest is {last.params['kind']} with {value(last)}"
    if none is not None and none.median:
        text += f", {significant((last.median or 0.0) / none.median, 2)}{TIMES} that"
    if len(single) == 1:
        return text[:1].upper() + text[1:]
    return f"The cheapest is {single[0].params['kind']} with {format_value(single[0].median, 's')}, {text}"


def _gone(summaries: Sequence[Summary], target: str) -> str:
    rows = [row for row in told(summaries, "namespace.destroy_s") if row.target == target]
    if not rows:
        return ""
    last = max(rows, key=lambda row: row.median or 0.0)
    return f"Longest to go: {last.params.get('kind', 'a namespace')} with {format_value(last.median, last.unit)}"
