"""Rows of a narrow figure: the name and the value stand above the marks, in a band that no mark can enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bench.display.table import Cell

MARKS = 0.25
"""Height of the marks of a row, inches, unless a figure needs more."""
LINE = 0.145
"""Height of a line of text, inches."""
EDGE = 0.16
"""Room left and right of the axes, inches: half a tick's label."""
_GAP = 0.05
_PER_INCH = 72.0
_Values = npt.NDArray[np.float64]


def height(lines: Sequence[Sequence[str]], cells: Sequence[Cell], marks: float = 0.0) -> float:
    """Return the height of a row in inches; ``lines`` are the details under each name."""
    texts = 1 + max(map(len, lines), default=0)
    texts = max(texts, 2) if any(cell.detail for cell in cells) else texts
    return texts * LINE + _GAP + max(MARKS, marks)


def scale(target: Axes, count: int, marks: float = 0.0) -> None:
    """Scale the vertical axis so that row 0, 1, … lie in bands of ``marks`` inches, each below a band for its texts."""
    band = max(MARKS, marks) / tall(target, count)
    texts = 1.0 - band

    def forward(values: _Values) -> _Values:
        row = np.ceil(np.asarray(values) - 0.5)
        return row + texts + (np.asarray(values) - row + 0.5) * band

    def inverse(values: _Values) -> _Values:
        row = np.floor(np.asarray(values))
        return row - 0.5 + np.maximum(np.asarray(values) - row - texts, 0.0) / band

    target.set_yscale("function", functions=(forward, inverse))
    target.set_ylim(count - 0.5, -0.5)


def tall(target: Axes, count: int) -> float:
    """Return the height of one row in inches."""
    figure = target.get_figure(root=True)
    return target.get_position().height * float(figure.get_size_inches()[1]) / count if figure else 1.0


def up(target: Axes, count: int, line: int, marks: float = 0.0) -> float:
    """Return how far a line of text lies above the middle of its row's marks, in points."""
    top = tall(target, count) - max(MARKS, marks) / 2
    return (top - _GAP / 2 - LINE * (line + 0.5)) * _PER_INCH
