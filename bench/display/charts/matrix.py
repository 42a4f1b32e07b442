"""A chart of small panels side by side: one panel a quantity, one row a target, one dot a value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from matplotlib.ticker import NullLocator

from bench.core.model import NULL, Interval, Summary
from bench.core.units import format_value
from bench.display import canvas, paper, ratio_axis, svg, theme
from bench.display.data import Row, Variant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")
_COLUMNS = 3
_TOP = 0.1
_HEAD = 0.3
_FOOT = 0.36
_VALUES = 0.58
_GAP = 0.16


@dataclass(frozen=True)
class Dot:
    """A value with its interval and its text."""

    value: float
    ci: Interval | None
    text: str


def dot_of(found: Summary | None) -> Dot | None:
    """Return the dot of a series' median; ``None`` without a value."""
    if found is None or found.median is None:
        return None
    return Dot(found.median, found.ci, format_value(found.median, found.unit))


@dataclass(frozen=True)
class Panel:
    """One quantity: its title, and row number → dot; rows without a value are left empty."""

    title: str
    dots: Mapping[int, Dot]


@dataclass(frozen=True)
class Look:
    """What all panels share.

    Attributes:
        rows: The rows' labels and colours.
        unit: Unit of the values.
        reference: Value at which a line is drawn; ``None`` for no line.
        band: Half the width of a shaded band around the reference, as a fraction of it.
        shared: Whether all panels have the same axis.
    """

    rows: Sequence[tuple[Row, str]]
    unit: str
    reference: float | None = None
    band: float = 0.0
    shared: bool = False


def compact(rows: Sequence[T], panels: Sequence[Panel]) -> tuple[list[T], list[Panel]]:
    """Leave out the rows that have no dot in any panel."""
    kept = sorted({index for panel in panels for index in panel.dots})
    moved = [Panel(panel.title, {kept.index(index): dot for index, dot in panel.dots.items()}) for panel in panels]
    return [rows[index] for index in kept], moved


def height(look: Look, panels: Sequence[Panel]) -> float:
    """Return the height of the figure in inches."""
    line = _HEAD + _row(look) * len(look.rows) + _FOOT
    return _TOP + line * math.ceil(len(panels) / _columns(panels))


def _columns(panels: Sequence[Panel]) -> int:
    return 1 if paper.is_narrow() else min(_COLUMNS, len(panels))


def _row(look: Look) -> float:
    return canvas.layout([label for label, _ in look.rows], []).row - (0.0 if paper.is_narrow() else 0.04)


def draw(figure: Figure, look: Look, panels: Sequence[Panel]) -> None:
    """Draw the panels, three side by side; on a phone one below the other."""
    names = canvas.layout([label for label, _ in look.rows], []).names
    whole = paper.width() - names - 0.02
    columns = _columns(panels)
    width = (whole - _GAP * (columns - 1)) / columns - _VALUES
    tall = _row(look) * len(look.rows)
    ends = [end for panel in panels for end in _ends(panel)]
    for number, panel in enumerate(panels):
        line, column = divmod(number, columns)
        left = names + column * (width + _VALUES + _GAP)
        top = _TOP + _HEAD + line * (_HEAD + tall + _FOOT)
        axes = canvas.axes(figure, top, tall, left, paper.width() - left - width)
        _panel(axes, look, panel, ends if look.shared else _ends(panel), names=column == 0)


def plot(look: Look, panels: Sequence[Panel], words: canvas.Words) -> svg.Plot:
    """Return the finished figure."""
    with canvas.sheet(height(look, panels)) as figure:
        draw(figure, look, panels)
        return canvas.finish(figure, words)


def _ends(panel: Panel) -> list[float]:
    return [end for dot in panel.dots.values() for end in (dot.value, *((dot.ci.low, dot.ci.high) if dot.ci else ()))]


def name_rows(axes: Axes, labels: Sequence[Row], *, names: bool, marks: float = 0.0) -> None:
    """Set a panel's rows; ``names`` is false where the panel to its left shows them already."""
    if names:
        canvas.rows(axes, labels, marks)
    else:
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.yaxis.set_major_locator(NullLocator())
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")


def _panel(axes: Axes, look: Look, panel: Panel, ends: Sequence[float], *, names: bool) -> None:
    labels = [label for label, _ in look.rows]
    name_rows(axes, labels, names=names)
    around = [] if look.reference is None else [look.reference * (1 + sign * look.band) for sign in (-1, 0, 1)]
    if look.reference == 1 and look.unit == "ratio" and min(ends) > 0:
        ratio_axis.apply(axes, ends, most=4)
    else:
        canvas.scale(axes, [*ends, *around], look.unit, ticks=3)
    if look.reference is not None:
        axes.axvline(look.reference, color=theme.INK, linewidth=1.0, zorder=1.5)
        if look.band:
            axes.axvspan(around[0], around[-1], color=theme.MUTED, alpha=0.15, linewidth=0, zorder=1)
    canvas.note(axes, (0, axes.get_ylim()[1]), (0, 8), panel.title, weight="bold")
    for index, dot in panel.dots.items():
        label, colour = look.rows[index]
        _dot(axes, index, dot, colour, hollow=isinstance(label, Variant) and label.target == NULL)


def _dot(axes: Axes, index: int, dot: Dot, colour: str, *, hollow: bool) -> None:
    if dot.ci:
        axes.plot([dot.ci.low, dot.ci.high], [index, index], color=theme.INK, linewidth=1.1, zorder=4)
        for end in (dot.ci.low, dot.ci.high):
            axes.plot([end, end], [index - 0.14, index + 0.14], color=theme.INK, linewidth=1.1, zorder=4)
    face = theme.SURFACE if hollow else colour
    axes.plot(
        [dot.value], [index], marker="o", markersize=5.5, color=colour, markerfacecolor=face, zorder=3, clip_on=False
    )
    canvas.note(axes, (1, index), (5, 0), dot.text, size=canvas.SMALL_PT)
