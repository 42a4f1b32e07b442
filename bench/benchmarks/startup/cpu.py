"""A chart of wall time and CPU time until ready, which shows whether a target computes or waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.core.model import NULL
from bench.core.units import format_value
from bench.display import canvas, legends, svg, theme
from bench.display.data import ScenarioData, Variant
from bench.display.prose import all_decided, block_counts_by_target, span
from bench.display.table import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WALL, CPU = "startup.ready_s", "startup.cpu_s"
Row = tuple[Variant, float, float]


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw both times of each target on one axis; ``None`` without a target that has both."""
    rows: list[Row] = [
        (item, wall, cpu)
        for item in data.variants
        if item.target != NULL and (wall := data.median(item, WALL)) and (cpu := data.median(item, CPU))
    ]
    if not rows:
        return None
    cells = [
        Cell(f"{100 * cpu / wall:.0f} %", f"{format_value(cpu, 's', 2)} ÷ {format_value(wall, 's', 2)}")
        for _, wall, cpu in rows
    ]
    room = canvas.layout([item for item, *_ in rows], cells)
    with canvas.sheet(0.56 + room.row * len(rows) + 0.32) as figure:
        panel = canvas.axes(figure, 0.56, room.row * len(rows), room.names, room.values)
        canvas.rows(panel, [item for item, *_ in rows])
        values = [value for _, wall, cpu in rows for value in (wall, cpu)]
        axis = canvas.scale(panel, values, "s")
        for index, row in enumerate(rows):
            _row(panel, index, row)
        canvas.gutter(panel, "CPU ÷ wall time", cells)
        _legend(figure)
        return canvas.finish(figure, _words(rows, data, name, axis))


def _row(panel: Axes, index: int, row: Row) -> None:
    item, wall, cpu = row
    colour = theme.colour(item.engine, item.kind)
    panel.plot([cpu, wall], [index, index], color=colour, linewidth=5, alpha=0.22, zorder=2)
    panel.plot([wall], [index], marker="o", markersize=6.5, color=colour, zorder=3)
    panel.plot([cpu], [index], marker="D", markersize=5.5, color=colour, markerfacecolor="none", zorder=4)


def _legend(figure: Figure) -> None:
    wall = legends.mark("o", "wall time until ready", size=5.5)
    cpu = legends.mark("D", "CPU time, all processes", size=4.8, hollow=True)
    legends.legend(figure, [wall, cpu])


def _words(rows: list[Row], data: ScenarioData, name: str, axis: str) -> canvas.Words:
    found = [one for item, *_ in rows if (one := data.summary(item, CPU))]
    title = "CPU time of a start"
    if all_decided(found):
        containers = [one for one in found if theme.family(one.engine, one.kind) not in ("host", "sandbox", "vm")]
        title = f"A {'container’s ' * bool(containers)}start costs {span(containers or found)} of CPU time"
    caption = (
        "Medians of the wall time until ready and of the CPU time of every process involved; "
        f"{axis} axis. More than 100 % means that several CPUs worked at once. "
        f"{block_counts_by_target(data, [item for item, *_ in rows], CPU)}"
    )
    alt = "; ".join(
        f"{item.text}: wall {format_value(wall, 's')}, CPU {format_value(cpu, 's')}" for item, wall, cpu in rows
    )
    return canvas.Words(name, "cpu", title, caption, f"{title}. {alt}")
