"""How many fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.core.model import Status, Summary
from bench.core.units import format_value, significant
from bench.display.data import ScenarioData
from bench.display.prose import blocks, first_kind, joined, nothing, told

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
"""Stop rule → the few words that a figure has room for."""


def words(data: ScenarioData) -> str:
    """Say how many instances of each target ran at once, what stopped it, and what each further one takes."""
    rows = told(data.summaries, "density.instances")
    if not rows:
        return nothing("density.instances")
    rows = first_kind(rows)
    sentences = [
        f"At once ran {joined(_reached(rows, data.outcomes), 12)}",
        _slopes(data.summaries, rows),
        _further(data.summaries, rows),
    ]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _reached(rows: Sequence[Summary], outcomes: pd.DataFrame) -> list[str]:
    """Return number, targets and reason; targets that share both are told together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((f"{row.median:.0f}", _stop(row.target, outcomes)), []).append(row.target)
    return [
        f"{number} of {'each of ' if len(names) > 1 else ''}{joined(names, 12)}{stop}"
        for (number, stop), names in groups.items()
    ]


def _stop(target: str, outcomes: pd.DataFrame) -> str:
    """Say which rule ended most of the target's ramps, in brackets."""
    if outcomes.empty:
        return ""
    mine = outcomes[(outcomes["target"] == target) & (outcomes["status"] == Status.OK)]
    rules = Counter(str(notes["rule"]) for notes in mine["notes"] if "rule" in notes)
    if not rules:
        return ""
    rule = rules.most_common(1)[0][0]
    return f" ({RULES[rule]})" if rule == "asked" else f" (stopped by {RULES.get(rule, rule)})"


def _slopes(summaries: Sequence[Summary], rows: Sequence[Summary]) -> str:
    found = told(summaries, "density.slope_bytes", rows[0].params)
    if not found:
        return ""
    found.sort(key=lambda row: row.median or 0.0)
    ends = found if len(found) < 2 else [found[0], found[-1]]
    texts = [f"{format_value(row.median, row.unit)} ({row.target})" for row in ends]
    several = f"between {texts[0]} and {texts[-1]}" if len(texts) > 1 else texts[0]
    return f"Each further instance takes {several}{blocks(found)}"


def _further(summaries: Sequence[Summary], rows: Sequence[Summary]) -> str:
    found = told(summaries, "density.extrapolated_instances", rows[0].params)
    if not found:
        return ""
    texts = [f"{significant(row.median or 0.0, 2)} of {row.target}" for row in found]
    return f"Extrapolated, not measured: memory would last for {joined(texts, 12)}"
