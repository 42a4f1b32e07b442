"""How long a name takes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import format_value, significant
from bench.display.data import ScenarioData
from bench.display.prose import TIMES, blocks, joined, nothing, told, value


def words(data: ScenarioData) -> str:
    """Say what one lookup costs beside one without a name service, and how soon a new instance has its name."""
    rows = told(data.summaries, "discovery.lookup_s")
    if not rows:
        return nothing("discovery.lookup_s")
    baseline = data.baseline
    bare = sorted((row for row in rows if row.target == baseline), key=lambda row: row.params.get("name") != "other")
    others = [row for row in told(data.summaries, "discovery.lookup_s", {"name": "other"}) if row.target != baseline]
    sentences = [
        f"A lookup without a name service takes {value(bare[0])} on {baseline}{blocks(bare[:1])}" if bare else "",
        _others(others) + blocks(others) if others else "",
        _unknown(data.summaries, baseline),
        _resolvable(data.summaries),
    ]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _others(rows: Sequence[Summary]) -> str:
    """Compare the names of other instances, cheapest first."""
    ordered = sorted(rows, key=lambda row: row.median or 0.0)
    texts = [
        f"{format_value(row.median, row.unit)} in {row.target}"
        + (f" ({significant(row.ratio)}{TIMES})" if row.ratio else "")
        for row in ordered
    ]
    return f"The name of another instance takes {joined(texts)}"


def _unknown(summaries: Sequence[Summary], baseline: str) -> str:
    """Tell of a name that nobody has: it may be asked for outside, which takes another time."""
    rows = [row for row in told(summaries, "discovery.lookup_s", {"name": "unknown"}) if row.target != baseline]
    if not rows:
        return ""
    most = max(rows, key=lambda row: row.median or 0.0)
    return f"A name that nobody has takes up to {format_value(most.median, most.unit)} ({most.target})"


def _resolvable(summaries: Sequence[Summary]) -> str:
    rows = sorted(told(summaries, "discovery.resolvable_s"), key=lambda row: row.median or 0.0)
    if not rows:
        return ""
    texts = [f"{format_value(row.median, row.unit)} in {row.target}" for row in rows]
    return f"From its request a new instance can be found by name after {joined(texts)}"
