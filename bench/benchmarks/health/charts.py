"""The charts of ``health``: what engines add to the waits that were asked for, what a probe costs, and probes a second."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.health import tables, words
from bench.display import lookup, svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.data import ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.prose import all_decided, block_counts, if_decided, span


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the charts."""
    return [_noticed(data), _cost(data), _rate(data)]


def _noticed(data: ScenarioData) -> svg.Plot | None:
    caption = (
        "Left: the engine's reports beyond the intervals that were asked for, of healthy since the first instruction and of "
        "unhealthy since the first failed probe. Right: how long a probe that hangs is waited for beyond its time limit."
    )
    panels = [
        ("beyond the intervals", [tables.ADDED, tables.UNHEALTHY_ADDED]),
        ("beyond the time limit", [tables.OVERRUN]),
    ]
    wrong = [*words.deviations(data), *words.leavings(data)]
    title = f"{wrong[0][0].upper()}{wrong[0][1:]}" if wrong else "When engines report healthy and unhealthy"
    kinds = [what.title for _, quantities in panels for what in quantities]
    return _plot(data, "noticed", panels, title, caption, kinds=kinds)


def _cost(data: ScenarioData) -> svg.Plot | None:
    caption = (
        "One probe: its wall time, the CPU time of every process involved, and its wall time divided by that of the same program "
        "run by exec in between (the line is 1)."
    )
    panels = [("a probe", [tables.PROBE]), ("CPU time", [tables.CPU]), ("÷ exec", [tables.RATIO])]
    found = [one for row in lookup.without_control(data) if (one := tables.PROBE.of(data, row))]
    title = f"A probe takes {span(words.plain(found))}" if all_decided(found) else "What a probe takes"
    return _plot(data, "cost", panels, title, caption)


def _rate(data: ScenarioData) -> svg.Plot | None:
    caption = "Probes a second of all instances together, and the CPU time of one, by the number of instances whose probes run."
    chosen, costs = tables.rates(data, tables.RATE), tables.rates(data, tables.RATE_CPU)
    if not chosen:
        return None
    panels = [("probes a second", chosen[-3:]), ("CPU time a probe", costs[-3:])]
    found = [one for row in lookup.without_control(data) if (one := chosen[-1].of(data, row))]
    title = f"Instances, {chosen[-1].title}: {span(found)}" if all_decided(found) else "Probes of many instances"
    return _plot(data, "rate", panels, title, caption, kinds=[what.title for what in chosen[-3:]])


def _plot(
    data: ScenarioData,
    kind: str,
    wanted: Sequence[tuple[str, Sequence[Quantity]]],
    title: str,
    caption: str,
    *,
    kinds: Sequence[str] = (),
) -> svg.Plot | None:
    """Draw one panel for each title and its quantities, one row a variant; ``None`` without a value."""
    rows = [(row, theme.colour(row.engine, row.kind)) for row in lookup.without_control(data)]
    made: list[dot_panels.Panel] = []
    counts: list[int] = []
    for head, quantities in wanted:
        numbered = [(kinds.index(what.title) if what.title in kinds else 0, what) for what in quantities]
        dots = _dots(data, [row for row, _ in rows], numbered, counts)
        unit = next((one.unit for what in quantities for one in data.summaries if one.metric == what.metric), "s")
        made.append(dot_panels.Panel(head, unit, dots, 1.0 if head == "÷ exec" else None))
    kept, panels = dot_panels.compact(rows, made)
    if not panels:
        return None
    look = dot_panels.Look(kept, [*kinds] or [what.title for what in wanted[0][1]])
    whole = f"{caption} Medians of the blocks{if_decided(counts)}. {block_counts(counts)}"
    return dot_panels.plot(look, panels, name=f"{data.stem}-{kind}", kind=kind, title=title, caption=whole)


def _dots(
    data: ScenarioData, rows: Sequence[Variant], quantities: Sequence[tuple[int, Quantity]], counts: list[int]
) -> dict[tuple[int, int], matrix.Dot]:
    """Return the dots of one panel, each quantity with the number of its kind; add the number of blocks of each to ``counts``."""
    dots = {}
    for index, row in enumerate(rows):
        for number, what in quantities:
            if (one := what.of(data, row)) and (dot := matrix.dot_of(one)):
                dots[index, number] = dot
                counts.append(one.n)
    return dots
