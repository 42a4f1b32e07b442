"""A chart of panels side by side: one panel a quantity with its own unit, one row a target, several kinds of dot in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.ticker import FixedLocator

from bench.display import canvas, legends, paper, ratio_axis, stacked, svg, theme
from bench.display.charts import matrix
from bench.display.charts.matrix import Dot
from bench.display.data import Row
from bench.display.table import interval_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_MARKS = (("o", False), ("D", True), ("^", False))
"""Marker and whether it is hollow, by kind."""

_LEGEND = 0.3
_HEAD = 0.34
_FOOT = 0.36
_GAP = 0.18
_STEP = 0.135
"""Height of each kind within a row, inches."""

_CHARACTER = 0.62
_NARROW = 3.0
"""Panels narrower than this, inches, get fewer ticks."""


@dataclass(frozen=True)
class Panel:
    """One quantity.

    Attributes:
        title: Its title.
        unit: Unit of its values.
        dots: Row number and kind → value; a missing one is left empty.
        reference: Value at which a line is drawn; ``None`` for no line.
    """

    title: str
    unit: str
    dots: Mapping[tuple[int, int], Dot]
    reference: float | None = None


@dataclass(frozen=True)
class Look:
    """What all panels share: the rows' labels and colours, and the name of each kind."""

    rows: Sequence[tuple[Row, str]]
    kinds: Sequence[str]


def compact(rows: Sequence[tuple[Row, str]], panels: Sequence[Panel]) -> tuple[list[tuple[Row, str]], list[Panel]]:
    """Leave out the rows and the panels that have no dot."""
    kept = sorted({index for panel in panels for index, _ in panel.dots})
    moved = [
        Panel(
            panel.title,
            panel.unit,
            {(kept.index(index), kind): dot for (index, kind), dot in panel.dots.items()},
            panel.reference,
        )
        for panel in panels
        if panel.dots
    ]
    return [rows[index] for index in kept], moved


def height(look: Look, panels: Sequence[Panel]) -> float:
    """Return the height of the figure in inches."""
    return _top(look) + _panel_height(look) * (len(panels) if paper.is_narrow() else 1)


def _panel_height(look: Look) -> float:
    return _HEAD + _row(look) * len(look.rows) + _FOOT


def draw(figure: Figure, look: Look, panels: Sequence[Panel]) -> None:
    """Draw the panels side by side with the rows' names on the left, and a legend if there are several kinds.

    On a phone the panels stand one below the other.
    """
    names = canvas.layout([label for label, _ in look.rows], []).names
    values = [_values(panel) for panel in panels]
    ratios = [end for panel in panels if _is_ratio(panel) for end in _ends(panel)]
    beside, tall = max(values) if paper.is_narrow() else sum(values), _row(look) * len(look.rows)
    count = 1 if paper.is_narrow() else len(panels)
    width = (paper.width() - names - beside - _GAP * (count - 1) - 0.02) / count
    left, top = names, _top(look) + _HEAD
    for panel, value in zip(panels, values, strict=True):
        axes = canvas.axes(figure, top, tall, left, paper.width() - left - width)
        _panel(axes, look, panel, ratios if _is_ratio(panel) else [], names=panel is panels[0] or paper.is_narrow())
        if paper.is_narrow():
            top += _panel_height(look)
        else:
            left += width + value + _GAP
    if len(look.kinds) > 1:
        legends.legend(figure, [_mark(kind, text) for kind, text in enumerate(look.kinds)])


def plot(look: Look, panels: Sequence[Panel], *, name: str, kind: str, title: str, caption: str) -> svg.Plot:
    """Return the finished figure; its alternative text lists all values."""
    with canvas.sheet(height(look, panels)) as figure:
        draw(figure, look, panels)
        return canvas.finish(figure, canvas.Words(name, kind, title, caption, f"{title}. {_values_text(look, panels)}"))


def _values_text(look: Look, panels: Sequence[Panel]) -> str:
    parts = []
    for panel in panels:
        kinds = len({kind for _, kind in panel.dots})
        values = [
            f"{look.rows[index][0].text} {look.kinds[kind] + ' ' if kinds > 1 else ''}{_text(dot, panel.unit)}"
            for (index, kind), dot in panel.dots.items()
        ]
        parts.append(f"{panel.title}: {', '.join(values)}")
    return ". ".join(parts)


def _text(dot: Dot, unit: str) -> str:
    return dot.text + (f" [{interval_text(dot.ci, unit)}]" if dot.ci else "")


def thin(axes: Axes, unit: str) -> None:
    """Remove ticks whose labels would overlap. Set the scale before."""
    low, high = axes.get_xlim()
    at = [float(index) for index in axes.xaxis.get_majorticklocs() if low <= index <= high]
    inches = axes.get_position().width * paper.width()
    wide = canvas.SMALL_PT * (_CHARACTER if paper.is_narrow() else 0.55)
    label = max((len(canvas.tick(index, unit)) for index in at), default=0) * wide + 5
    most = max(1, int(inches * 72 / label)) if label else 1
    if len(at) > most:
        axes.xaxis.set_major_locator(FixedLocator(at[:: -(-len(at) // most)]))


def _top(look: Look) -> float:
    return _LEGEND if len(look.kinds) > 1 else 0.06


def _row(look: Look) -> float:
    return canvas.layout([label for label, _ in look.rows], [], _marks(look)).row


def _marks(look: Look) -> float:
    """Return the height that the dots of a row need, inches."""
    return 0.1 + _STEP * len(look.kinds)


def _values(panel: Panel) -> float:
    """Return the width that the values beside a panel need, inches."""
    return (max(len(dot.text) for dot in panel.dots.values()) * canvas.SMALL_PT * _CHARACTER + 8) / 72


def _mark(kind: int, text: str) -> Line2D:
    marker, hollow = _MARKS[kind % len(_MARKS)]
    return legends.mark(marker, text, size=5, hollow=hollow)


def _is_ratio(panel: Panel) -> bool:
    """Say whether it holds multiples of 1, all of which share an axis: else 2 % would look like 20 %."""
    return panel.unit == "ratio" and panel.reference == 1 and min(_ends(panel), default=0.0) > 0


def _ends(panel: Panel) -> list[float]:
    return [end for dot in panel.dots.values() for end in (dot.value, *((dot.ci.low, dot.ci.high) if dot.ci else ()))]


def _panel(axes: Axes, look: Look, panel: Panel, ratios: Sequence[float], *, names: bool) -> None:
    labels = [label for label, _ in look.rows]
    matrix.name_rows(axes, labels, names=names, marks=_marks(look))
    around = [] if panel.reference is None else [panel.reference]
    narrow = axes.get_position().width * paper.width() < _NARROW
    if ratios:
        ratio_axis.apply(axes, ratios, most=3 if narrow else 6)
    else:
        canvas.scale(axes, [*_ends(panel), *around], panel.unit, ticks=3 if narrow else 5)
        thin(axes, panel.unit)
    if panel.reference is not None:
        axes.axvline(panel.reference, color=theme.INK, linewidth=1.0, zorder=1.5)
    canvas.note(axes, (0, axes.get_ylim()[1]), (0, 8), panel.title, weight="bold")
    step = _STEP / (max(stacked.MARKS, _marks(look)) if paper.is_narrow() else _row(look))
    for (index, kind), dot in panel.dots.items():
        kinds = sorted(one for at, one in panel.dots if at == index)
        _dot(axes, index + step * (kinds.index(kind) - (len(kinds) - 1) / 2), dot, kind, look.rows[index][1])


def _dot(axes: Axes, at: float, dot: Dot, kind: int, colour: str) -> None:
    marker, hollow = _MARKS[kind % len(_MARKS)]
    if dot.ci:
        axes.plot([dot.ci.low, dot.ci.high], [at, at], color=theme.INK, linewidth=1.0, zorder=2.5)
    face = theme.SURFACE if hollow else colour
    axes.plot(
        [dot.value],
        [at],
        marker=marker,
        markersize=4.8,
        color=colour,
        markerfacecolor=face,
        markeredgewidth=1.1,
        zorder=3,
        clip_on=False,
    )
    canvas.note(axes, (1, at), (6, 0), dot.text, size=canvas.SMALL_PT)
