"""A line chart with one line a target, and the name at the end of each line instead of a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.display import canvas, paper, stacked, theme
from bench.display.data import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 2.9
_NARROW_HEIGHT, _BELOW = 2.2, 0.5
"""On a phone: height of the panel, and room for its axis before the names, inches."""
_PITCH = 23.0
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
_NAME = 34
_NOTE = 46


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        label: Name of the line.
        note: Text under the name.
        colour: Colour of the line.
        points: The measured points.
        stop: Whether its end is marked as a stop.
        leader: Whether a thin line leads from its end to its name.
    """

    label: Row
    note: str
    colour: str
    points: tuple[tuple[float, float], ...]
    stop: bool = False
    leader: bool = True

    @property
    def end(self) -> tuple[float, float]:
        """The last measured point, which the name stands beside."""
        return self.points[-1]


def height(lines: Sequence[Line]) -> float:
    """Return the height of the panel in inches, so that all names fit beside it, or below it on a phone."""
    if paper.is_narrow():
        return _NARROW_HEIGHT + _BELOW + len(lines) * _PITCH / 72
    return max(HEIGHT, len(lines) * _PITCH / 72 + 0.1)


def gutter(lines: Sequence[Line]) -> float:
    """Return the width of the names in inches; on a phone they are below."""
    if paper.is_narrow():
        return stacked.EDGE
    widths = [len(canvas.shorten(line.label.text, _NAME)) * canvas.SMALL_PT * 0.66 for line in lines]
    widths += [len(canvas.shorten(line.note, _NOTE)) * canvas.SMALL_PT * 0.58 for line in lines]
    return (max(widths) + 34) / 72


def scale_axes(panel: Axes, lines: Sequence[Line], x: str, y: str, *, from_zero: bool = False) -> tuple[str, str]:
    """Scale both axes to the lines, y linear from zero if asked; return ``linear`` or ``logarithmic`` for each."""
    found = [point for line in lines for point in line.points]
    panel.grid(axis="both")
    across, up = [at for at, _ in found], [value for _, value in found]
    if from_zero:
        canvas.linear(panel, min(0.0, *up), 1.06 * max(up), y, side="y")
    return canvas.scale(panel, across, x), "linear" if from_zero else canvas.scale(panel, up, y, side="y")


def draw(figure: Figure, panel: Axes, lines: Sequence[Line]) -> None:
    """Draw the lines and their names. Set the axes before."""
    for number, line in enumerate(lines):
        marker = _MARKERS[number % len(_MARKERS)]
        x, y = ([point[side] for point in line.points] for side in (0, 1))
        panel.plot(x, y, color=line.colour, linewidth=1.5, marker=marker, markersize=4, zorder=3)
        if line.stop:
            panel.plot(
                *([at] for at in line.end), color=theme.INK, marker="|", markersize=13, markeredgewidth=1.6, zorder=4
            )
    size = figure.get_size_inches()
    box = panel.get_position()
    if paper.is_narrow():
        tall = _NARROW_HEIGHT / float(size[1])
        panel.set_position((box.x0, box.y1 - tall, box.width, tall))
        _names_below(panel, lines, box.width * float(size[0]) * 72)
        return
    _names(panel, lines, box.width * float(size[0]) * 72, box.height * float(size[1]) * 72)


def _names(panel: Axes, lines: Sequence[Line], wide: float, high: float) -> None:
    """Write the names right of the panel, as close to the ends of their lines as they fit without overlap."""
    wanted = [
        _fraction(panel, line) * high if line.leader else high - _PITCH * index for index, line in enumerate(lines)
    ]
    for number, (line, up) in enumerate(zip(lines, spread(wanted, _PITCH, high), strict=True)):
        if line.leader:
            stroke = {
                "arrowstyle": "-",
                "color": line.colour,
                "linewidth": 0.6,
                "linestyle": ":",
                "shrinkA": 0,
                "shrinkB": 3,
            }
            there = (1 + 9 / wide, up / high)
            panel.annotate(
                "", xy=line.end, xytext=there, textcoords="axes fraction", arrowprops=stroke, annotation_clip=False
            )
        _name(panel, line, (1 + 14 / wide, up / high), _MARKERS[number % len(_MARKERS)])


def _names_below(panel: Axes, lines: Sequence[Line], wide: float) -> None:
    for number, line in enumerate(lines):
        down = (_BELOW * 72 + _PITCH * (number + 0.5)) / (_NARROW_HEIGHT * 72)
        _name(panel, line, (4 / wide, -down), _MARKERS[number % len(_MARKERS)])


def _fraction(panel: Axes, line: Line) -> float:
    """Return the height of a line's end within the panel, 0 to 1."""
    return float((panel.transScale + panel.transLimits).transform(line.end)[1])


def _name(panel: Axes, line: Line, at: tuple[float, float], marker: str) -> None:
    panel.plot(
        *([side] for side in at),
        transform=panel.transAxes,
        clip_on=False,
        marker=marker,
        markersize=4.5,
        color=line.colour,
        linestyle="none",
    )
    texts = (
        (canvas.shorten(line.label.text, _NAME), 5.0 if line.note else 0.0, theme.INK, "bold"),
        (canvas.shorten(line.note, _NOTE), -5.0, theme.MUTED, "normal"),
    )
    for text, up, colour, weight in texts:
        panel.annotate(
            text,
            xy=at,
            xycoords="axes fraction",
            xytext=(8, up),
            textcoords="offset points",
            va="center_baseline",
            fontsize=canvas.SMALL_PT,
            color=colour,
            fontweight=weight,
            annotation_clip=False,
        )


def spread(wanted: Sequence[float], pitch: float, whole: float) -> list[float]:
    """Move heights so that neighbours are at least ``pitch`` apart, between 0 and ``whole`` if that is possible."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    found = dict.fromkeys(order, 0.0)
    lowest = pitch / 4
    for index in order:
        found[index] = max(wanted[index], lowest)
        lowest = found[index] + pitch
    highest = whole - pitch / 4
    for index in reversed(order):
        found[index] = min(found[index], highest)
        highest = found[index] - pitch
    return [found[index] for index in range(len(wanted))]
