"""The result of ``density`` in sentences: how many instances fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from bench.core.model import Interval, Status, Summary
from bench.core.units import significant
from bench.display import fits, lookup, prose
from bench.display.data import ScenarioData, Variant
from bench.stats.fit import slope_interval

if TYPE_CHECKING:
    import pandas as pd

REACHED = "density.instances"
SLOPE = "density.slope_bytes"
LEFT = "density.available_bytes"
LATER = "density.extrapolated_instances"
BOUND = "density.bound_instances"
MEMORY = "memory"
_EARLIER = re.compile(r"; (?P<what>[^;]+) would end before that, at some (?P<at>\d+)")
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
        _further(data, {row.target for row in straight}),
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
    slopes, shares = (data.series(row, metric) if row else None for metric in (SLOPE, "density.fit_r2"))
    if not row or not slopes or not shares:
        return None
    read = Counter(point.block for point in lookup.points(data, row, LEFT, "instances"))
    explained = dict(zip(shares.blocks.tolist(), shares.values.tolist(), strict=True))
    found = [
        slope_interval(slope, explained[block], read[block])
        for block, slope in zip(slopes.blocks.tolist(), slopes.values.tolist(), strict=True)
        if block in explained
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


@dataclass(frozen=True)
class Binding:
    """The limit that would be reached first: the number of instances, extrapolated, and what would be at its end."""

    instances: float
    what: str


def binding(data: ScenarioData, row: Variant) -> Binding | None:
    """Return what would stop a target first; ``None`` without an extrapolation, or where the ramp went as far."""
    memory, reached = data.median(row, LATER), data.median(row, REACHED)
    notes = lookup.notes_of(data, row)
    found, what = data.median(row, BOUND), lookup.likeliest(notes.get("bound_by")) or MEMORY
    if found is None and memory is not None:  # a run of a Tare that had no such number wrote it into a note only
        told = _EARLIER.search(lookup.likeliest(notes.get("extrapolation")))
        found, what = (float(told["at"]), told["what"]) if told else (memory, MEMORY)
    if not found or (reached is not None and found <= reached):
        return None
    return Binding(found, what)


def _further(data: ScenarioData, told: Collection[str]) -> str:
    """Give the extrapolated numbers of the targets in ``told``: the limit that comes first."""
    rows = [row for row in lookup.without_control(data) if row.target in told]
    found = {row.target: one for row in rows if (one := binding(data, row))}
    texts = [f"{significant(one.instances, 2)} of {target} ({one.what})" for target, one in found.items()]
    return f"Extrapolated, not measured, by the limit that comes first: {prose.joined(texts, 12)}" if texts else ""
