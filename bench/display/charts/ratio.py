"""A chart of ratios to the baseline, one row a target, including the A/A control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.core.model import NULL, Summary
from bench.display import canvas, prose, svg, theme
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
    colour = theme.colour(item.engine, item.kind)
    panel.plot([1, ratio], [index, index], color=colour, linewidth=5, alpha=0.22, zorder=2)
    if found.ratio_ci:
        low, high = found.ratio_ci.low, found.ratio_ci.high
        panel.plot([low, high], [index, index], color=theme.INK, linewidth=1.2, zorder=4)
        for end in (low, high):
            panel.plot([end, end], [index - 0.17, index + 0.17], color=theme.INK, linewidth=1.2, zorder=4)
    face = "none" if item.target == NULL else colour
    panel.plot([ratio], [index], marker="o", markersize=6.5, color=colour, markerfacecolor=face, zorder=3)


def _title(others: list[Row], baseline: str, metric: str) -> str:
    """Give the largest ratio with its interval, and the smallest if their intervals are apart."""
    quantity = metric_title(metric)
    if not others or not all(found.ratio_ci for _, found, _ in others):
        return f"{quantity}, compared with {baseline}"
    ordered = sorted(others, key=lambda row: row[2])
    (least, low, _), (most, high, _) = ordered[0], ordered[-1]
    takes, than = ("takes", "as long as") if metric.endswith("_s") else ("has", f"the {quantity} of")
    title = f"{most.text} {takes} {prose.ratio_with_interval(high)} {than} {baseline}"
    apart = low.ratio_ci and high.ratio_ci and low.ratio_ci.high < high.ratio_ci.low
    return f"{title}, {least.text} {prose.ratio_with_interval(low)}" if apart else title


def _words(rows: list[Row], data: ScenarioData, metric: str, name: str, axis: str) -> canvas.Words:
    quantity = metric_title(metric)
    title = _title([row for row in rows if row[0].target != NULL], data.baseline, metric)
    counts = sorted({found.ratio_n for _, found, _ in rows})
    n = f"n\u00a0=\u00a0{counts[0]}" if len(counts) == 1 else f"n\u00a0=\u00a0{counts[0]} to {counts[-1]}"
    caption = (
        f"“{quantity}” as a multiple of {data.baseline}’s, paired block by block (Hodges-Lehmann)"
        f"{prose.if_decided(counts)}; {axis} axis; {n} common blocks. "
    )
    control = any(item.target == NULL for item, *_ in rows)
    if control:
        caption += f"Hollow: {data.baseline} a second time under another name; its interval has to contain 1×."
    alt = "; ".join(
        f"{item.text} {ratio_text(ratio)} [{interval_text(found.ratio_ci, 'ratio')}]" for item, found, ratio in rows
    )
    return canvas.Words(name, "ratio", title, caption.strip(), f"{title}. {alt}", control=control)
