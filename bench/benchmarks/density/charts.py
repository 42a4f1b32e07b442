"""The charts of ``density``: start time and available memory over the number of instances."""

from __future__ import annotations

from bench.benchmarks.density import tables, words
from bench.core.units import format_value, significant
from bench.display import canvas, lookup, svg, theme
from bench.display.charts import lines
from bench.display.data import ScenarioData, Variant
from bench.display.prose import all_decided, block_counts, span

TOP = 0.3


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the start times, then the memory."""
    return [latency(data, f"{data.stem}-latency"), available(data, f"{data.stem}-available")]


def latency(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the start time over the number of instances, one line a target."""
    shown = _lines(data, tables.START)
    if not shown:
        return None
    slower = sorted(
        (line.end[1] / line.points[0][1], line) for line in shown if line.points[0][1] > 0 if len(line.points) > 1
    )
    title = "How long the N-th start takes beside all earlier instances"
    starts = [one for row in _rows(data) for _, one in lookup.over(data, row, tables.START, "instances")]
    if slower and all_decided(starts):
        times, line = slower[-1]
        first, last = (f"{at:.0f}" for at, _ in (line.points[0], line.end))
        title = f"A start of {line.label.text} takes {significant(times, 2)}× as long at N = {last} as at N = {first}"
    what = "Median time from request to ready of the starts in a step, over the instances that live at its end"
    return _drawn(data, shown, (name, "latency", title, what), tables.START, "s")


def available(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw MemAvailable over the number of instances, with its extrapolation dashed."""
    shown = _lines(data, words.LEFT)
    if not shown:
        return None
    each = [found for row in _rows(data) if (found := data.summary(row, words.SLOPE)) and found.median]
    title = "Memory that is left while instances become more"
    if all_decided(each):
        title = f"Each further instance takes {span(each)}"
    what = "MemAvailable over the instances that live"
    if any(line.further for line in shown):
        what += "; dashed is extrapolated along the fitted slope to the floor and was not measured"
    return _drawn(data, shown, (name, "available", title, what), words.LEFT, "bytes")


def _rows(data: ScenarioData) -> list[Variant]:
    return lookup.without_control(data)


def _lines(data: ScenarioData, metric: str) -> list[lines.Line]:
    found = []
    for row in _rows(data):
        points = tuple(
            (at, one.median) for at, one in lookup.over(data, row, metric, "instances") if one.median is not None
        )
        if points:
            further = _further(data, row, points[-1]) if metric == words.LEFT else ()
            note = _note(data, row, points[-1][0], further)
            leader = metric != words.LEFT  # lines of memory start close together: their names are listed, longest first
            found.append(
                lines.Line(row, note, theme.colour(row.engine, row.kind), points, further, stop=True, leader=leader)
            )
    return (
        found if metric != words.LEFT else sorted(found, key=lambda line: (*line.further, line.end)[-1], reverse=True)
    )


def _note(data: ScenarioData, row: Variant, last: float, further: tuple[tuple[float, float], ...]) -> str:
    """Write where and why the ramp stopped, and where the extrapolation ends."""
    stop = tables.stopped(data, row)
    text = f"N = {last:.0f}" + (f": {stop}" if stop else "")
    return f"{text}; ≈ {significant(further[-1][0], 2)} would fit" if further else text


def _further(data: ScenarioData, row: Variant, end: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Return the points of the extrapolation along the slope, from the last reading on."""
    slope, goal = data.summary(row, words.SLOPE), data.summary(row, tables.LATER)
    if slope is None or goal is None or not slope.median or not goal.median or goal.median <= end[0]:
        return ()
    steps = [end[0] * (goal.median / end[0]) ** (part / 24) for part in range(1, 25)]
    return tuple((at, end[1] - slope.median * (at - end[0])) for at in steps)


def _drawn(
    data: ScenarioData, shown: list[lines.Line], said: tuple[str, str, str, str], metric: str, unit: str
) -> svg.Plot:
    name, kind, title, what = said
    tall = lines.height(shown)
    with canvas.sheet(TOP + tall + 0.5) as figure:
        panel = canvas.axes(figure, TOP, tall, 0.72, lines.gutter(shown))
        x, y = lines.scale_axes(panel, shown, "count", unit, from_zero=metric == words.LEFT)
        panel.set_xlabel("instances", fontsize=canvas.SMALL_PT)
        lines.draw(figure, panel, shown)
        marks = [canvas.mark("|", "the ramp stopped", size=9, colour=theme.INK, edge=1.6)]
        if any(line.further for line in shown):
            marks.append(canvas.mark("o", "extrapolated, not measured", hollow=True))
        canvas.legend(figure, marks)
        axes = f"both axes {x}" if x == y else f"{x} axis of instances, {y} one of values"
        counts = block_counts(one.n for row in _rows(data) for _, one in lookup.over(data, row, metric, "instances"))
        alt = "; ".join(f"{line.label.text}: {_said(line, unit)}" for line in shown)
        return canvas.finish(figure, canvas.Words(name, kind, title, f"{what}; {axes}. {counts}", f"{title}. {alt}"))


def _said(line: lines.Line, unit: str) -> str:
    (first, low), (last, high) = line.points[0], line.end
    return f"{format_value(low, unit)} at {first:.0f}, {format_value(high, unit)} at {last:.0f} ({line.note})"
