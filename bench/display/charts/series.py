"""A chart of one metric over the blocks of the run, with the sentinel in the background to show drift of the host."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import seaborn as sns
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.core.model import SENTINEL, Status
from bench.display import canvas, legends, lookup, paper, svg, theme
from bench.display.charts import strip
from bench.display.data import ScenarioData, Variant, metric_title
from bench.display.prose import block_counts_by_target

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SENTINEL_METRIC = "sentinel.work_s"
_COLUMNS, _NARROW_COLUMNS = 3, 2
_PANEL = 0.92
_LEFT = 0.52


@dataclass(frozen=True)
class Line:
    """One panel.

    Attributes:
        variant: Variant of the values.
        values: Columns ``block``, ``warmup`` and ``change``: percent from the median of the measured blocks.
        failed: Blocks whose invocation failed or timed out.
    """

    variant: Variant
    values: pd.DataFrame
    failed: tuple[int, ...]

    @property
    def is_long(self) -> bool:
        """Whether it has too many blocks to draw each."""
        return len(self.values) > strip.MOST


def _columns() -> int:
    return _NARROW_COLUMNS if paper.is_narrow() else _COLUMNS


def line_of(variant: Variant, data: ScenarioData, metric: str) -> Line | None:
    """Return the block values relative to their median; ``None`` without a value or with one that is not positive."""
    frame = lookup.values(data, variant, metric)
    blocks = frame.groupby(["block", "warmup"], as_index=False)["value"].median()
    middle = float(blocks.loc[~blocks["warmup"].astype(bool), "value"].median())
    if not math.isfinite(middle) or blocks["value"].min() <= 0:
        return None
    return Line(variant, blocks.assign(change=100 * (blocks["value"] / middle - 1)), _failed(variant, data))


def _failed(variant: Variant, data: ScenarioData) -> tuple[int, ...]:
    """Return the blocks in which the variant failed or timed out; the invocation's params may be a part of the metric's."""
    ended, own = data.outcomes, json.loads(variant.params or "{}").items()
    bad = ended[(ended["target"] == variant.target) & ended["status"].isin([Status.FAILED, Status.TIMEOUT])]
    found = zip(bad["block"], bad["params"], strict=True)
    return tuple(int(block) for block, params in found if json.loads(params).items() <= own)


def draw(data: ScenarioData, metric: str, name: str) -> svg.Plot | None:
    """Draw one small panel a target, all with the same axes."""
    sentinels = sorted(set(data.points.loc[data.points["target"] == SENTINEL, "params"]))
    reference = line_of(Variant(SENTINEL, sentinels[0], SENTINEL), data, SENTINEL_METRIC) if sentinels else None
    lines = [made for item in data.variants if (made := line_of(item, data, metric))]
    if not lines:
        return None
    panels = ([reference] if reference else []) + lines
    limit = _limit(panels)
    count = math.ceil(len(panels) / _columns())
    head = 0.46 + 0.13 * max(0, max(len(_details(item.variant)) for item in panels) - 1)
    step = _PANEL + head + 0.16
    width = (paper.width() - _LEFT - 0.1 - 0.3 * (_columns() - 1)) / _columns()
    with canvas.sheet(0.36 + count * step + 0.14) as figure:
        for number, item in enumerate(panels):
            row, column = divmod(number, _columns())
            left = _LEFT + column * (width + 0.3)
            top = 0.36 + head + row * step
            panel = canvas.axes(figure, top, _PANEL, left, paper.width() - left - width)
            _axes(panel, item, limit, panels, first=column == 0)
            if reference and item is not reference:
                _line(panel, reference, limit, theme.MUTED, behind=True)
            _line(panel, item, limit, theme.colour(item.variant.engine, item.variant.kind))
        _legend(figure, panels, sentinel=reference is not None)
        return canvas.finish(figure, _words(panels, data, metric, name))


def _limit(panels: Sequence[Line]) -> float:
    """Return the limit of the y axis in percent, 5 to 100: the largest change of a measured block, warm-ups not counted."""
    largest = max(float(item.values.loc[~item.values["warmup"], "change"].abs().max()) for item in panels)
    return min(100.0, max(5.0, largest * 1.15))


def _axes(panel: Axes, item: Line, limit: float, panels: Sequence[Line], *, first: bool) -> None:
    first_block = min(int(line.values["block"].min()) for line in panels)
    last_block = max(int(line.values["block"].max()) for line in panels)
    panel.set_ylim(-limit, limit)
    edge = max(0.5, 0.05 * (last_block - first_block))
    panel.set_xlim(first_block - edge, last_block + edge)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panel.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _signed(value) if value else "median"))
    panel.tick_params(labelleft=first)
    panel.axhline(0, color=theme.MUTED, linewidth=0.6)
    panel.grid(axis="y")
    _title(panel, item.variant)


def _title(panel: Axes, variant: Variant) -> None:
    details, top = _details(variant), panel.get_ylim()[1]
    up = 8.0 + 9.5 * len(details)
    canvas.note(panel, (0, top), (0, up), canvas.shorten(variant.name, 18 if paper.is_narrow() else 26), weight="bold")
    for number, line in enumerate(details, 1):
        canvas.note(panel, (0, top), (0, up - 9.5 * number - 0.5), line, size=canvas.SMALL_PT, colour=theme.MUTED)


def _details(variant: Variant) -> list[str]:
    text = variant.details or ("fixed host workload" if variant.target == SENTINEL else "")
    return canvas.wrap(text, 24 if paper.is_narrow() else 36, 3)


def _line(panel: Axes, item: Line, limit: float, colour: str, *, behind: bool = False) -> None:
    measured = item.values[~item.values["warmup"]]
    if item.is_long:
        strip.band(panel, measured, colour, behind=behind)
    else:
        _every_block(panel, measured, colour, behind=behind)
    if behind:
        return
    if not item.is_long:
        for block, change in item.values.loc[item.values["warmup"], ["block", "change"]].itertuples(index=False):
            _warmup(panel, int(block), float(change), limit, colour)
    for block in strip.in_stretches(item.failed):
        panel.plot([block], [-0.88 * limit], marker="x", markersize=4.5, color=theme.INK, markeredgewidth=1.2)


def _every_block(panel: Axes, measured: pd.DataFrame, colour: str, *, behind: bool) -> None:
    pieces = measured.assign(piece=(measured["block"].diff() != 1).cumsum())  # a failed block interrupts the line
    style: Mapping[str, object] = {"linewidth": 1.0 if behind else 1.5, "alpha": 0.7 if behind else 1.0}
    sns.lineplot(
        data=pieces, x="block", y="change", units="piece", estimator=None, ax=panel, color=colour, legend=False, **style
    )
    panel.set(xlabel="", ylabel="")
    if not behind:
        panel.plot(measured["block"], measured["change"], linestyle="none", marker="o", markersize=3.2, color=colour)


def _warmup(panel: Axes, block: int, change: float, limit: float, colour: str) -> None:
    """Mark a warm-up; one outside the axes is an arrow at the edge with its value."""
    outside = abs(change) > 0.9 * limit
    marker = ("^" if change > 0 else "v") if outside else "o"
    at = math.copysign(0.87 * limit, change) if outside else change
    panel.plot([block], [at], marker=marker, markersize=4.2, color=colour, markerfacecolor="none", linestyle="none")
    if outside:
        panel.annotate(
            _signed(change),
            xy=(block, at),
            xytext=(5, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=canvas.SMALL_PT - 0.6,
            color=theme.MUTED,
        )


def _legend(figure: Figure, panels: Sequence[Line], *, sentinel: bool) -> None:
    short = [item for item in panels if not item.is_long]
    marks: list[Artist] = [legends.mark("o", "one block", size=3.6)] if short else []
    if len(short) < len(panels):
        marks += [
            Line2D([], [], color=theme.MUTED, linewidth=1.5, label="median of a stretch of blocks"),
            Patch(facecolor=theme.MUTED, alpha=0.25, linewidth=0, label="5–95 % of its blocks"),
        ]
    if any(bool(item.values["warmup"].any()) for item in short):
        marks.append(legends.mark("o", "warm-up, not counted", hollow=True))
    if any(item.failed for item in panels):
        marks.append(legends.mark("x", "failed", colour=theme.INK))
    if sentinel:
        marks.append(Line2D([], [], color=theme.MUTED, alpha=0.7, linewidth=1.2, label="sentinel, for comparison"))
    legends.legend(figure, marks)


def _words(panels: Sequence[Line], data: ScenarioData, metric: str, name: str) -> canvas.Words:
    ranges = {item.variant.text: _range(item) for item in panels}
    quantity = metric_title(metric)
    title = f"{quantity} over the blocks of the run"
    if panels[0].variant.target == SENTINEL:
        low, high = _range(panels[0])
        title = f"The fixed host workload stayed between {_signed(low, 1)} and {_signed(high, 1)} of its median"
    caption = (
        f"{quantity} of each block, in percent of the target's own median, over the block numbers in time order. All "
        "panels have the same axes. A line that follows the sentinel shows the host, not the target. "
        f"{strip.BAND_CAPTION + ' ' if any(item.is_long for item in panels) else ''}"
        f"{block_counts_by_target(data, data.variants, metric)}"
    )
    alt = "; ".join(f"{text}: {_signed(low, 1)} to {_signed(high, 1)}" for text, (low, high) in ranges.items())
    return canvas.Words(name, "series", title, caption, f"{title}. {alt}")


def _range(item: Line) -> tuple[float, float]:
    measured = item.values.loc[~item.values["warmup"], "change"]
    return float(measured.min()), float(measured.max())


def _signed(percent: float, digits: int = 0) -> str:
    return f"{percent:+.{digits}f} %".replace("-", "−")
