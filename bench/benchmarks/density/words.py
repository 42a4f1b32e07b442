"""The result of ``density`` in sentences: how many instances fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.core.model import Status, Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData
from bench.display.lookup import first_and_last

if TYPE_CHECKING:
    import pandas as pd

RULES = {
    "asked": "all asked for",
    "memory": "the memory floor",
    "latency": "slow starts",
    "failure": "a failed launch",
    "pressure": "memory pressure",
    "time": "the time limit",
}
"""Stop rule → a few words for tables and charts."""


def words(data: ScenarioData) -> str:
    """Say how many instances of each target ran at once, what stopped the ramp, and how much memory each further one takes."""
    rows = prose.with_values(data.summaries, "density.instances")
    if not rows:
        return prose.no_values("density.instances")
    rows = prose.same_params_as_first(rows)
    sentences = [
        f"At once ran {prose.joined(_reached(rows, data.outcomes), 12)}",
        _slopes(data.summaries, rows),
        _further(data.summaries, rows),
    ]
    return prose.paragraph(sentences)


def _reached(rows: Sequence[Summary], outcomes: pd.DataFrame) -> list[str]:
    """Return a phrase for each group of targets that reached the same number for the same reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((f"{row.median:.0f}", _stop(row.target, outcomes)), []).append(row.target)
    return [
        f"{number} of {'each of ' if len(names) > 1 else ''}{prose.joined(names, 12)}{stop}"
        for (number, stop), names in groups.items()
    ]


def _stop(target: str, outcomes: pd.DataFrame) -> str:
    """Return, in brackets, the rule that ended most of a target's ramps."""
    if outcomes.empty:
        return ""
    mine = outcomes[(outcomes["target"] == target) & (outcomes["status"] == Status.OK)]
    rules = Counter(str(notes["rule"]) for notes in mine["notes"] if "rule" in notes)
    if not rules:
        return ""
    rule = rules.most_common(1)[0][0]
    return f" ({RULES[rule]})" if rule == "asked" else f" (stopped by {RULES.get(rule, rule)})"


def _slopes(summaries: Sequence[Summary], rows: Sequence[Summary]) -> str:
    found = prose.with_values(summaries, "density.slope_bytes", rows[0].params)
    if not found:
        return ""
    found.sort(key=prose.median_of)
    ends = first_and_last(found)
    texts = [f"{prose.median_text(row)} ({row.target})" for row in ends]
    several = f"between {texts[0]} and {texts[-1]}" if len(texts) > 1 else texts[0]
    return f"Each further instance takes {several}{prose.too_few_blocks(found)}"


def _further(summaries: Sequence[Summary], rows: Sequence[Summary]) -> str:
    found = prose.with_values(summaries, "density.extrapolated_instances", rows[0].params)
    if not found:
        return ""
    texts = [f"{significant(row.median or 0.0, 2)} of {row.target}" for row in found]
    return f"Extrapolated, not measured: memory would last for {prose.joined(texts, 12)}"
