"""A chart of all single values of one metric, one row a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import seaborn as sns
from matplotlib.patches import Patch

from bench.core.units import format_value
from bench.display import canvas, cells, legends, lookup, svg, theme
from bench.display.charts import strip
from bench.display.data import ScenarioData, Variant, metric_title
from bench.display.prose import block_counts_by_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bench.core.model import Summary

_GOLDEN = 0.6180339887


def draw(data: ScenarioData, metric: str, name: str) -> svg.Plot | None:
    """Draw the values of a metric, warm-ups hollow, with median and interval."""
    variants = [item for item in data.variants if not lookup.values(data, item, metric).empty]
    if not variants:
        return None
    frames = [lookup.values(data, item, metric) for item in variants]
    ends = [float(end) for frame in frames for end in (frame["value"].min(), frame["value"].max())]
    many = [int((~frame["warmup"]).sum()) > strip.MOST for frame in frames]
    medians = [cells.value(data.summary(item, metric)) for item in variants]
    room = canvas.layout(variants, medians)
    with canvas.sheet(0.56 + room.row * len(variants) + 0.32) as figure:
        panel = canvas.axes(figure, 0.56, room.row * len(variants), room.names, room.values)
        canvas.rows(panel, variants)
        axis = canvas.scale(panel, ends, str(frames[0]["unit"].iloc[0]))
        for index, item in enumerate(variants):
            _interval(panel, index, data.summary(item, metric))
            if many[index]:
                measured = frames[index].loc[~frames[index]["warmup"], "value"]
                strip.row(panel, index, measured.to_numpy(dtype=float), theme.colour(item.engine, item.kind))
            else:
                _dots(panel, index, frames[index], theme.colour(item.engine, item.kind))
        panel.set(xlabel="", ylabel="")
        canvas.gutter(panel, "median (95 % CI)", medians)
        _legend(figure, many, warmups=bool(data.points["warmup"].any()))
        return canvas.finish(figure, _words(variants, data, metric, name, _how(metric, axis, many)))


def _interval(panel: Axes, index: int, found: Summary | None) -> None:
    if found and found.ci:
        panel.barh(index, found.ci.high - found.ci.low, left=found.ci.low, height=0.72, color=theme.MUTED, alpha=0.25)
    if found and found.median is not None:
        panel.plot([found.median] * 2, [index - 0.44, index + 0.44], color=theme.INK, linewidth=1.4, zorder=3)


def _dots(panel: Axes, index: int, frame: pd.DataFrame, colour: str) -> None:
    frame = _placed(frame, index)
    for warmup, face in ((True, "none"), (False, colour)):
        part = frame[frame["warmup"] == warmup]
        sns.scatterplot(
            data=part,
            x="value",
            y="y",
            ax=panel,
            s=14,
            color=face,
            edgecolor=colour,
            linewidth=0.9,
            alpha=1.0 if warmup else 0.8,
            legend=False,
            zorder=4,
        )


def _placed(frame: pd.DataFrame, index: int) -> pd.DataFrame:
    """Spread points over the height of their row by multiples of the golden ratio, which is even and needs no random numbers."""
    offsets = [((number * _GOLDEN) % 1.0 - 0.5) * 0.5 for number in range(len(frame))]
    return frame.assign(y=[index + offset for offset in offsets])


def _legend(figure: Figure, many: Sequence[bool], *, warmups: bool) -> None:
    marks: list[Artist] = [] if all(many) else [legends.mark("o", "one value")]
    if any(many):
        marks += strip.legend()
    if warmups and not all(many):
        marks.append(legends.mark("o", "warm-up, not counted", hollow=True))
    marks.append(legends.mark("|", "median", size=9, colour=theme.INK, edge=1.6))
    legends.legend(
        figure, [*marks, Patch(facecolor=theme.MUTED, alpha=0.25, linewidth=0, label="95 % CI of the median")]
    )


def _how(metric: str, axis: str, many: Sequence[bool]) -> str:
    """Say how the values are drawn; ``many`` says of each row whether it is a strip."""
    values = f"{'Values' if any(many) else 'Every single value'} of {metric_title(metric)}, {axis} axis"
    dots = "" if all(many) else "; values that end in the same place are spread in height"
    return f"{values}{dots}." + (f" {strip.CAPTION}" if any(many) else "")


def _words(variants: list[Variant], data: ScenarioData, metric: str, name: str, how: str) -> canvas.Words:
    widths = sorted(
        (found.maximum / found.minimum, item.text)
        for item in variants
        if (found := data.summary(item, metric)) and found.minimum and found.maximum and found.minimum > 0
    )
    if widths and widths[-1][0] > 1:
        factor, widest = widths[-1]
        title = f"{widest}: the largest value is {100 * (factor - 1):.0f} % above the smallest"
    else:
        title = f"Every single value of {metric_title(metric)}"
    caption = f"{how} {block_counts_by_target(data, variants, metric)}"
    alt = "; ".join(_said(item, data, metric) for item in variants)
    return canvas.Words(name, "spread", title, caption, f"{title}. {alt}")


def _said(item: Variant, data: ScenarioData, metric: str) -> str:
    found = data.summary(item, metric)
    if found is None or found.median is None:
        return f"{item.text}: warm-ups only"
    low, high = format_value(found.minimum, found.unit), format_value(found.maximum, found.unit)
    return f"{item.text}: median {format_value(found.median, found.unit)}, {low} to {high}"
