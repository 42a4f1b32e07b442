"""What network modes carry, how soon they answer, what that costs the host, and what they cost at start."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.network_modes import tables as page
from bench.core.model import NULL, Summary
from bench.core.units import format_value
from bench.display import canvas, lookup, paired, svg, theme
from bench.display.charts import dot_panels
from bench.display.charts.matrix import Dot
from bench.display.charts.words import plural_blocks
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import interval_text, ratio_text

_MEDIAN = "Dots are medians of the blocks with their 95\u00a0% interval."


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw throughput, answers, CPU time and start."""
    return [
        throughput(data, f"{data.stem}-throughput"),
        answers(data, f"{data.stem}-answers"),
        cpu(data, f"{data.stem}-cpu"),
        start(data, f"{data.stem}-start"),
    ]


def throughput(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw one stream and several, out and in beside each other."""
    rows, panels = _streams(data, page.THROUGHPUT, data.baseline)
    if not panels:
        return None
    caption = (
        f"TCP throughput. Out: the instance sends; in: it receives. The line is one stream of {data.baseline}; "
        f"network=none has nothing but its own loopback. {_MEDIAN} {_blocks(data, page.THROUGHPUT)}"
    )
    return _drawn(rows, panels, _kinds(data, page.THROUGHPUT), (name, "throughput", _carried(data), caption))


def answers(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw median and 99th percentile of an answer, and connections a second."""
    rows = _rows(data)
    latency = {
        (place, kind): dot
        for place, row in enumerate(rows)
        for kind, what in enumerate((page.MEDIAN, page.TAIL))
        if (dot := _dot(what.of(data, row[0])))
    }
    connects = {(place, 0): dot for place, row in enumerate(rows) if (dot := _dot(page.CONNECTS.of(data, row[0])))}
    panels = [
        dot_panels.Panel("request and answer", "s", latency),
        dot_panels.Panel("TCP connections", "1/s", connects),
    ]
    kept, panels = dot_panels.compact(rows, panels)
    if not panels:
        return None
    caption = (
        "Time from a small request to its answer over one connection, and how many connections are made a second, one after "
        f"the other. {_MEDIAN} {_blocks(data, page.MEDIAN.metric)}"
    )
    kinds = ("median", "99th percentile") if any(kind for panel in panels for _, kind in panel.dots) else ("median",)
    return _drawn(kept, panels, kinds, (name, "answers", _slowest(data), caption))


def cpu(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw CPU time of the whole host for each gigabyte."""
    rows, panels = _streams(data, page.CPU, "")
    if not panels:
        return None
    title = "CPU time of the whole host for each gigabyte"
    found = _of(data, Quantity(page.CPU, {"streams": 1, "direction": "out"}, ""))
    if len(found) > 1:
        low, high = found[0], found[-1]
        title = (
            f"Each gigabyte that leaves costs the host from {_value(low[1])} of CPU time ({low[0].text}) "
            f"to {_value(high[1])} ({high[0].text})"
        )
    caption = (
        f"CPU time of the whole host, kernel and both ends included, for 10\u2079 bytes. Out: the instance sends. {_MEDIAN} "
        f"{_blocks(data, page.CPU)}"
    )
    return _drawn(rows, panels, _kinds(data, page.CPU), (name, "cpu-per-gb", title, caption))


def start(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw how soon an instance is ready in each mode."""
    rows = _rows(data)
    dots = {(place, 0): dot for place, row in enumerate(rows) if (dot := _dot(page.READY.of(data, row[0])))}
    kept, panels = dot_panels.compact(rows, [dot_panels.Panel("request → ready", "s", dots)])
    if not panels:
        return None
    caption = (
        "Time from the request until the payload is ready, in each network mode. "
        f"{_MEDIAN} {_blocks(data, page.READY.metric)}"
    )
    return _drawn(kept, panels, ("ready",), (name, "start", _dearest_start(data), caption))


def _rows(data: ScenarioData) -> list[tuple[Variant, str]]:
    return [(row, theme.colour(row.engine)) for row in data.invoked if row.target != NULL]


def _dot(found: Summary | None) -> Dot | None:
    if found is None or found.median is None:
        return None
    return Dot(found.median, found.ci, format_value(found.median, found.unit))


def _streams(data: ScenarioData, metric: str, reference: str) -> tuple[list[tuple[Row, str]], list[dot_panels.Panel]]:
    """Return a panel a direction, one kind a number of streams."""
    rows, ways = _rows(data), page.ways(data, metric)
    counts = lookup.kinds(data, metric, "streams")
    titles = {"out": "out: the instance sends", "in": "in: it receives"}
    panels = []
    for direction in dict.fromkeys(str(what.more["direction"]) for what in ways):
        dots, line = {}, None
        for what in (one for one in ways if one.more["direction"] == direction):
            for place, (row, _) in enumerate(rows):
                if dot := _dot(what.of(data, row)):
                    dots[place, counts.index(what.more["streams"])] = dot
                    if row.target == reference and what.more["streams"] == counts[0]:
                        line = dot.value
        unit = "s" if metric == page.CPU else "bytes/s"
        panels.append(dot_panels.Panel(titles.get(direction, direction), unit, dots, line))
    return dot_panels.compact(list(rows), panels)


def _kinds(data: ScenarioData, metric: str) -> list[str]:
    return ["1 stream" if count == 1 else f"{count} streams" for count in lookup.kinds(data, metric, "streams")]


def _drawn(
    rows: Sequence[tuple[Row, str]],
    panels: Sequence[dot_panels.Panel],
    kinds: Sequence[str],
    words: tuple[str, str, str, str],
) -> svg.Plot:
    look = dot_panels.Look(rows, kinds)
    name, kind, title, caption = words
    with canvas.sheet(dot_panels.height(look)) as figure:
        dot_panels.draw(figure, look, panels)
        alt = f"{title}. {dot_panels.said(look, panels)}"
        return canvas.finish(figure, canvas.Words(name, kind, title, caption, alt))


def _blocks(data: ScenarioData, metric: str) -> str:
    return plural_blocks(item.n for item in data.summaries if item.metric == metric and item.n)


def _of(data: ScenarioData, what: Quantity) -> list[tuple[Variant, Summary]]:
    """Return rows with a value, smallest first."""
    found = [(row, one) for row, _ in _rows(data) if (one := what.of(data, row))]
    return sorted(found, key=lambda pair: pair[1].median or 0.0)


def _value(found: Summary) -> str:
    return format_value(found.median, found.unit)


def _carried(data: ScenarioData) -> str:
    """Say which mode carries most and least of one stream out."""
    ways = page.ways(data, page.THROUGHPUT)
    found = [pair for pair in _of(data, ways[0]) if page.reaches(pair[0]) and pair[0].engine != "host"]
    if not found:
        return "TCP throughput of each network mode"
    (slow, low), (fast, high) = found[0], found[-1]
    way = ways[0].title
    if slow == fast:
        return f"With {way}, {fast.text} carries {_value(high)}{_times(high, data)}"
    return f"With {way}, {fast.text} carries {_value(high)}{_times(high, data)}; {slow.text} {_value(low)}{_times(low, data)}"


def _times(found: Summary, data: ScenarioData) -> str:
    if found.ratio is None or found.target == data.baseline:
        return ""
    interval = interval_text(found.ratio_ci, "ratio")
    return f", {ratio_text(found.ratio)}{f' [{interval}]' if interval else ''} that of {data.baseline}"


def _slowest(data: ScenarioData) -> str:
    found = _of(data, page.MEDIAN)
    if not found:
        return "Connections a second in each network mode"
    (fast, low), (slow, high) = found[0], found[-1]
    if fast == slow:
        return f"An answer takes {_value(low)} in {fast.text}"
    return f"An answer takes from {_value(low)} ({fast.text}) to {_value(high)} ({slow.text}){_times(high, data)}"


def _dearest_start(data: ScenarioData) -> str:
    """Say in which mode of an engine the start grows most over the mode without a network of its own."""
    grown = [
        (ratio, row, other)
        for row, _ in _rows(data)
        if (other := page.plain_mode(data, row)) and (ratio := paired.times(data, row, other, page.READY))
    ]
    longer = [one for one in grown if one[0].ratio > 1 and (one[0].sure or one[0].ci is None)]
    if longer:
        ratio, row, other = max(longer, key=lambda one: one[0].ratio)
        return f"The dearest network at start is {row.text}: {paired.text(ratio)} as long as {other.text}"
    found = _of(data, page.READY)
    ends = [f"{_value(one)} ({row.text})" for row, one in (found if len(found) < 2 else [found[0], found[-1]])]
    start = "No network makes a start measurably longer: ready" if grown else "Ready"
    return f"{start} after {' to '.join(ends)}"
