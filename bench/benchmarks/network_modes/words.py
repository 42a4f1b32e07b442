"""The result of ``network-modes`` in sentences: throughput, latency, CPU time, and the claimed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.benchmarks.network_modes.order import of_the_run, orders, pair_sentence, statement
from bench.core.model import Skipped, Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData
from bench.stats.order import OrderFound, OrderVerdict

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
        _cpu(data.summaries),
        _order(data.outcomes, data.points, data.skipped),
        prose.restriction(rows),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give the throughput of one outgoing stream in each mode."""
    rows = prose.with_values(data.summaries, THROUGHPUT, {"streams": 1, "direction": "out"})
    bare = [row for row in rows if row.target == data.baseline]
    return f"1 stream out: {prose.listed(data, bare + _modes(rows))}" if rows else ""


def _modes(rows: Sequence[Summary]) -> list[Summary]:
    """Leave out the host and network=none, which are no modes to compare: the latter measures its own loopback."""
    return [row for row in rows if row.engine != "host" and "network=none" not in row.target]


def _carried(rows: Sequence[Summary], baseline: str) -> str:
    """Give the throughput of one outgoing stream: the baseline's, and the most and the least of the modes."""
    bare = next((row for row in rows if row.target == baseline), None)
    modes = _modes(rows)
    start = f"With one stream {baseline} carries {prose.value(bare)}" if bare else ""
    most, least = prose.highest(modes), prose.lowest(modes)
    told = f"{'the modes carry' if bare else 'With one stream the modes carry'} {_each(modes)}" if modes else ""
    if len(modes) > 1 and most and least:
        told = f"{most.target} carries most ({_rate(most)}), {least.target} least ({_rate(least)})"
    return "; ".join(part for part in (start, told) if part)


def _each(modes: Sequence[Summary]) -> str:
    return prose.span(modes, {row.target: _named(row) for row in modes}, 12)


def _named(row: Summary) -> str:
    return f"{row.target}{_times(row)}"


def _rate(row: Summary) -> str:
    return f"{prose.value(row)}{_times(row)}"


def _times(row: Summary) -> str:
    times = prose.ratio_with_interval(row) or (prose.ratio_alone(row) if row.ratio is not None else "")
    return f"{', ' * bool(times)}{times}{prose.emulation(row)}"


def _slowest(summaries: Sequence[Summary], baseline: str) -> str:
    rows = [row for row in prose.with_values(summaries, "network.rr_p50_s") if row.target != baseline]
    if not rows:
        return ""
    if most := prose.highest(rows):
        return f"{most.target} is slowest to respond: {prose.times_of(most, baseline)}"
    return f"A response takes {prose.span(rows)}"


def _cpu(summaries: Sequence[Summary]) -> str:
    rows = prose.with_values(summaries, "network.cpu_s_per_gb", {"streams": 1, "direction": "out"})
    if len(rows) < 2:
        return ""
    return f"CPU time of the whole host for 1 GB: {prose.span([replace(row, unit='s') for row in rows])}"


def _order(outcomes: pd.DataFrame, points: pd.DataFrame, skipped: Sequence[Skipped]) -> str:
    """Give the verdict on the claimed order; where it was measured in several ways, the one for a single outgoing stream."""
    if outcomes is None or points is None or points.empty:
        return ""
    found = [one for one in orders(points, outcomes, skipped) if of_the_run(one)]
    if not found:
        return ""
    first = min(found, key=lambda one: (one.params.get("streams") != 1, one.params.get("direction") != "out"))
    if first.verdict not in (*_VERBS, OrderVerdict.NOT_MEASURED):
        return f"Undecided: whether {statement(first.order)}{_why_undecided(first)}"
    alike = [one for one in found if one.verdict == first.verdict]
    told_once = len(found) == 1 or first.verdict is OrderVerdict.NOT_MEASURED
    where = "" if told_once else f" in {len(alike)} of {len(found)} ways of measuring"
    verb = _VERBS.get(first.verdict, "was not measured")
    said = [pair_sentence(pair) for pair in first.pairs if pair.verdict is first.verdict]
    why = f": {said[0]}" if said and first.verdict is not OrderVerdict.HOLDS else ""
    return f"The order {statement(first.order)} {verb}{where}{why}"


def _why_undecided(found: OrderFound) -> str:
    pair = next((one for one in found.pairs if one.verdict is found.verdict and one.ratio is not None), None)
    if pair is None:
        return ""
    few = prose.plural(pair.n, "block") if pair.ci is None else "the interval contains 1"
    return f" ({pair.better} ÷ {pair.worse} is {significant(pair.ratio or 0.0, 3)}×, {few})"
