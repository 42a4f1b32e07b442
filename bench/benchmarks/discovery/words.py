"""The result of ``discovery`` in sentences: how long a lookup takes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Compare lookups with one that needs no name service, and say how soon a new instance can be found by name."""
    rows = prose.with_values(data.summaries, "discovery.lookup_s")
    if not rows:
        return prose.no_values("discovery.lookup_s")
    baseline = data.baseline
    bare = sorted((row for row in rows if row.target == baseline), key=lambda row: row.params.get("name") != "other")
    others = [
        row
        for row in prose.with_values(data.summaries, "discovery.lookup_s", {"name": "other"})
        if row.target != baseline
    ]
    sentences = [
        f"A lookup without a name service takes {prose.value(bare[0])} on {baseline}" if bare else "",
        f"The name of another instance takes {_each(others, 'in')}" if others else "",
        _unknown(data.summaries, baseline),
        _resolvable(data.summaries),
        prose.restriction(rows),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give the time of a lookup on each target."""
    rows = prose.with_values(data.summaries, "discovery.lookup_s", {"name": "other"})
    return f"one lookup: {prose.listed(data, rows)}" if rows else ""


def _each(rows: Sequence[Summary], where: str) -> str:
    texts = [
        f"{prose.value(row)} {where} {row.target}" + (f" ({_times(row)})" if row.ratio is not None else "")
        for row in rows
    ]
    return prose.joined(texts)


def _times(row: Summary) -> str:
    return prose.ratio_with_interval(row) or prose.ratio_alone(row)


def _unknown(summaries: Sequence[Summary], baseline: str) -> str:
    """Give the lookups of a name that does not exist, which may be forwarded to an outside server."""
    found = prose.with_values(summaries, "discovery.lookup_s", {"name": "unknown"})
    rows = [row for row in found if row.target != baseline]
    return f"A name that does not exist takes {prose.span(rows)}" if rows else ""


def _resolvable(summaries: Sequence[Summary]) -> str:
    rows = prose.with_values(summaries, "discovery.resolvable_s")
    return f"A new instance can be found by name {prose.span(rows)} after its request" if rows else ""
