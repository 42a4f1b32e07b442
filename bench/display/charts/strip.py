"""Many values in the room of a few dots: density, quantiles and the outermost values of a row; medians and bands of a line.

A chart of every value would grow with the run. From ``MOST`` values on, a drawing has the same size however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.display import legends, theme

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MOST = 300
"""Values that are drawn one by one."""

_BINS = 120
_HALF = 0.34
"""Height of the strip above its row's middle, in rows."""
_OUTERMOST = 10
"""Values drawn on either side of the strip."""

CAPTION = (
    f"Rows of more than {MOST} values show the density of their values from the 1 % to the 99 % quantile, lines from 5 % to "
    f"95 % and from 25 % to 75 %, and the {_OUTERMOST} outermost values on either side; their warm-ups are not drawn."
)

BAND_CAPTION = (
    f"Lines of more than {MOST} blocks show medians of {_BINS} stretches of blocks and, around them, the 5 % to 95 % quantiles; "
    "their warm-ups are not drawn."
)


def row(panel: Axes, index: int, values: npt.NDArray[np.float64], colour: str) -> None:
    """Draw many values in a row: set the scale of the axis before."""
    low, five, quarter, upper, most, high = np.quantile(values, [0.01, 0.05, 0.25, 0.75, 0.95, 0.99])
    between = np.geomspace if panel.get_xscale() == "log" else np.linspace
    if low < high:
        edges = between(low, high, _BINS + 1)
        counts, _ = np.histogram(values, edges)
        half = np.repeat(_HALF * counts / counts.max(), 2)
        panel.fill_between(
            np.repeat(edges, 2)[1:-1], index - half, index + half, color=colour, alpha=0.45, linewidth=0, zorder=2
        )
    for (begin, end), width in (((five, most), 1.0), ((quarter, upper), 2.6)):
        panel.plot([begin, end], [index, index], color=colour, linewidth=width, zorder=4)
    ordered = np.sort(values)
    ends = np.concatenate([ordered[ordered < low][:_OUTERMOST], ordered[ordered > high][-_OUTERMOST:]])
    panel.plot(ends, [index] * len(ends), linestyle="none", marker="o", markersize=2.6, color=colour, zorder=4)


def legend() -> list[Artist]:
    """Return the legend entries of such a row."""
    return [
        Patch(facecolor=theme.MUTED, alpha=0.45, linewidth=0, label="density, 1–99 %"),
        Line2D([], [], color=theme.MUTED, linewidth=1.0, label="5–95 %"),
        Line2D([], [], color=theme.MUTED, linewidth=2.6, label="25–75 %"),
        legends.mark("o", "outermost", size=2.6),
    ]


def stretches(blocks: pd.DataFrame) -> pd.DataFrame:
    """Return median, 5 % and 95 % quantile of each stretch of blocks: columns ``block`` (its middle) ``change low high``."""
    edges = np.linspace(float(blocks["block"].min()), float(blocks["block"].max()), _BINS + 1)
    place = np.clip(np.searchsorted(edges, blocks["block"].to_numpy(), side="right") - 1, 0, _BINS - 1)
    grouped = blocks["change"].groupby(place)
    found = grouped.quantile(np.array([0.05, 0.5, 0.95])).unstack()
    middles = (edges[:-1] + edges[1:]) / 2
    found.columns = ["low", "change", "high"]
    return found.assign(block=middles[found.index.to_numpy()])


def band(panel: Axes, blocks: pd.DataFrame, colour: str, *, behind: bool = False) -> None:
    """Draw many blocks as the medians of stretches, and the band around them unless the line is one for comparison."""
    found = stretches(blocks)
    if not behind:
        panel.fill_between(found["block"], found["low"], found["high"], color=colour, alpha=0.25, linewidth=0)
    panel.plot(
        found["block"], found["change"], color=colour, linewidth=1.0 if behind else 1.5, alpha=0.7 if behind else 1.0
    )


def in_stretches(places: Sequence[int]) -> Sequence[int]:
    """Return marks of blocks, of many the first in each stretch."""
    if len(places) <= MOST:
        return places
    ordered = np.sort(np.array(places))
    width = max(1, (int(ordered[-1]) - int(ordered[0])) // _BINS)
    _, first = np.unique((ordered - ordered[0]) // width, return_index=True)
    return [int(one) for one in ordered[first]]
