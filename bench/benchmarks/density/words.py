"""The result of ``density`` in sentences: how many instances fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from bench.core.model import Interval, Status, Summary
from bench.core.units import significant
from bench.display import fits, lookup, prose
from bench.display.data import ScenarioData
from bench.stats.fit import line

if TYPE_CHECKING:
    import pandas as pd

REACHED = "density.instances"
SLOPE = "density.slope_bytes"
LEFT = "density.available_bytes"
RULES = {
    "asked": "all requested started",
    "memory": "the memory floor",
    "latency": "slow starts",
    "failure": "a failed launch",
    "pressure": "memory pressure",
    "time": "the time limit",
}
"""Stop rule → a few words for tables and charts."""


def words(data: ScenarioData) -> str:
    """Say how many instances of each target ran at once, what stopped the ramp, and how much memory each further one takes."""
    rows = prose.with_values(data.summaries, REACHED)
    if not rows:
        return prose.no_values(REACHED)
    rows = prose.same_params_as_first(rows)
    slopes = prose.with_values(data.summaries, SLOPE, rows[0].params)
    straight = [row for row in slopes if not fits.is_wide(row.median, fitted(data, row.target))]
    sentences = [
        _reached(rows, data.outcomes),
        f"Each further instance takes {prose.span(straight)}" if straight else "",
        fits.left_out([row.target for row in slopes if row not in straight]),
        _further(data.summaries, rows, {row.target for row in straight}),
        prose.restriction(slopes),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Say how many instances ran at once."""
    rows = prose.with_values(data.summaries, REACHED)
    return _reached(prose.same_params_as_first(rows), data.outcomes, prose.brief_names(data)) if rows else ""


def fitted(data: ScenarioData, target: str) -> Interval | None:
    """Return the interval of the memory for each further instance: the medians of the ends of the fit in each block."""
    row = next((row for row in data.invoked if row.target == target), None)
    blocks: dict[int, list[tuple[float, float]]] = {}
    for point in lookup.points(data, row, LEFT, "instances") if row else ():
        blocks.setdefault(point.block, []).append((point.at, -point.value))
    found = [
        line([n for n, _ in at], [used for _, used in at]).ci for at in blocks.values() if len({n for n, _ in at}) > 2
    ]
    ends = [ci for ci in found if ci]
    if not ends:
        return None
    return Interval(median(ci.low for ci in ends), median(ci.high for ci in ends), ends[0].level)


def _reached(rows: Sequence[Summary], outcomes: pd.DataFrame, names: Mapping[str, str] | None = None) -> str:
    """Say how many of each target ran at once and what stopped them, targets that ended alike together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        name = (names or {}).get(row.target, row.target)
        groups.setdefault((f"{row.median:.0f}", _rule(row.target, outcomes)), []).append(name)
    if len(groups) == 1 and len(rows) > 1:
        ((number, rule),) = groups
        return f"{number} instances of each ran at once" + (f"; {_ending(rule)}" if rule else "")
    texts = [
        f"{number} of {'each of ' if len(named) > 1 else ''}{prose.joined(named, 12)}"
        + (f" ({_ending(rule)})" if rule else "")
        for (number, rule), named in groups.items()
    ]
    return f"{prose.joined(texts, 12)} ran at once"


def _ending(rule: str) -> str:
    """Say what the rule that ended a ramp means for the number."""
    return "no limit was reached" if rule == "asked" else f"stopped by {RULES.get(rule, rule)}"


def _rule(target: str, outcomes: pd.DataFrame) -> str:
    """Return the rule that ended most of a target's ramps; empty if the run does not record it."""
    if outcomes.empty:
        return ""
    mine = outcomes[(outcomes["target"] == target) & (outcomes["status"] == Status.OK)]
    rules = Counter(str(notes["rule"]) for notes in mine["notes"] if "rule" in notes)
    return rules.most_common(1)[0][0] if rules else ""


def _further(summaries: Sequence[Summary], rows: Sequence[Summary], told: Collection[str]) -> str:
    """Give the extrapolated numbers of the targets in ``told``."""
    found = prose.with_values(summaries, "density.extrapolated_instances", rows[0].params)
    texts = [f"{significant(row.median or 0.0, 2)} of {row.target}" for row in found if row.target in told]
    return (
        f"Extrapolated, not measured, and another limit may come first: memory would last for {prose.joined(texts, 12)}"
        if texts
        else ""
    )
