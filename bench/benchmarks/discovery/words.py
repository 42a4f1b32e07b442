"""The result of ``discovery`` in sentences: how long a lookup takes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import significant
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
        f"A lookup without a name service takes {prose.value(bare[0])} on {baseline}{prose.too_few_blocks(bare[:1])}"
        if bare
        else "",
        _others(others) + prose.too_few_blocks(others) if others else "",
        _unknown(data.summaries, baseline),
        _resolvable(data.summaries),
    ]
    return prose.paragraph(sentences)


def _others(rows: Sequence[Summary]) -> str:
    """List the lookups of another instance's name, fastest first."""
    ordered = sorted(rows, key=prose.median_of)
    texts = [
        f"{prose.median_text(row)} in {row.target}" + (f" ({significant(row.ratio)}×)" if row.ratio else "")
        for row in ordered
    ]
    return f"The name of another instance takes {prose.joined(texts)}"


def _unknown(summaries: Sequence[Summary], baseline: str) -> str:
    """Give the slowest lookup of a name that does not exist, which may be forwarded to an outside server."""
    rows = [
        row for row in prose.with_values(summaries, "discovery.lookup_s", {"name": "unknown"}) if row.target != baseline
    ]
    if not rows:
        return ""
    most = max(rows, key=prose.median_of)
    return f"A name that nobody has takes up to {prose.median_text(most)} ({most.target})"


def _resolvable(summaries: Sequence[Summary]) -> str:
    rows = sorted(prose.with_values(summaries, "discovery.resolvable_s"), key=prose.median_of)
    if not rows:
        return ""
    texts = [f"{prose.median_text(row)} in {row.target}" for row in rows]
    return f"From its request a new instance can be found by name after {prose.joined(texts)}"
