"""The result of ``network-modes`` in sentences: throughput, latency, CPU time, and the claimed order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.benchmarks.network_modes.order import orders, pair_sentence, statement
from bench.core.model import Skipped, Summary
from bench.core.units import format_value, significant
from bench.display import prose
from bench.display.data import ScenarioData
from bench.display.lookup import first_and_last
from bench.stats.order import OrderVerdict

if TYPE_CHECKING:
    import pandas as pd

THROUGHPUT = "network.throughput_bytes_per_s"
_VERBS = {OrderVerdict.HOLDS: "holds", OrderVerdict.CONTRADICTED: "is contradicted"}


def words(data: ScenarioData) -> str:
    """Name the modes with the most and the least throughput and the slowest response, and say whether the claimed order holds."""
    baseline = data.baseline
    rows = prose.with_values(data.summaries, THROUGHPUT, {"streams": 1, "direction": "out"}) or prose.with_values(
        data.summaries, THROUGHPUT
    )
    if not rows:
        return prose.no_values(THROUGHPUT)
    sentences = [
        _carried(rows, baseline),
        _slowest(data.summaries, baseline),
        _dearest(data.summaries),
        _order(data.outcomes, data.points, data.skipped),
    ]
    return prose.paragraph(sentences)


def _carried(rows: Sequence[Summary], baseline: str) -> str:
    """Name the modes that carry most and least in one outgoing stream, with their ratios to the baseline."""
    bare = next((row for row in rows if row.target == baseline), None)
    # Neither the host nor network=none is a mode to compare: the latter measures its own loopback.
    modes = [row for row in rows if row.engine != "host" and "network=none" not in row.target]
    others = sorted(modes, key=prose.median_of, reverse=True)
    ends = first_and_last(others)
    names = ("most", "least")
    texts = [f"{row.target} carries {name} ({_rate(row)})" for name, row in zip(names, ends, strict=False)]
    start = f"With one stream {baseline} carries {prose.value(bare)}" if bare else "With one stream"
    if not texts:
        return start + prose.too_few_blocks(rows) if bare else ""
    return f"{start}{';' if bare else ''} of the modes {' and '.join(texts)}{prose.too_few_blocks(rows)}"


def _rate(row: Summary) -> str:
    times = f", {significant(row.ratio)}×" if row.ratio is not None else ""
    return f"{prose.median_text(row)}{times}{', emulated' * ('accel=tcg' in row.target)}"


def _slowest(summaries: Sequence[Summary], baseline: str) -> str:
    rows = [row for row in prose.with_values(summaries, "network.rr_p50_s") if row.target != baseline]
    if not rows:
        return ""
    most = max(rows, key=prose.median_of)
    times = f", {significant(most.ratio)}× that of {baseline}" if most.ratio is not None else ""
    return f"{most.target} is slowest to respond: {prose.median_text(most)} in the median{times}"


def _dearest(summaries: Sequence[Summary]) -> str:
    rows = prose.with_values(summaries, "network.cpu_s_per_gb", {"streams": 1, "direction": "out"})
    if len(rows) < 2:
        return ""
    rows.sort(key=prose.median_of)
    ends = [f"{format_value(row.median, 's')} of CPU time ({row.target})" for row in (rows[0], rows[-1])]
    return f"1 GB costs the whole host {ends[0]} to {ends[1]}"


def _order(outcomes: pd.DataFrame, points: pd.DataFrame, skipped: Sequence[Skipped]) -> str:
    """Give the verdict on the claimed order; where it was measured in several ways, the one for a single outgoing stream."""
    if outcomes is None or points is None or points.empty:
        return ""
    found = orders(points, outcomes, skipped)
    if not found:
        return ""
    first = min(found, key=lambda one: (one.params.get("streams") != 1, one.params.get("direction") != "out"))
    alike = [one for one in found if one.verdict == first.verdict]
    told_once = len(found) == 1 or first.verdict is OrderVerdict.NOT_MEASURED
    where = "" if told_once else f" in {len(alike)} of {len(found)} ways of measuring"
    verb = _VERBS.get(first.verdict, f"was {first.verdict}")
    said = [pair_sentence(pair) for pair in first.pairs if pair.verdict is first.verdict]
    why = f": {said[0]}" if said and first.verdict is not OrderVerdict.HOLDS else ""
    return f"The order {statement(first.order)} {verb}{where}{why}"
