"""A chart of the readings behind each slope: memory taken over the number of instances, with the fitted line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator

from bench.benchmarks.memory import tables
from bench.display import canvas, cells, legends, lookup, paper, svg, theme
from bench.display.data import ScenarioData, Variant
from bench.display.fits import is_wide
from bench.display.prose import block_counts, joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS, _NARROW_COLUMNS = 3, 2
_PANEL = 1.0
_LEFT = 0.6
_TOP = 0.22


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw one small panel a target, each with its own axes."""
    rows = lookup.without_control(data)
    shown = [(row, points) for row in rows if (points := lookup.points(data, row, tables.TAKEN, "instances"))]
    if not shown:
        return None
    head = 0.46 + 0.13 * max(0, max(len(_details(data, row)) for row, _ in shown) - 1)
    step, count = _PANEL + head + 0.22, math.ceil(len(shown) / _columns())
    width = (paper.width() - _columns() * _LEFT - 0.1) / _columns()
    with canvas.sheet(_TOP + count * step + 0.16) as figure:
        for number, (row, points) in enumerate(shown):
            line, column = divmod(number, _columns())
            left = _LEFT + column * (width + _LEFT)
            panel = canvas.axes(figure, _TOP + head + line * step, _PANEL, left, paper.width() - left - width)
            _panel(panel, data, row, points)
            _title(panel, row, _details(data, row))
        _legend(figure)
        return canvas.finish(figure, _words(data, [row for row, _ in shown], name))


def _columns() -> int:
    return _NARROW_COLUMNS if paper.is_narrow() else _COLUMNS


def _legend(figure: Figure) -> None:
    marks = [legends.mark("o", "one reading", size=3.6), legends.mark("_", "fitted line", size=9, edge=1.4)]
    legends.legend(figure, marks)


def _panel(panel: Axes, data: ScenarioData, row: Variant, points: Sequence[lookup.Point]) -> None:
    colour, most = theme.colour(row.engine, row.kind), max(point.at for point in points)
    canvas.linear(panel, 0.0, most * 1.05, "count")
    panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    values = [0.0, *(point.value for point in points)]
    pad = 0.06 * (max(values) - min(values) or 1.0)
    canvas.linear(panel, min(values) - pad, max(values) + pad, "bytes", side="y", ticks=3)
    panel.grid(axis="y")
    base, slope = data.summary(row, "memory.intercept_bytes", column="available"), tables.slope(data, row)
    if base and slope and base.median is not None and slope.median is not None:
        ends = [base.median, base.median + slope.median * most]
        panel.plot([0, most], ends, color=colour, linewidth=1.2, alpha=0.7, zorder=2)
    at = [point.at for point in points]
    panel.plot(at, values[1:], linestyle="none", marker="o", markersize=3.2, color=colour, zorder=3)


def _title(panel: Axes, row: Variant, details: Sequence[str]) -> None:
    top = panel.get_ylim()[1]
    canvas.note(panel, (0, top), (0, 8.0 + 9.5 * len(details)), _name(row), weight="bold")
    for number, text in enumerate(details, 1):
        up = 7.5 + 9.5 * (len(details) - number)
        canvas.note(panel, (0, top), (0, up), text, size=canvas.SMALL_PT, colour=theme.MUTED)


def _name(row: Variant) -> str:
    return canvas.shorten(row.name, 18 if paper.is_narrow() else 26)


def _details(data: ScenarioData, row: Variant) -> list[str]:
    fit, slope = data.summary(row, "memory.fit_r2", column="available"), tables.slope(data, row)
    said = f"{cells.plain(slope).text} each" if slope and slope.median is not None else "no line: one reading"
    return [
        *canvas.wrap(row.details, 24 if paper.is_narrow() else 34, 2),
        said + (f", R² {fit.median:.4f}" if fit and fit.median is not None else ""),
    ]


def _finding(data: ScenarioData, rows: Sequence[Variant]) -> str:
    """Say whose readings do not lie on a line, or how well all of them do."""
    scattered = [
        row.text for row in rows if (one := tables.slope(data, row)) and is_wide(one.median, tables.fitted(data, row))
    ]
    found = [data.summary(row, "memory.fit_r2", column="available") for row in rows]
    known = [one.median for one in found if one and one.median is not None]
    if scattered:
        return f"The readings of {joined(scattered)} do not lie on a line (R² from {min(known, default=0.0):.2f})"
    if not known:
        return "Memory taken over the number of instances"
    return f"The readings lie on a line for every target: R² is at least {min(known):.4f}"


def _words(data: ScenarioData, rows: Sequence[Variant], name: str) -> canvas.Words:
    title = _finding(data, rows)
    caption = (
        "What is gone from MemAvailable against the number of instances, every reading of every block, and the line through "
        "them: its slope is the cost of each further instance. Every panel has its own axes. "
        f"{block_counts(found.n for row in rows if (found := tables.slope(data, row)))}"
    )
    alt = "; ".join(f"{row.text}: {_details(data, row)[-1]}" for row in rows)
    return canvas.Words(name, "ramp", title, caption, f"{title}. {alt}")
