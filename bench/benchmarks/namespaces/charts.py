"""The charts of ``namespaces``: the cost of each kind, and the rate of creation against concurrency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FixedLocator

from bench.benchmarks.namespaces import tables
from bench.core.model import Summary
from bench.core.units import format_value, significant
from bench.display import canvas, legends, svg, theme
from bench.display.charts import lines
from bench.display.data import Label, ScenarioData, Variant
from bench.display.prose import all_decided, block_counts, highest, if_decided, value
from bench.display.table import NONE, Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Cost = tuple[str, Summary | None, Summary | None]


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw costs and rates of the first target that creates namespaces."""
    makers = tables.makers(data)
    return [costs(data, makers[0], f"{data.stem}-kinds"), rates(data, makers[0], f"{data.stem}-rate")] if makers else []


def costs(data: ScenarioData, row: Variant, name: str) -> svg.Plot | None:
    """Draw the times to create and to destroy each kind on one axis."""
    found = [item for kind in tables.kinds(data) if any((item := _cost(data, row, kind))[1:])]
    ends = [end for _, made, gone in found for one in (made, gone) for end in _ends(one)]
    if not ends:
        return None
    labels = [_label(kind) for kind, *_ in found]
    values = [Cell(_text(made), f"destroy {_text(gone)}") for _, made, gone in found]
    room = canvas.layout(labels, values)
    with canvas.sheet(0.56 + room.row * len(found) + 0.32) as figure:
        panel = canvas.axes(figure, 0.56, room.row * len(found), room.names, room.values)
        canvas.rows(panel, labels)
        axis = canvas.scale(panel, ends, "s")
        for index, (kind, made, gone) in enumerate(found):
            _dot(panel, index - 0.13, made, _colour(kind), hollow=False)
            _dot(panel, index + 0.13, gone, _colour(kind), hollow=True)
        canvas.gutter(panel, "create (median)", values)
        legends.legend(
            figure, [legends.mark("o", "create", size=5.5), legends.mark("D", "destroy", size=4.8, hollow=True)]
        )
        return canvas.finish(figure, _cost_words(found, name, axis))


def _cost(data: ScenarioData, row: Variant, kind: str) -> Cost:
    return kind, data.summary(row, tables.CREATE, kind=kind), data.summary(row, tables.DESTROY, kind=kind)


def _label(kind: str) -> Label:
    return Label(kind, {tables.NONE_KIND: "no namespace", tables.ALL_KINDS: "all kinds at once"}.get(kind, ""))


def _colour(kind: str) -> str:
    """Return the colour of a kind: its own for network, grey for none, black for all."""
    return {tables.NET: theme.FAMILIES["vm"], tables.NONE_KIND: theme.MUTED, tables.ALL_KINDS: theme.INK}.get(
        kind, theme.FAMILIES["oci"]
    )


def _line_colour(kind: str) -> str:
    """Return the colour of a kind's line: those that the title is about stand out from the grey others."""
    told = {tables.NET: theme.FAMILIES["vm"], tables.NONE_KIND: theme.FAMILIES["oci"], tables.ALL_KINDS: theme.INK}
    return told.get(kind, theme.FAMILIES["host"])


def _ends(found: Summary | None) -> list[float]:
    if found is None or found.median is None:
        return []
    return [found.median, *((found.ci.low, found.ci.high) if found.ci else ())]


def _text(found: Summary | None) -> str:
    return NONE if found is None else format_value(found.median, found.unit)


def _dot(panel: Axes, index: float, found: Summary | None, colour: str, *, hollow: bool) -> None:
    if found is None or found.median is None:
        return
    if found.ci:
        panel.plot([found.ci.low, found.ci.high], [index, index], color=theme.MUTED, linewidth=1.2, zorder=3)
    face = "none" if hollow else colour
    marker, size = ("D", 5.0) if hollow else ("o", 6.0)
    panel.plot([found.median], [index], marker=marker, markersize=size, color=colour, markerfacecolor=face, zorder=4)


def _cost_words(found: list[Cost], name: str, axis: str) -> canvas.Words:
    single = [one for kind, one, _ in found if one and one.median and kind not in (tables.NONE_KIND, tables.ALL_KINDS)]
    title = "What each kind of namespace takes to create and to destroy"
    if len(single) > 1 and (most := highest(single)):
        title = f"{most.params['kind']} takes longest to create: {value(most)}"
    counts = [one.n for _, *both in found for one in both if one and one.n]
    caption = (
        f"Medians{if_decided(counts)}; {axis} axis. Create is the time inside the call, destroy from the end of the last "
        f"process until it is collected. {block_counts(counts)}"
    )
    alt = "; ".join(f"{kind}: create {_text(one)}, destroy {_text(gone)}" for kind, one, gone in found)
    return canvas.Words(name, "kinds", title, caption, f"{title}. {alt}")


def rates(data: ScenarioData, row: Variant, name: str) -> svg.Plot | None:
    """Draw the rate of complete lives over the number of workers, one line a kind."""
    found = {kind: tables.steps(data, row, kind) for kind in tables.kinds(data)}
    shown = [
        lines.Line(
            _label(kind),
            f"best {format_value(max(one.median or 0.0 for _, one in steps), '1/s')}",
            _line_colour(kind),
            tuple((workers, one.median or 0.0) for workers, one in steps),
        )
        for kind, steps in found.items()
        if steps
    ]
    if not shown:
        return None
    shown.sort(key=lambda line: line.end[1])
    tall = lines.height(shown)
    with canvas.sheet(0.3 + tall + 0.5) as figure:
        panel = canvas.axes(figure, 0.3, tall, 0.75, lines.gutter(shown))
        lines.scale_axes(panel, shown, "ratio", "1/s", from_zero=True)
        panel.xaxis.set_major_locator(FixedLocator(sorted({at for line in shown for at, _ in line.points})))
        panel.set_xlabel("workers, × CPUs", fontsize=canvas.SMALL_PT)
        lines.draw(figure, panel, shown)
        return canvas.finish(figure, _rate_words(shown, found, name))


def _rate_words(shown: list[lines.Line], found: dict[str, list[tuple[float, Summary]]], name: str) -> canvas.Words:
    best = {line.label.name: max(value for _, value in line.points) for line in shown}
    kind = tables.NET if tables.NET in best else min(best, key=lambda name: best[name])
    title = "Namespaces made a second, by the number of workers"
    decided = all_decided(one for steps in found.values() for _, one in steps)
    if decided:
        title = f"Up to {significant(best[kind])} namespaces of kind {kind} are made a second"
    if decided and tables.NONE_KIND in best and kind != tables.NONE_KIND:
        title += f", {significant(best[tables.NONE_KIND])} processes without any"
    caption = (
        "Whole lives (made, used by one process, gone) a second, against the number of workers in multiples of the CPUs. "
        f"{block_counts(one.n for steps in found.values() for _, one in steps)}"
    )
    alt = "; ".join(
        f"{line.label.name}: " + ", ".join(f"{value:.0f} at {workers:g}×" for workers, value in line.points)
        for line in shown
    )
    return canvas.Words(name, "rate", title, caption, f"{title}. {alt}")
