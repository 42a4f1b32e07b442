"""The result of ``limits`` in sentences: whether limits hold."""

from __future__ import annotations

from bench.core.model import Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData

CLOSE = 0.05
"""A limit counts as kept when achieved ÷ asked differs from 1 by no more than this."""


def words(data: ScenarioData) -> str:
    """Say how many limits were kept, and which are farthest from what was asked for."""
    rows = prose.with_values(data.summaries, "limit.achieved_ratio")
    if not rows:
        return prose.no_values("limit.achieved_ratio")
    off = sorted((row for row in rows if _distance(row) > CLOSE), key=_distance, reverse=True)
    kept = len(rows) - len(off)
    sentences = [
        f"{kept} of {len(rows)} limits are within {100 * CLOSE:.0f} % of what was asked for",
        f"The others: {prose.joined([_short(row) for row in off])} of it" if off else "",
        _sets(data),
        prose.restriction(rows),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Say how many limits were kept."""
    rows = prose.with_values(data.summaries, "limit.achieved_ratio")
    off = sorted((row for row in rows if _distance(row) > CLOSE), key=_distance, reverse=True)
    others = f"; {prose.joined([_short(row) for row in off], 2)}" if off else ""
    return (
        f"{len(rows) - len(off)} of {len(rows)} within {100 * CLOSE:.0f} % of what was asked for{others}"
        if rows
        else ""
    )


def _sets(data: ScenarioData) -> str:
    """Say who spent CPU time outside its set of CPUs."""
    rows = prose.with_values(data.summaries, "limit.off_set_s")
    if not rows:
        return ""
    outside = [f"{row.target} {significant(row.median or 0.0)} s" for row in rows if row.median]
    if outside:
        return f"CPU time off the set of CPUs: {prose.joined(outside)}"
    return "No CPU time was spent off a set of CPUs"


def _times(row: Summary) -> str:
    """Write the ratio with its interval: ``0.719× [0.713, 0.726]``."""
    text = f"{significant(row.median or 0.0)}×"
    return text + (f" [{significant(row.ci.low)}, {significant(row.ci.high)}]" if row.ci else "")


def _distance(row: Summary) -> float:
    return abs((row.median or 0.0) - 1)


def _short(row: Summary) -> str:
    return f"{row.params.get('limit', 'limit')} of {row.target} {_times(row)}"
