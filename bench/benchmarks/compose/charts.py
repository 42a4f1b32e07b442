"""The charts of ``compose``: the timeline of each project by client, and what clients take beside the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.benchmarks.compose import rows
from bench.core.model import Summary
from bench.core.units import format_value
from bench.display import canvas, legends, lookup, paired, paper, svg, theme
from bench.display.data import Label, ScenarioData, Variant
from bench.display.prose import all_decided, block_counts, joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TOP, _FOOT, _ROW = 0.42, 0.5, 0.3
_MARKS = {
    "created": ("|", False, 7.0),
    "started": ("D", True, 4.2),
    "first instruction": ("o", False, 4.6),
    "healthy": ("^", False, 5.2),
}
"""Moment of a service → its marker, whether that is hollow, and its size."""


@dataclass(frozen=True)
class Bar:
    """A service of one client: its label, colour, and moments in seconds from the request."""

    label: Label
    colour: str
    at: dict[str, Summary]

    @property
    def end(self) -> float:
        """The last moment, seconds."""
        return max(one.median or 0.0 for one in self.at.values())


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw a timeline for each project."""
    return [_timeline(data, project) for project in rows.projects(data)]


def _timeline(data: ScenarioData, project: str) -> svg.Plot | None:
    chosen = [row for row in rows.ordered(data) if rows.project_of(row) == project]
    bars = [bar for row in chosen for bar in _bars(data, row)]
    if not bars:
        return None
    title = _title(data, project, chosen)
    room = canvas.layout([bar.label for bar in bars], [])
    tall = (room.row if paper.is_narrow() else _ROW) * len(bars)
    with canvas.sheet(_TOP + tall + _FOOT) as figure:
        panel = canvas.axes(figure, _TOP, tall, room.names, 0.7)
        canvas.rows(panel, [bar.label for bar in bars])
        canvas.linear(panel, 0.0, 1.03 * max(bar.end for bar in bars), "s", ticks=4 if paper.is_narrow() else 8)
        panel.set_xlabel("since up was asked for", fontsize=canvas.SMALL_PT)
        for index, bar in enumerate(bars):
            _draw(panel, index, bar)
            if index and bar.label.details != bars[index - 1].label.details:
                panel.axhline(index - 0.5, color=theme.GRID, linewidth=1.0)
        shown = [name for name in _MARKS if any(name in bar.at for bar in bars)]
        legends.legend(
            figure, [legends.mark(_MARKS[n][0], n, size=_MARKS[n][2], hollow=_MARKS[n][1]) for n in shown], len(shown)
        )
        caption = (
            f"Each service of {project} by client, from up on: when the engine reported it created and started, its first "
            "instruction, and when it was healthy. Medians of the blocks. "
            + block_counts(one.n for bar in bars for one in bar.at.values())
        )
        alt = "; ".join(f"{bar.label.text}: {_said(bar)}" for bar in bars)
        words = canvas.Words(f"{data.stem}-{project}", "timeline", title, caption, f"{title}. {alt}")
        return canvas.finish(figure, words)


def _bars(data: ScenarioData, row: Variant) -> list[Bar]:
    """Return the services of a variant by their first instructions."""
    found = []
    for service in map(str, lookup.param_values(data, rows.AT, "service")):
        at = {
            name: one
            for name in _MARKS
            if (one := data.summary(row, rows.AT, service=service, moment=name)) and one.median is not None
        }
        if at:
            label = Label(service, f"{row.target}, {rows.client_of(row)}")
            found.append(Bar(label, theme.colour(row.engine, row.kind), at))
    return sorted(found, key=lambda bar: bar.end)


def _draw(panel: Axes, index: int, bar: Bar) -> None:
    begin = min(one.median or 0.0 for one in bar.at.values())
    panel.plot([begin, bar.end], [index, index], color=bar.colour, linewidth=1.6, alpha=0.45, zorder=2)
    for name, one in bar.at.items():
        marker, hollow, size = _MARKS[name]
        face = theme.SURFACE if hollow else bar.colour
        panel.plot(
            [one.median or 0.0],
            [index],
            marker=marker,
            markersize=size,
            color=bar.colour,
            markerfacecolor=face,
            zorder=3,
            clip_on=False,
        )
    canvas.note(panel, (1, index), (6, 0), format_value(bar.end, "s"), size=canvas.SMALL_PT)


def _said(bar: Bar) -> str:
    return ", ".join(f"{name} {format_value(one.median, 's')}" for name, one in bar.at.items())


def _title(data: ScenarioData, project: str, chosen: Sequence[Variant]) -> str:
    """Say how many times the API's time each client takes, if that is decided."""
    found = [(row, times) for row in chosen if (times := rows.over_api(data, row, rows.READY)) and times.sure]
    if found and all_decided(rows.READY.of(data, row) for row, _ in found):
        said = joined([f"{paired.text(times)} by {rows.client_of(row)}" for row, times in found])
        return f"{project}: all ready after {said} of the API's time"
    return f"When the services of {project} are created, started and healthy"
