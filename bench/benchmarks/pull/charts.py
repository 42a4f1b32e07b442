"""The chart of ``pull``: one bar for each target and number of layers, split into pull and start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from bench.benchmarks.pull import tables
from bench.core.model import Summary
from bench.core.units import format_value
from bench.display import canvas, legends, lookup, svg, theme
from bench.display.data import ScenarioData, Variant
from bench.display.prose import all_decided, block_counts, if_decided
from bench.display.table import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _BOTTOM, _THICK, _PALE = 0.55, 0.36, 0.5, 0.35

Bar = tuple[Variant, Summary, Summary]


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the chart."""
    return [draw(data, f"{data.stem}-share")]


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the pull and the rest of the time to ready as a bar, with the share of the pull beside it."""
    bars: list[Bar] = [
        (row, pulled, ready)
        for row in lookup.without_control(data)
        if (pulled := tables.PULL.of(data, row)) and (ready := tables.READY.of(data, row))
    ]
    if not bars:
        return None
    rows, cells = [row for row, *_ in bars], [tables.share(data, row) for row, *_ in bars]
    room = canvas.layout(rows, cells)
    tall = room.row * len(rows)
    with canvas.sheet(_TOP + tall + _BOTTOM) as figure:
        panel = canvas.axes(figure, _TOP, tall, room.names, room.values)
        canvas.rows(panel, rows)
        ends = [end for _, _, ready in bars for end in (ready.median or 0.0, ready.ci.high if ready.ci else 0.0)]
        canvas.linear(panel, 0.0, 1.06 * max(ends), "s")
        for index, bar in enumerate(bars):
            _bar(panel, index, bar)
        canvas.gutter(panel, "share of the pull", cells)
        sure = any(ready.ci for *_, ready in bars)
        legends.legend(
            figure,
            [
                Patch(facecolor=theme.MUTED, label="pull and unpack"),
                Patch(facecolor=theme.MUTED, alpha=_PALE, label="create and start, until ready"),
                *([legends.mark("_", "95\u00a0% interval of the whole", size=9, colour=theme.INK, edge=1.4)] * sure),
            ],
        )
        return canvas.finish(figure, _words(data, bars, cells, name))


def _bar(panel: Axes, index: int, bar: Bar) -> None:
    row, pulled, ready = bar
    colour, first, whole = theme.colour(row.engine, row.kind), pulled.median or 0.0, ready.median or 0.0
    panel.barh(index, first, _THICK, color=colour, linewidth=0, zorder=2)
    panel.barh(index, max(0.0, whole - first), _THICK, left=first, color=colour, alpha=_PALE, linewidth=0, zorder=2)
    if ready.ci:
        panel.plot([ready.ci.low, ready.ci.high], [index, index], color=theme.INK, linewidth=1.2, zorder=3)


def _words(data: ScenarioData, bars: Sequence[Bar], cells: Sequence[Cell], name: str) -> canvas.Words:
    shares = [
        (one.median, row.text) for row, *_ in bars if (one := tables.SHARE.of(data, row)) and one.median is not None
    ]
    title = "How much of the time to ready is the pull"
    if shares and all_decided(tables.SHARE.of(data, row) for row, *_ in bars):
        low, high = min(shares), max(shares)
        title = f"The pull is {100 * low[0]:.0f}\u00a0% of the time to ready of {low[1]}"
        if len(shares) > 1:
            title += f", {100 * high[0]:.0f}\u00a0% of {high[1]}"
    counts = [ready.n for *_, ready in bars]
    caption = (
        "Time from the request for a pull into an empty store until the payload is ready; medians of the blocks. Beside the bars "
        f"the share of the pull{if_decided(counts)}. {block_counts(counts)}"
    )
    said = [
        f"{row.text}: pull {format_value(pulled.median, 's')} of {format_value(ready.median, 's')}, {cell.line}"
        for (row, pulled, ready), cell in zip(bars, cells, strict=True)
    ]
    return canvas.Words(name, "share", title, caption, f"{title}. {'; '.join(said)}")
