"""The chart of the A/A control: the ratios of every target beside those of the baseline against itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.core.model import NULL, Summary
from bench.display import canvas, control, legends, paper, svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.data import ScenarioData, Variant, metric_title
from bench.display.prose import block_counts
from bench.display.table import ratio_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TOP, _HEAD, _FOOT, _GAP = 0.3, 0.3, 0.36, 0.32
_WITH = ", with their 95\u00a0% intervals"
_GREY = (
    "Grey: from the lowest to the highest end of its intervals; a difference within the band may be the host's noise. "
)
_STEP = 0.05
"""Height that each series of a row takes at least, inches."""
_TALLEST = 1.6


@dataclass(frozen=True)
class Panel:
    """One metric: the series of each row that have a ratio, by the row's number."""

    title: str
    series: Mapping[int, Sequence[Summary]]

    @property
    def every(self) -> list[Summary]:
        """All series of all rows."""
        return [one for found in self.series.values() for one in found]


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw one panel a primary metric, one row a target, one dot a series; ``None`` if the control has no ratio."""
    rows = control.rows(data)
    panels = [_panel_of(data, rows, metric) for metric in data.primary]
    panels = [panel for panel in panels if any(one.target == NULL for one in panel.every)]
    if not panels:
        return None
    kept = [index for index in range(len(rows)) if any(index in panel.series for panel in panels)]
    rows = [rows[index] for index in kept]
    panels = [
        Panel(panel.title, {kept.index(index): found for index, found in panel.series.items()}) for panel in panels
    ]
    most = max(len(found) for panel in panels for found in panel.series.values())
    marks = min(most * _STEP, _TALLEST)
    with canvas.sheet(_TOP + _line(rows, marks) * (len(panels) if paper.is_narrow() else 1)) as figure:
        axis = _draw(figure, rows, panels, marks)
        return canvas.finish(figure, _words(data, rows, panels, name, axis))


def _panel_of(data: ScenarioData, rows: Sequence[Variant], metric: str) -> Panel:
    found = {index: control.ratios(data, row.target, metric) for index, row in enumerate(rows)}
    return Panel(metric_title(metric), {index: series for index, series in found.items() if series})


def _line(rows: Sequence[Variant], marks: float) -> float:
    """Return the height of a panel with its title and its axis, inches."""
    return _HEAD + canvas.layout(rows, [], marks).row * len(rows) + _FOOT


def _draw(figure: Figure, rows: Sequence[Variant], panels: Sequence[Panel], marks: float) -> str:
    """Draw the panels side by side, on a phone one below the other, and the legend; return the kinds of axis."""
    room = canvas.layout(rows, [], marks)
    columns = 1 if paper.is_narrow() else len(panels)
    width = (paper.width() - room.names - 0.05 - _GAP * (columns - 1)) / columns
    kinds = []
    for number, panel in enumerate(panels):
        line, column = divmod(number, columns)
        left, top = room.names + column * (width + _GAP), _TOP + _HEAD + line * _line(rows, marks)
        axes = canvas.axes(figure, top, room.row * len(rows), left, paper.width() - left - width)
        matrix.name_rows(axes, rows, names=column == 0, marks=marks)
        kinds.append(_panel(axes, rows, panel))
    legends.legend(
        figure,
        [
            legends.mark("o", "one series and its 95 % interval", size=5),
            legends.mark("o", "the baseline against itself", size=5, hollow=True),
        ],
    )
    return " and ".join(dict.fromkeys(kinds))


def _panel(axes: Axes, rows: Sequence[Variant], panel: Panel) -> str:
    ends = [end for one in panel.every if one.ratio_ci for end in (one.ratio_ci.low, one.ratio_ci.high)]
    kind = canvas.scale(axes, [1.0, *(one.ratio or 1.0 for one in panel.every), *ends], "ratio", ticks=3)
    dot_panels.thin(axes, "ratio")
    axes.axvline(1, color=theme.INK, linewidth=1.0, zorder=1.5)
    if band := control.band(panel.every):
        axes.axvspan(band.low, band.high, color=theme.MUTED, alpha=0.18, linewidth=0, zorder=1)
    canvas.note(axes, (0, axes.get_ylim()[1]), (0, 8), panel.title, weight="bold")
    for index, found in panel.series.items():
        for place, one in enumerate(found, 1):
            _dot(
                axes,
                index + 0.7 * (place / (len(found) + 1) - 0.5),
                one,
                theme.colour(rows[index].engine, rows[index].kind),
            )
    return kind


def _dot(axes: Axes, at: float, one: Summary, colour: str) -> None:
    if one.ratio_ci:
        axes.plot([one.ratio_ci.low, one.ratio_ci.high], [at, at], color=theme.INK, linewidth=0.9, zorder=2.5)
    face = theme.SURFACE if one.target == NULL else colour
    axes.plot([one.ratio or 1.0], [at], marker="o", markersize=4.4, color=colour, markerfacecolor=face, zorder=3)


def _words(data: ScenarioData, rows: Sequence[Variant], panels: Sequence[Panel], name: str, axis: str) -> canvas.Words:
    series = [one for panel in panels for one in panel.every]
    narrow = control.band(series) is not None
    caption = (
        f"Ratios to {data.baseline}, paired block by block (Hodges-Lehmann){_WITH * narrow}; {axis} axis. "
        f"Hollow: {data.baseline} a second time in each block under another name (null). {_GREY * narrow}"
        f"{block_counts(one.ratio_n for one in series)}"
    )
    title = control.title(data, series)
    said = [f"{panel.title}: {_said(rows, panel)}" for panel in panels]
    return canvas.Words(name, "control", title, caption, f"{title}. {'. '.join(said)}", control=True)


def _said(rows: Sequence[Variant], panel: Panel) -> str:
    return ", ".join(f"{rows[index].text} {_range(found)}" for index, found in panel.series.items())


def _range(found: Sequence[Summary]) -> str:
    low, high = (end(one.ratio or 1.0 for one in found) for end in (min, max))
    return ratio_text(low) if low == high else f"{ratio_text(low)} to {ratio_text(high)}"
