"""The charts of ``density``: start time and available memory over the number of instances."""

from __future__ import annotations

from bench.benchmarks.density import tables, words
from bench.core.units import format_value, significant
from bench.display import canvas, legends, lookup, svg, theme
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
    """Draw what is gone from MemAvailable over the number of instances that were measured; an extrapolation is a number only."""
    shown = _lines(data, words.LEFT)
    if not shown:
        return None
    each = [found for row in _rows(data) if (found := data.summary(row, words.SLOPE)) and found.median]
    title = "Memory that is taken while instances become more"
    if all_decided(each):
        title = f"Each further instance takes {span(each)}"
    what = "What is gone from MemAvailable since the first step, over the instances that live"
    if bound := [f"{row.text}: {first.what}" for row in _rows(data) if (first := words.binding(data, row))]:
        what += f"; how many would fit is extrapolated to the limit that comes first ({', '.join(bound)}), and was not measured"
    return _drawn(data, shown, (name, "available", title, what), words.LEFT, "bytes")


def _rows(data: ScenarioData) -> list[Variant]:
    return lookup.without_control(data)


def _lines(data: ScenarioData, metric: str) -> list[lines.Line]:
    found = []
    for row in _rows(data):
        points = tuple(
            (at, one.median) for at, one in lookup.over(data, row, metric, "instances") if one.median is not None
        )
        if points and metric == words.LEFT:
            points = tuple((at, points[0][1] - value) for at, value in points)
        if points:
            first = words.binding(data, row) if metric == words.LEFT else None
            note = _note(data, row, points[-1][0], first)
            leader = metric != words.LEFT  # lines of memory start close together: their names are listed, longest first
            found.append(lines.Line(row, note, theme.colour(row.engine, row.kind), points, stop=True, leader=leader))
    return found if metric != words.LEFT else sorted(found, key=lambda line: line.end, reverse=True)


def _note(data: ScenarioData, row: Variant, last: float, first: words.Binding | None) -> str:
    """Write where and why the ramp stopped, and how many would fit until the first limit."""
    stop = tables.stopped(data, row)
    text = f"N = {last:.0f}" + (f": {stop}" if stop else "")
    if first is None:
        return text
    fits = f"≈ {significant(first.instances, 2)} would fit"
    return f"{fits}; tried {last:.0f}" if stop == words.RULES["asked"] else f"{text}; {fits}"


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
        marks = [legends.mark("|", "the ramp stopped", size=9, colour=theme.INK, edge=1.6)]
        legends.legend(figure, marks)
        axes = f"both axes {x}" if x == y else f"{x} axis of instances, {y} one of values"
        counts = block_counts(one.n for row in _rows(data) for _, one in lookup.over(data, row, metric, "instances"))
        alt = "; ".join(f"{line.label.text}: {_said(line, unit)}" for line in shown)
        return canvas.finish(figure, canvas.Words(name, kind, title, f"{what}; {axes}. {counts}", f"{title}. {alt}"))


def _said(line: lines.Line, unit: str) -> str:
    (first, low), (last, high) = line.points[0], line.end
    return f"{format_value(low, unit)} at {first:.0f}, {format_value(high, unit)} at {last:.0f} ({line.note})"
