"""A chart of ratios to the baseline, one row a target, including the A/A control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.core.model import NULL, Summary
from bench.display import canvas, svg, theme
from bench.display.data import ScenarioData, Variant, metric_title
from bench.display.table import Cell, interval_text, ratio_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = tuple[Variant, Summary, float]


def draw(data: ScenarioData, metric: str, name: str) -> svg.Plot | None:
    """Draw the ratios of a metric with their intervals, and a reference line at 1; ``None`` without a ratio."""
    rows: list[Row] = [
        (item, found, found.ratio)
        for item in data.variants
        if item.target != data.baseline and (found := data.summary(item, metric)) and found.ratio is not None
    ]
    if not rows:
        return None
    ends = [found.ratio_ci or None for _, found, _ in rows]
    values = [1.0, *(ratio for *_, ratio in rows), *(end for ci in ends if ci for end in (ci.low, ci.high))]
    cells = [Cell(ratio_text(ratio), interval_text(found.ratio_ci, "ratio")) for _, found, ratio in rows]
    room = canvas.layout([item for item, *_ in rows], cells)
    with canvas.sheet(0.32 + room.row * len(rows) + 0.32) as figure:
        panel = canvas.axes(figure, 0.32, room.row * len(rows), room.names, room.values)
        canvas.rows(panel, [item for item, *_ in rows])
        axis = canvas.scale(panel, values, "ratio")
        _reference(panel, data.baseline)
        for index, row in enumerate(rows):
            _row(panel, index, row)
        canvas.gutter(panel, f"× {data.baseline} (95 % CI)", cells)
        return canvas.finish(figure, _words(rows, data, metric, name, axis))


def _reference(panel: Axes, baseline: str) -> None:
    panel.axvline(1, color=theme.INK, linewidth=1.0, zorder=1.5)
    top = panel.get_ylim()[1]
    canvas.note(panel, (1, top), (-4, 8), f"same as {baseline}", size=canvas.SMALL_PT, x="data")


def _row(panel: Axes, index: int, row: Row) -> None:
    item, found, ratio = row
    colour = theme.colour(item.engine)
    panel.plot([1, ratio], [index, index], color=colour, linewidth=5, alpha=0.22, zorder=2)
    if found.ratio_ci:
        low, high = found.ratio_ci.low, found.ratio_ci.high
        panel.plot([low, high], [index, index], color=theme.INK, linewidth=1.2, zorder=4)
        for end in (low, high):
            panel.plot([end, end], [index - 0.17, index + 0.17], color=theme.INK, linewidth=1.2, zorder=4)
    face = "none" if item.target == NULL else colour
    panel.plot([ratio], [index], marker="o", markersize=6.5, color=colour, markerfacecolor=face, zorder=3)


def _words(rows: list[Row], data: ScenarioData, metric: str, name: str, axis: str) -> canvas.Words:
    others = sorted(((ratio, item.text) for item, _, ratio in rows if item.target != NULL), reverse=True)
    quantity = metric_title(metric)
    title = f"{quantity}, compared with {data.baseline}"
    if others and all(found.ratio_ci for _, found, _ in rows):
        ratio, most = others[0]
        title = f"{most} takes {ratio_text(ratio)} as long as {data.baseline}"
        if not metric.endswith("_s"):
            title = f"{most} has {ratio_text(ratio)} the {quantity} of {data.baseline}"
        if len(others) > 1:
            title += f", {others[-1][1]} {ratio_text(others[-1][0])}"
    counts = sorted({found.ratio_n for _, found, _ in rows})
    n = f"n\u00a0=\u00a0{counts[0]}" if len(counts) == 1 else f"n\u00a0=\u00a0{counts[0]} to {counts[-1]}"
    caption = (
        f"“{quantity}” as a multiple of {data.baseline}’s, paired block by block (Hodges-Lehmann), with its "
        f"95\u00a0% interval; {axis} axis; {n} common blocks. "
    )
    control = any(item.target == NULL for item, *_ in rows)
    if control:
        caption += f"Hollow: {data.baseline} a second time under another name; its interval has to contain 1×."
    alt = "; ".join(
        f"{item.text} {ratio_text(ratio)} [{interval_text(found.ratio_ci, 'ratio')}]" for item, found, ratio in rows
    )
    return canvas.Words(name, "ratio", title, caption.strip(), f"{title}. {alt}", control=control)
