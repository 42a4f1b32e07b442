"""The legend of a figure along its upper edge, and the marks in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from bench.display import paper, theme

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_LINE = 0.165
"""Height of a line, inches."""
_TEXT_PT = 7.6
_PER_INCH = 72.0


def mark(
    marker: str, text: str, *, size: float = 4.4, colour: str = theme.MUTED, hollow: bool = False, edge: float = 1.0
) -> Line2D:
    """Return the legend entry of a marker."""
    face = "none" if hollow else colour
    made = Line2D(
        [], [], linestyle="none", marker=marker, markersize=size, color=colour, markerfacecolor=face, label=text
    )
    made.set_markeredgewidth(edge)
    return made


def legend(figure: Figure, handles: Sequence[Artist], columns: int | None = None) -> None:
    """Draw a legend along the upper edge, in one line or in ``columns``; where that is too wide, in more lines.

    Then the figure grows and all axes move down: call this after they are made.
    """
    wanted = columns or len(handles)
    fitting = _fitting(figure, handles, wanted)
    if more := math.ceil(len(handles) / fitting) - math.ceil(len(handles) / wanted):
        _grow(figure, _LINE * more)
    figure.legend(
        handles=list(handles),
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - 5 / (_PER_INCH * float(figure.get_size_inches()[1]))),
        ncol=fitting,
        borderaxespad=0.0,
        borderpad=0.0,
        handlelength=1.2,
        handleheight=0.9,
        handletextpad=0.5,
        columnspacing=1.3,
    )


def _fitting(figure: Figure, handles: Sequence[Artist], columns: int) -> int:
    """Return how many columns of a legend fit, at most ``columns``; on a desk's page it is known to fit."""
    room = float(figure.get_size_inches()[0]) * _PER_INCH
    widths = [len(str(handle.get_label())) * _TEXT_PT * 0.58 + 24 for handle in handles]
    for count in range(columns if paper.is_narrow() else 0, 1, -1):
        lines = math.ceil(len(widths) / count)
        if sum(max(widths[first : first + lines]) for first in range(0, len(widths), lines)) <= room:
            return count
    return 1 if paper.is_narrow() else columns


def _grow(figure: Figure, more: float) -> None:
    """Make a figure taller by inches at its upper edge."""
    width, before = map(float, figure.get_size_inches())
    after = before + more
    boxes = [(one, one.get_position()) for one in figure.axes]
    figure.set_size_inches(width, after)
    for one, box in boxes:
        one.set_position((box.x0, box.y0 * before / after, box.width, box.height * before / after))
