"""The chart of ``size``: bytes of the same application in each form, on disk, shared and compressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from bench.benchmarks.size import tables
from bench.core.model import Summary
from bench.core.units import format_value
from bench.display import canvas, legends, svg, theme
from bench.display.data import ScenarioData, Variant
from bench.display.prose import block_counts
from bench.display.table import Cell, ratio_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _BOTTOM = 0.55, 0.36
_THICK, _THIN = 0.34, 0.16
_PALE = 0.35
_SMALL = 0.05
"""Fraction of the largest form below which a bar is too short to be read."""

Bar = tuple[Variant, Summary, Summary | None, Summary | None]


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the chart."""
    return [draw(data, f"{data.stem}-bytes")]


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw one bar a form: bytes on disk with their shared part, and the compressed bytes under it."""
    bars: list[Bar] = [
        (row, disk, tables.SHARED.of(data, row), tables.SMALLER.of(data, row))
        for row in tables.forms(data)
        if (disk := tables.DISK.of(data, row))
    ]
    if not bars:
        return None
    rows, cells = [row for row, *_ in bars], [_cell(bar) for bar in bars]
    room = canvas.layout(rows, cells)
    tall = room.row * len(rows)
    with canvas.sheet(_TOP + tall + _BOTTOM) as figure:
        panel = canvas.axes(figure, _TOP, tall, room.names, room.values)
        canvas.rows(panel, rows)
        most = max(one.median or 0.0 for _, disk, _, smaller in bars for one in (disk, smaller) if one)
        canvas.linear(panel, 0.0, 1.04 * (most or 1.0), "bytes")
        for index, bar in enumerate(bars):
            _bar(panel, index, bar)
        canvas.gutter(panel, "on disk (compressed)", cells)
        legends.legend(
            figure,
            [
                Patch(facecolor=theme.MUTED, alpha=_PALE, label="on disk, shared with others"),
                Patch(facecolor=theme.MUTED, label="on disk, its own"),
                Patch(facecolor="none", edgecolor=theme.MUTED, label="compressed"),
            ],
        )
        return canvas.finish(figure, _words(data, bars, name))


def _cell(bar: Bar) -> Cell:
    _, disk, _, smaller = bar
    return Cell(_size(disk), f"{_size(smaller)} compressed" if smaller else "")


def _size(found: Summary | None) -> str:
    return format_value(found.median, "bytes") if found else "–"


def _bar(panel: Axes, index: int, bar: Bar) -> None:
    row, disk, shared, smaller = bar
    colour, whole = theme.colour(row.engine, row.kind), disk.median or 0.0
    common = min(whole, (shared.median or 0.0) if shared else 0.0)
    up = index - 0.12
    panel.barh(up, common, _THICK, color=colour, alpha=_PALE, linewidth=0, zorder=2)
    panel.barh(up, whole - common, _THICK, left=common, color=colour, linewidth=0, zorder=2)
    if smaller:
        panel.barh(index + 0.19, smaller.median or 0.0, _THIN, color="none", edgecolor=colour, linewidth=1.0, zorder=2)


def _words(data: ScenarioData, bars: Sequence[Bar], name: str) -> canvas.Words:
    ordered = sorted(bars, key=lambda bar: bar[1].median or 0.0)
    (small, least, *_), (large, most, *_) = ordered[0], ordered[-1]
    title = f"The same application takes {_size(least)} as {small.text}"
    if len(bars) > 1 and least.median:
        title += f" and {_size(most)} as {large.text}, {ratio_text((most.median or 0.0) / least.median)}"
    tiny = sum((disk.median or 0.0) < _SMALL * (most.median or 0.0) for _, disk, *_ in bars)
    caption = (
        "Bytes on disk as the engine keeps them, and under each bar as they are compressed for transport; the numbers stand "
        "beside them"
        + (f", as {tiny} of the bars are too short to be read" if tiny else "")
        + ". A pale part is in other images, "
        f"too, and is there once. {block_counts((disk.n for _, disk, *_ in bars), exact=True)}"
    )
    said = [
        f"{row.text} {_size(disk)} on disk, {_size(smaller)} compressed, {_size(shared)} shared"
        for row, disk, shared, smaller in bars
    ]
    return canvas.Words(name, "bytes", title, caption, f"{title}. {'; '.join(said)}")
