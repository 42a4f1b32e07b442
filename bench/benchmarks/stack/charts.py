"""The charts of ``stack``: what each layer adds as a waterfall, for a whole life and for each phase, in wall and CPU time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.benchmarks.stack import tables
from bench.core.model import Interval
from bench.core.units import format_value
from bench.display import canvas, cells, paper, svg, theme
from bench.display.charts import matrix
from bench.display.data import ScenarioData, Variant
from bench.display.prose import block_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIDES = ((tables.WALL, "wall time"), (tables.CPU, "CPU time of all processes"))
_VALUES = 0.72
_GAP = 0.2


@dataclass(frozen=True)
class Step:
    """One bar of a waterfall, in seconds.

    Attributes:
        index: Number of its row.
        ground: Number of the row whose end it begins at: the layer that it stands on.
        begin: That end.
        added: What the layer adds; negative when it is faster than the layer below.
        ci: Interval of ``added``.
        own: Whether it is the bottom layer, whose bar is its own time.
    """

    index: int
    ground: int
    begin: float
    added: float
    ci: Interval | None
    own: bool

    @property
    def end(self) -> float:
        """End of the bar, seconds."""
        return self.begin + self.added


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the whole life, then each phase."""
    return [waterfall(data, f"{data.stem}-waterfall"), phases(data, f"{data.stem}-phases")]


def steps(data: ScenarioData, rows: Sequence[Variant], metric: str, phase: str) -> list[Step]:
    """Return the bars of one phase: the bottom layer's own time, then what the others add; layers without a value have none."""
    base, found, below = tables.first(data, metric), dict[str, Step](), tables.below(data)
    for index, row in enumerate(rows):
        if row == base:
            amount, ci = tables.own(data, row, metric, phase), None
        else:
            more = tables.added(data, row, metric, phase)
            amount, ci = (more.median, more.ci) if more else (None, None)
        if amount is not None:
            ground = found.get(below.get(row.target, ""))
            place, at = (ground.index, ground.end) if ground else (index, 0.0)
            found[row.target] = Step(index, place, at, amount, ci, row == base)
    return list(found.values())


def waterfall(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw what each layer adds to a whole life."""
    return _sheet(data, [tables.TOTAL], name)


def phases(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw what each layer adds to each phase."""
    return _sheet(data, list(tables.PHASES), name)


def _sheet(data: ScenarioData, names: Sequence[str], name: str) -> svg.Plot | None:
    rows = [
        row for row in tables.layers(data) if any(tables.own(data, row, metric, tables.TOTAL) for metric, _ in _SIDES)
    ]
    found = {(phase, metric): steps(data, rows, metric, phase) for phase in names for metric, _ in _SIDES}
    shown = [phase for phase in names if any(len(found[phase, metric]) > 1 for metric, _ in _SIDES)]
    sides = [(metric, title) for metric, title in _SIDES if any(found[phase, metric] for phase in shown)]
    if not shown or not sides:
        return None
    room = canvas.layout(rows, [])
    tall, columns = room.row * len(rows), 1 if paper.is_narrow() else len(sides)
    step = 0.34 + tall + 0.36
    with canvas.sheet(0.1 + len(shown) * len(sides) // columns * step) as figure:
        for number, phase in enumerate(shown):
            for place, (metric, title) in enumerate(sides):
                line, column = divmod(number * len(sides) + place, columns)
                panel = _axes(figure, room.names, (column, columns), 0.44 + line * step, tall)
                heading = title[:1].upper() + title[1:] if phase == tables.TOTAL else f"{phase}, {title}"
                _panel(panel, rows, found[phase, metric], heading, names=column == 0)
        words = _total_words if tables.TOTAL in shown else _phase_words
        return canvas.finish(figure, words(data, rows, found, name))


def _axes(figure: Figure, names: float, index: tuple[int, int], top: float, tall: float) -> Axes:
    column, count = index
    width = (paper.width() - names - 0.02 - _GAP * (count - 1)) / count - _VALUES
    left = names + column * (width + _VALUES + _GAP)
    return canvas.axes(figure, top, tall, left, paper.width() - left - width)


def _panel(panel: Axes, rows: Sequence[Variant], found: Sequence[Step], heading: str, *, names: bool) -> None:
    matrix.name_rows(panel, rows, names=names)
    ends = [end for step in found for end in (step.begin, step.end, *_whisker(step))] or [0.0, 1.0]
    low, high = min(0.0, *ends), max(0.0, *ends)
    pad = 0.03 * (high - low or 1e-3)
    canvas.linear(panel, low - pad if low < 0 else 0.0, high + pad, "s", ticks=4)
    canvas.note(panel, (0, panel.get_ylim()[1]), (0, 9), heading, weight="bold")
    for step in found:
        _step(panel, step, rows[step.index])
        if step.ground != step.index:
            panel.plot(
                [step.begin] * 2,
                [step.ground + 0.29, step.index - 0.29],
                color=theme.MUTED,
                linewidth=0.8,
                zorder=2,
            )


def _whisker(step: Step) -> tuple[float, ...]:
    return (step.begin + step.ci.low, step.begin + step.ci.high) if step.ci else ()


def _step(panel: Axes, step: Step, row: Variant) -> None:
    colour, negative = theme.colour(row.engine, row.kind), step.added < 0
    panel.barh(step.index, step.added, left=step.begin, height=0.58, color=theme.SURFACE, linewidth=0, zorder=2)
    panel.barh(
        step.index,
        step.added,
        left=step.begin,
        height=0.58,
        facecolor="none" if negative else colour,
        edgecolor=colour,
        linewidth=1.1,
        alpha=0.55 if step.own else 1.0,
        zorder=3,
    )
    if step.ci:
        panel.plot(list(_whisker(step)), [step.index] * 2, color=theme.INK, linewidth=1.0, zorder=4)
    text = cells.minus(format_value(step.added, "s"))
    canvas.note(
        panel,
        (1, step.index),
        (6, 0),
        text if step.own or negative else f"+{text}",
        size=canvas.SMALL_PT,
        weight="bold",
    )


Found = dict[tuple[str, str], list[Step]]


def _total_words(data: ScenarioData, rows: Sequence[Variant], found: Found, name: str) -> canvas.Words:
    more = sorted((step for step in found[tables.TOTAL, tables.WALL] if not step.own), key=lambda step: step.added)
    title = "What each layer adds to a whole life"
    if more and all(step.ci and more[-1].ci and step.ci.high < more[-1].ci.low for step in more[:-1]):
        title = f"{rows[more[-1].index].text} adds most to a whole life: {format_value(more[-1].added, 's')}"
    elif more and all(step.ci for step in more):
        ends = [
            f"{cells.minus(format_value(step.added, 's'))} ({rows[step.index].text})" for step in (more[0], more[-1])
        ]
        title = f"A layer adds {' to '.join(ends)} to a whole life"
    caption = (
        "From create to delete. The first bar is the lowest layer’s own time; every other starts where the layer ends that it "
        f"stands on{_standing(data)}, and is as long as the median difference to it within a block{_line(data, rows)}. A hollow "
        f"bar goes back: that layer is faster. {_counts(data, rows)}"
    )
    return canvas.Words(name, "waterfall", title, caption, f"{title}. {_alt(rows, found)}")


def _phase_words(data: ScenarioData, rows: Sequence[Variant], found: Found, name: str) -> canvas.Words:
    every = [
        (step.added, rows[step.index].text, phase)
        for (phase, metric), walked in found.items()
        if metric == tables.WALL
        for step in walked
        if not step.own and step.ci
    ]
    title = "What each layer adds in each phase"
    if every:
        most = max(every)
        title = f"In phase {most[2]}, {most[1]} adds {format_value(most[0], 's')} to the layer below"
    caption = (
        "The same for each phase alone; every panel has its own axis. A phase that an engine does not have takes no time. "
        f"{_counts(data, rows)}"
    )
    return canvas.Words(name, "phases", title, caption, f"{title}. {_alt(rows, found)}")


def _standing(data: ScenarioData) -> str:
    """Name the branches: layers that stand on another one than the layer before."""
    found = tables.branches(data)
    return f" ({', '.join(f'{layer} on {ground}' for layer, ground in found.items())})" if found else ""


def _line(data: ScenarioData, rows: Sequence[Variant]) -> str:
    found = (tables.added(data, row, tables.WALL, tables.TOTAL) for row in rows)
    return " (line: 95\u00a0% interval)" if any(one and one.ci for one in found) else ""


def _alt(rows: Sequence[Variant], found: Found) -> str:
    titles = dict(_SIDES)
    return "; ".join(
        f"{phase}, {titles[metric]}: "
        + ", ".join(f"{rows[step.index].text} {cells.minus(format_value(step.added, 's'))}" for step in walked)
        for (phase, metric), walked in found.items()
        if walked
    )


def _counts(data: ScenarioData, rows: Sequence[Variant]) -> str:
    return block_counts(found.n for row in rows if (found := tables.added(data, row, tables.WALL, tables.TOTAL)))
