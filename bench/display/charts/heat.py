"""A heat map of ratios: one row a quantity, one column a target, the ratio as text on a logarithmic colour scale centred on 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from bench.display import canvas, paper, svg, theme
from bench.display.data import Row
from bench.stats.pairs import Times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.2
_TOP = 0.1
_FOOT = 0.5
_WIDEST = 0.8
"""Greatest width of a column, inches."""
_MOST = 16.0
"""Ratio from which on a cell has full colour."""

_STRONGEST = 0.5
"""Opacity of full colour; text on a more opaque cell could not be read."""

_SLANT = 45.0
_NUMBER_PT = 7.0
_WIDE = 0.62
"""Width of a character ÷ font size."""

_HEAD_LINE = 44
_NARROWEST, _NARROW_TITLE, _NARROW_HEAD = 0.4, 24, 30
"""On a phone: width of a column in inches, characters of a row's and of a column's name."""
_LEGEND = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Table:
    """The contents of a heat map.

    Attributes:
        rows: Titles of the rows.
        columns: Labels and colours of the columns.
        cells: Row and column number → ratio.
        empty: Row and column number → one word on why there is no ratio.
        closed: Column number → a few words on why the whole column is empty.
    """

    rows: Sequence[str]
    columns: Sequence[tuple[Row, str]]
    cells: Mapping[tuple[int, int], Times]
    empty: Mapping[tuple[int, int], str]
    closed: Mapping[int, str]


def height(table: Table) -> float:
    """Return the height of the figure in inches."""
    return sum(_TOP + _head(part) + _ROW * len(part.rows) for part in _parts(table)) + _FOOT


def draw(figure: Figure, table: Table) -> None:
    """Draw the cells, the names of rows and columns, and the colour scale; on a phone some columns at a time."""
    top = 0.0
    for part in _parts(table):
        _map(figure, part, top)
        top += _TOP + _head(part) + _ROW * len(part.rows)
    _scale(figure, 0.1 if paper.is_narrow() else _left(table))


def _parts(table: Table) -> list[Table]:
    """Split a table into as many columns as are readable beside each other."""
    if not paper.is_narrow():
        return [table]
    most = max(1, int((paper.width() - _left(table) - 0.1) / _NARROWEST))
    return [
        _columns_of(table, first, min(first + most, len(table.columns))) for first in range(0, len(table.columns), most)
    ]


def _columns_of(table: Table, first: int, end: int) -> Table:
    cells = {(row, at - first): one for (row, at), one in table.cells.items() if first <= at < end}
    empty = {(row, at - first): why for (row, at), why in table.empty.items() if first <= at < end}
    closed = {at - first: why for at, why in table.closed.items() if first <= at < end}
    return Table(table.rows, table.columns[first:end], cells, empty, closed)


def _left(table: Table) -> float:
    """Return the width of the rows' names, inches."""
    return (max(len(_title(row)) for row in table.rows) * canvas.SMALL_PT * _WIDE + 12) / 72


def _title(row: str) -> str:
    return canvas.shorten(row, _NARROW_TITLE) if paper.is_narrow() else row


def _map(figure: Figure, table: Table, top: float) -> None:
    left = _left(table)
    wide = min(_WIDEST * len(table.columns), paper.width() - left - max(0.1, _overhang(table)))
    right = paper.width() - left - wide
    tall = _ROW * len(table.rows)
    axes = canvas.axes(figure, top + _TOP + _head(table), tall, left, right)
    axes.set(xlim=(0, len(table.columns)), ylim=(len(table.rows), 0))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(NullLocator())
    axes.spines[["left", "bottom"]].set_visible(False)
    points = wide * 72 / len(table.columns)
    _cells(axes, table, min(_number_pt(), points / (5.0 * _WIDE)))
    _names(axes, table)


def plot(table: Table, words: canvas.Words) -> svg.Plot:
    """Return the finished figure."""
    with canvas.sheet(height(table)) as figure:
        draw(figure, table)
        return canvas.finish(figure, words)


def _head(table: Table) -> float:
    return (
        max(len(_name(row)) for row, _ in table.columns) * canvas.SMALL_PT * 0.6 * math.sin(math.radians(_slant())) / 72
        + 0.22
    )


def _overhang(table: Table) -> float:
    """Return how far slanted names reach beyond the last column, inches."""
    count = len(table.columns)
    each = min(_WIDEST, 5.4 / count)
    reach = [
        len(_name(row)) * canvas.SMALL_PT * 0.6 * math.cos(math.radians(_slant())) / 72 - (count - index - 0.5) * each
        for index, (row, _) in enumerate(table.columns)
    ]
    return max(reach) + 0.12


def _number_pt() -> float:
    return canvas.TEXT_PT if paper.is_narrow() else _NUMBER_PT


def _slant() -> float:
    return 90.0 if paper.is_narrow() else _SLANT


def _name(row: Row) -> str:
    return canvas.shorten(f"{row.name} {row.details}".strip(), _NARROW_HEAD if paper.is_narrow() else _HEAD_LINE)


def shade(ratio: float) -> tuple[str, float]:
    """Return colour and opacity of a ratio: opacity 0 at 1, full from 16-fold on."""
    part = min(1.0, abs(math.log(ratio)) / math.log(_MOST))
    return theme.HEAT["dearer" if ratio > 1 else "cheaper"], _STRONGEST * part


def number(ratio: float) -> str:
    """Write a ratio in at most five characters, thousands with a ``k``."""
    if ratio >= 9950:
        return f"{ratio / 1000:.0f}k"
    if ratio >= 995:
        return f"{ratio / 1000:.1f}k"
    if ratio >= 9.95:
        return f"{ratio:.0f}"
    return f"{ratio:.2f}" if ratio >= 0.005 else "<0.01"


def _cells(axes: Axes, table: Table, size: float) -> None:
    for (row, column), found in table.cells.items():
        colour, part = shade(found.ratio)
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, alpha=part, linewidth=0, zorder=1))
        _write(axes, (column, row), number(found.ratio), size, weight="bold" if found.sure else "normal")
    for (row, column), why in table.empty.items():
        if column not in table.closed:
            _write(axes, (column, row), why, size * 0.92, colour=theme.MUTED)
    for index in range(len(table.rows) + 1):
        axes.axhline(index, color=theme.GRID, linewidth=0.5, zorder=2)
    for index in range(len(table.columns) + 1):
        axes.axvline(index, color=theme.GRID, linewidth=0.5, zorder=2)
    for column, why in table.closed.items():
        middle = (column + 0.5, len(table.rows) / 2)
        axes.add_patch(Rectangle((column, 0), 1, len(table.rows), facecolor=theme.SURFACE, linewidth=0, zorder=2.2))
        axes.text(*middle, why, rotation=90, ha="center", va="center", fontsize=canvas.SMALL_PT, color=theme.MUTED)


def _write(
    axes: Axes, at: tuple[int, int], text: str, size: float, *, colour: str = theme.INK, weight: str = "normal"
) -> None:
    axes.text(
        at[0] + 0.5,
        at[1] + 0.53,
        text,
        ha="center",
        va="center_baseline",
        fontsize=size,
        color=colour,
        fontweight=weight,
        zorder=3,
    )


def _names(axes: Axes, table: Table) -> None:
    for index, title in enumerate(table.rows):
        canvas.note(axes, (0, index + 0.5), (-6, 0), _title(title), align="right", size=canvas.SMALL_PT)
    for index, (row, colour) in enumerate(table.columns):
        axes.plot([index + 0.5], [-0.28], marker="s", markersize=4.5, color=colour, clip_on=False, zorder=4)
        axes.annotate(
            _name(row),
            xy=(index + 0.5, -0.28),
            xycoords="data",
            xytext=(1, 6),
            textcoords="offset points",
            rotation=_slant(),
            rotation_mode="anchor",
            ha="left",
            va="center",
            fontsize=canvas.SMALL_PT,
            color=theme.INK,
            annotation_clip=False,
        )


def _scale(figure: Figure, left: float) -> None:
    """Draw the colour scale under the map."""
    whole = float(figure.get_size_inches()[1])
    wide = min(3.6, paper.width() - left - 0.1)
    axes = canvas.axes(figure, whole - _FOOT + 0.14, 0.16, left, paper.width() - left - wide)
    axes.set(xlim=(0, len(_LEGEND)), ylim=(0, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(NullLocator())
    axes.spines[["left", "bottom"]].set_visible(False)
    for index, ratio in enumerate(_LEGEND):
        colour, part = shade(ratio)
        axes.add_patch(Rectangle((index, 0), 1, 1, facecolor=colour, alpha=part, linewidth=0))
        text = "1" if ratio == 1 else f"{ratio:g}" if ratio > 1 else f"1/{1 / ratio:.0f}"
        axes.text(index + 0.5, 0.5, text, ha="center", va="center", fontsize=_number_pt(), color=theme.INK)
    for at, words, align in ((0.0, "costs less", "left"), (float(len(_LEGEND)), "costs more", "right")):
        axes.annotate(
            words,
            xy=(at, 0),
            xytext=(0, -8),
            textcoords="offset points",
            ha=align,
            va="center",
            fontsize=canvas.SMALL_PT,
            color=theme.MUTED,
            annotation_clip=False,
        )
