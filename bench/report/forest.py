"""Draw a comparison as a forest plot: each series' ratio with its interval, marked by its verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.compare import wording
from bench.compare.verdicts import Comparison, Verdict
from bench.display import canvas, svg, theme
from bench.display.data import Variant, metric_title
from bench.display.table import Cell, interval_text, ratio_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 40
"""Most rows of one figure; the table has all."""

_CERTAIN = wording.CHANGES
"""Verdicts that a series without an interval gets only if its metric has no noise."""

MARKS = {
    Verdict.REGRESSED: ("^", theme.HEAT["dearer"], False),
    Verdict.SLOWER: ("^", theme.HEAT["dearer"], True),
    Verdict.IMPROVED: ("v", theme.HEAT["cheaper"], False),
    Verdict.FASTER: ("v", theme.HEAT["cheaper"], True),
    Verdict.UNCHANGED: ("o", theme.INK, False),
    Verdict.SMALL: ("D", theme.MUTED, False),
    Verdict.INCONCLUSIVE: ("o", theme.MUTED, True),
    Verdict.INVALID: ("X", theme.MUTED, True),
}
"""Marker, colour and whether it is hollow, so that verdicts differ without colour, too."""


def draw(results: Sequence[Comparison], base: str, name: str) -> svg.Plot | None:
    """Draw the series that have a ratio with an interval or a certain verdict, in order; ``None`` if there are none."""
    rows = [(one, one.ratio) for one in results if one.ratio is not None and (one.ci or one.verdict in _CERTAIN)][:MOST]
    if not rows:
        return None
    labels = [_label(one) for one, _ in rows]
    cells = [
        Cell(ratio_text(ratio), interval_text(one.ci, "ratio") if one.ci else "no interval") for one, ratio in rows
    ]
    values = [
        1.0,
        *(ratio for _, ratio in rows),
        *(end for one, _ in rows if one.ci for end in (one.ci.low, one.ci.high)),
    ]
    room = canvas.layout(labels, cells)
    with canvas.sheet(0.62 + room.row * len(rows) + 0.32) as figure:
        panel = canvas.axes(figure, 0.62, room.row * len(rows), room.names, room.values)
        canvas.rows(panel, labels)
        axis = canvas.scale(panel, values, "ratio")
        panel.axvline(1, color=theme.INK, linewidth=1.0, zorder=1.5)
        for place, (one, ratio) in enumerate(rows):
            _row(panel, place, one, ratio)
        canvas.gutter(panel, "new ÷ base (CI)", cells)
        there = {one.verdict for one, _ in rows}
        canvas.legend(
            figure,
            [
                canvas.mark(marker, str(verdict), size=5.2, colour=colour, hollow=hollow)
                for verdict, (marker, colour, hollow) in MARKS.items()
                if verdict in there
            ],
        )
        return canvas.finish(figure, _words([one for one, _ in rows], len(results) - len(rows), base, name, axis))


def _label(one: Comparison) -> Variant:
    return Variant(
        one.target,
        json.dumps(dict(one.params), sort_keys=True),
        one.target.partition(":")[0],
        note=metric_title(one.metric),
    )


def _row(panel: Axes, place: int, one: Comparison, ratio: float) -> None:
    marker, colour, hollow = MARKS[one.verdict]
    if one.ci:
        low, high = one.ci.low, one.ci.high
        panel.plot([low, high], [place, place], color=colour, linewidth=1.4, zorder=3)
        for end in (low, high):
            panel.plot([end, end], [place - 0.15, place + 0.15], color=colour, linewidth=1.4, zorder=3)
    face = theme.SURFACE if hollow else colour
    panel.plot([ratio], [place], marker=marker, markersize=6.5, color=colour, markerfacecolor=face, zorder=4)


def _words(rows: Sequence[Comparison], more: int, base: str, name: str, axis: str) -> canvas.Words:
    counts = Counter(one.verdict for one in rows)
    title = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    levels = sorted({one.ci.level for one in rows if one.ci})
    sure = " and ".join(f"{100 * level:.3g}\u00a0%" for level in levels)
    caption = (
        f"Ratio to {base}, with its {sure} interval, widened by what is known of the host; {axis} axis. Whether more is better "
        "or worse is the metric’s: the verdict knows."
    )
    if more:
        caption += f" The table has {more} more."
    alt = "; ".join(f"{one.target} {one.metric}: {one.verdict}" for one in rows)
    return canvas.Words(name, "forest", title[:1].upper() + title[1:], caption, f"{title}. {alt}")
