"""The charts of ``exec``: wall and CPU time of one command, and how it fares after many and among many."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.exec import tables
from bench.core.model import NULL
from bench.core.units import format_value
from bench.display import lookup, svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.data import ScenarioData
from bench.display.paired import Quantity
from bench.display.prose import all_decided, block_counts, if_decided, span


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the charts."""
    return [_cost(data), _history(data)]


def _cost(data: ScenarioData) -> svg.Plot | None:
    """Draw the time to the first instruction and to the exit, and beside it the CPU time."""
    caption = (
        "One more command in a running instance, one after another: from its request to its first instruction and until the "
        "caller knows of its exit; beside it the CPU time of every process involved."
    )
    panels = [("request → …", [tables.FIRST, tables.EXIT]), ("CPU time a command", [tables.CPU])]
    return _plot(data, "cost", panels, _title(data), caption)


def _history(data: ScenarioData) -> svg.Plot | None:
    """Draw the first command, those after it and the last ones, and beside it the rate of many at once."""
    points = tables.after(data)
    if len(points) < 2:
        return None
    first = Quantity(points[0].metric, points[0].more, "first command of an instance")
    last = Quantity(points[-1].metric, points[-1].more, f"last ones of {points[-1].more['after']}")
    alone = Quantity(tables.EXIT.metric, {}, "those after the first")
    caption = (
        "Time from the request until the caller knows of the exit: the first command of an instance, those after it, and the "
        "last ones. Beside it: commands a second with several at once."
    )
    panels = [("request → exit seen", [first, alone, last]), ("many at once, a second", [tables.RATE])]
    return _plot(data, "history", panels, _grown(data), caption)


def _plot(
    data: ScenarioData, kind: str, wanted: Sequence[tuple[str, Sequence[Quantity]]], title: str, caption: str
) -> svg.Plot | None:
    """Draw one panel for each title and its quantities, one row a target; ``None`` without a value."""
    rows = [(row, theme.colour(row.engine, row.kind)) for row in lookup.without_control(data)]
    panels, counts = [], []
    for head, quantities in wanted:
        dots = {}
        for index, (row, _) in enumerate(rows):
            for number, what in enumerate(quantities):
                if (one := what.of(data, row)) and (dot := matrix.dot_of(one)):
                    dots[index, number] = dot
                    counts.append(one.n)
        unit = next((one.unit for what in quantities for one in data.summaries if one.metric == what.metric), "s")
        panels.append(dot_panels.Panel(head, unit, dots))
    kept, panels = dot_panels.compact(rows, panels)
    if not panels:
        return None
    look = dot_panels.Look(kept, [what.title for what in wanted[0][1]])
    whole = f"{caption} Medians of the blocks{if_decided(counts)}. {block_counts(counts)}"
    return dot_panels.plot(look, panels, name=f"{data.stem}-{kind}", kind=kind, title=title, caption=whole)


def _title(data: ScenarioData) -> str:
    """Compare the quickest and the slowest command with a bare process."""
    rows = [row for row in data.invoked if row.target not in (NULL, data.baseline)]
    found = [one for row in rows if (one := tables.EXIT.of(data, row))]
    if not all_decided(found):
        return "How long one more command takes"
    bare = [one.median for row in data.invoked if row.target == data.baseline if (one := tables.EXIT.of(data, row))]
    return f"One more command takes {span(found)}" + (
        f"; a process {format_value(bare[0], 's')} ({data.baseline})" if bare else ""
    )


def _grown(data: ScenarioData) -> str:
    rows = [one for row in lookup.without_control(data) if (one := tables.GROWTH.of(data, row))]
    slower = [row.target for row in rows if row.ci and row.ci.low > 1]
    if slower:
        return f"Commands get slower in an instance that has run many: {', '.join(slower)}"
    return "Commands after many others" + (": none gets slower" if all_decided(rows) else "")
