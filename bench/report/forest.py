"""Draw a comparison as a forest plot: each series' ratio with its interval on one logarithmic scale, marked by its verdict."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.compare import wording
from bench.compare.verdicts import Comparison, Verdict
from bench.display import canvas, legends, ratio_axis, svg, theme
from bench.display.data import Variant, metric_title
from bench.display.table import Cell, interval_text, ratio_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

MOST = 40
"""Most rows of one figure; the table has all."""
_PHONE = 4.3
"""Width of a drawing for a phone, in inches."""
_PHONE_ROW = 0.62

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


@dataclass(frozen=True)
class _Drawn:
    """The rows of a figure with their ratios, their labels and what stands beside them."""

    rows: tuple[tuple[Comparison, float], ...]
    labels: tuple[Variant, ...]
    cells: tuple[Cell, ...]

    @property
    def values(self) -> list[float]:
        """All that the axis must hold."""
        ends = [end for one, _ in self.rows if one.ci for end in (one.ci.low, one.ci.high)]
        return [1.0, *(ratio for _, ratio in self.rows), *ends]

    @property
    def handles(self) -> list[Artist]:
        """The legend: one mark a verdict that there is."""
        there = {one.verdict for one, _ in self.rows}
        return [
            legends.mark(marker, str(verdict), size=5.2, colour=colour, hollow=hollow)
            for verdict, (marker, colour, hollow) in MARKS.items()
            if verdict in there
        ]


def has_ratio(one: Comparison) -> bool:
    """Say whether a series can be drawn: it has a ratio with an interval, or a certain verdict."""
    return one.ratio is not None and (one.ci is not None or one.verdict in _CERTAIN)


def draw(results: Sequence[Comparison], base: str, name: str, most: int = MOST) -> svg.Plot | None:
    """Draw the first ``most`` series that can be drawn, in the order given; ``None`` if there are none."""
    drawn = _drawn(results, most)
    if not drawn.rows:
        return None
    room = canvas.layout(drawn.labels, drawn.cells)
    with canvas.sheet(0.62 + room.row * len(drawn.rows) + 0.32) as figure:
        panel = canvas.axes(figure, 0.62, room.row * len(drawn.rows), room.names, room.values)
        canvas.rows(panel, drawn.labels)
        _rows(panel, drawn, 7)
        canvas.gutter(panel, "new ÷ base (CI)", drawn.cells)
        legends.legend(figure, drawn.handles)
        return canvas.finish(figure, _words(drawn, len(results), base, name))


def draw_narrow(results: Sequence[Comparison], base: str, name: str, most: int = MOST) -> svg.Plot | None:
    """Draw the same for a phone: each name and its value stand above their mark."""
    drawn = _drawn(results, most)
    if not drawn.rows:
        return None
    height = _PHONE_ROW * len(drawn.rows)
    with canvas.sheet(0.3 + height + 0.3, _PHONE) as figure:
        panel = canvas.axes(figure, 0.3, height, 0.1, 0.1)
        panel.set_ylim(len(drawn.rows) - 0.5, -0.5)
        panel.yaxis.set_visible(False)
        panel.spines["left"].set_visible(False)
        panel.grid(axis="x")
        _rows(panel, drawn, 5, down=0.27)
        for place, (label, cell) in enumerate(zip(drawn.labels, drawn.cells, strict=True)):
            canvas.note(panel, (0, place), (0, 13), canvas.shorten(label.name, 18), weight="bold")
            details = canvas.shorten(_metric_first(label), 46)
            canvas.note(panel, (0, place), (0, 3), details, size=canvas.SMALL_PT, colour=theme.MUTED)
            canvas.note(panel, (1, place), (0, 13), cell.line, align="right", weight="bold")
        legends.legend(figure, drawn.handles, columns=min(3, len(drawn.handles)))
        return canvas.finish(figure, _words(drawn, len(results), base, name))


def _metric_first(label: Variant) -> str:
    """Return the details of a label, of which a phone shows the first words only."""
    return "\u00a0· ".join([label.note, label.details.removesuffix(label.note).rstrip("\u00a0· ")]).rstrip("\u00a0· ")


def _drawn(results: Sequence[Comparison], most: int) -> _Drawn:
    rows = tuple((one, one.ratio) for one in results if has_ratio(one) and one.ratio is not None)[:most]
    several = len({one.scenario for one, _ in rows}) > 1
    labels = tuple(_label(one, several=several) for one, _ in rows)
    beside = (interval_text(one.ci, "ratio") if one.ci else "no interval" for one, _ in rows)
    cells = tuple(Cell(ratio_text(ratio), text) for (_, ratio), text in zip(rows, beside, strict=True))
    return _Drawn(rows, labels, cells)


def _label(one: Comparison, *, several: bool) -> Variant:
    what = f"{one.scenario}: {metric_title(one.metric)}" if several else metric_title(one.metric)
    return Variant(one.target, json.dumps(dict(one.params), sort_keys=True), one.target.partition(":")[0], note=what)


def _rows(panel: Axes, drawn: _Drawn, ticks: int, down: float = 0.0) -> None:
    ratio_axis.apply(panel, drawn.values, ticks)
    panel.axvline(1, color=theme.INK, linewidth=1.0, zorder=1.5)
    for place, (one, ratio) in enumerate(drawn.rows):
        _row(panel, place + down, one, ratio)


def _row(panel: Axes, place: float, one: Comparison, ratio: float) -> None:
    marker, colour, hollow = MARKS[one.verdict]
    if one.ci:
        low, high = one.ci.low, one.ci.high
        panel.plot([low, high], [place, place], color=colour, linewidth=1.4, zorder=3)
        for end in (low, high):
            panel.plot([end, end], [place - 0.15, place + 0.15], color=colour, linewidth=1.4, zorder=3)
    face = theme.SURFACE if hollow else colour
    panel.plot([ratio], [place], marker=marker, markersize=6.5, color=colour, markerfacecolor=face, zorder=4)


def _words(drawn: _Drawn, asked: int, base: str, name: str) -> canvas.Words:
    rows = [one for one, _ in drawn.rows]
    counts, more = Counter(one.verdict for one in rows), asked - len(rows)
    title = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    levels = sorted({one.ci.level for one in rows if one.ci})
    sure = " and ".join(f"{100 * level:.3g}\u00a0%" for level in levels)
    with_ends = f", with its {sure} interval, widened by what is known of the host" if levels else ", exact"
    caption = f"Ratio to {base}{with_ends}; one logarithmic axis. The colour says which side is worse for its metric."
    if more:
        caption += f" {more} more {'is' if more == 1 else 'are'} in the tables."
    alt = "; ".join(_said(one, ratio) for one, ratio in drawn.rows)
    return canvas.Words(name, "forest", title[:1].upper() + title[1:], caption, f"{title}. {alt}")


def _said(one: Comparison, ratio: float) -> str:
    ends = f" [{interval_text(one.ci, 'ratio')}]" if one.ci else ""
    return f"{one.target} {one.metric}: {ratio_text(ratio)}{ends}, {one.verdict}"
