"""The charts of ``network-modes``: throughput, latency, CPU time and start."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.network_modes import tables
from bench.core.model import Summary
from bench.display import lookup, paired, svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.prose import all_decided, apart, block_counts, if_decided, span, value
from bench.display.table import interval_text, ratio_text


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw throughput, latency, CPU time and start."""
    return [
        throughput(data, f"{data.stem}-throughput"),
        answers(data, f"{data.stem}-answers"),
        cpu(data, f"{data.stem}-cpu"),
        start(data, f"{data.stem}-start"),
    ]


def throughput(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the throughput of one and of several streams, out and in side by side."""
    rows, panels = _streams(data, tables.THROUGHPUT, data.baseline)
    if not panels:
        return None
    caption = (
        f"TCP throughput. Out: the instance sends; in: it receives. The line is one stream of {data.baseline}; "
        f"network=none has nothing but its own loopback. {_blocks(data, tables.THROUGHPUT)}"
    )
    return dot_panels.plot(
        dot_panels.Look(rows, _kinds(data, tables.THROUGHPUT)),
        panels,
        name=name,
        kind="throughput",
        title=_carried(data),
        caption=caption,
    )


def answers(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw median and 99th percentile of the response time, and connections a second."""
    rows = _rows(data)
    latency = {
        (index, kind): dot
        for index, row in enumerate(rows)
        for kind, what in enumerate((tables.MEDIAN, tables.TAIL))
        if (dot := matrix.dot_of(what.of(data, row[0])))
    }
    connects = {
        (index, 0): dot for index, row in enumerate(rows) if (dot := matrix.dot_of(tables.CONNECTS.of(data, row[0])))
    }
    panels = [
        dot_panels.Panel("request and answer", "s", latency),
        dot_panels.Panel("TCP connections", "connections/s", connects),
    ]
    kept, panels = dot_panels.compact(rows, panels)
    if not panels:
        return None
    caption = (
        "Time from a small request to its answer over one connection, and how many connections are made a second, one after "
        f"the other. {_blocks(data, tables.MEDIAN.metric)}"
    )
    kinds = ("median", "99th percentile") if any(kind for panel in panels for _, kind in panel.dots) else ("median",)
    return dot_panels.plot(
        dot_panels.Look(kept, kinds), panels, name=name, kind="answers", title=_slowest(data), caption=caption
    )


def cpu(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the CPU time of the whole host for each gigabyte."""
    rows, panels = _streams(data, tables.CPU, "")
    if not panels:
        return None
    title = "CPU time of the whole host for each gigabyte"
    found = _of(data, Quantity(tables.CPU, {"streams": 1, "direction": "out"}, ""))
    if len(found) > 1 and all_decided(one for _, one in found):
        title = f"CPU time of the whole host for each gigabyte that leaves: {_span(found)}"
    caption = (
        f"CPU time of the whole host, kernel and both ends included, for 10\u2079 bytes. Out: the instance sends. "
        f"{_blocks(data, tables.CPU)}"
    )
    return dot_panels.plot(
        dot_panels.Look(rows, _kinds(data, tables.CPU)),
        panels,
        name=name,
        kind="cpu-per-gb",
        title=title,
        caption=caption,
    )


def start(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the time to ready in each mode."""
    rows = _rows(data)
    dots = {(index, 0): dot for index, row in enumerate(rows) if (dot := matrix.dot_of(tables.READY.of(data, row[0])))}
    kept, panels = dot_panels.compact(rows, [dot_panels.Panel("request → ready", "s", dots)])
    if not panels:
        return None
    caption = (
        f"Time from the request until the payload is ready, in each network mode. {_blocks(data, tables.READY.metric)}"
    )
    return dot_panels.plot(
        dot_panels.Look(kept, ("ready",)), panels, name=name, kind="start", title=_dearest_start(data), caption=caption
    )


def _rows(data: ScenarioData) -> list[tuple[Variant, str]]:
    return [(row, theme.colour(row.engine, row.kind)) for row in lookup.without_control(data)]


def _streams(data: ScenarioData, metric: str, reference: str) -> tuple[list[tuple[Row, str]], list[dot_panels.Panel]]:
    """Return one panel a direction, with one kind of dot for each number of streams."""
    rows, ways = _rows(data), tables.ways(data, metric)
    counts = lookup.param_values(data, metric, "streams")
    titles = {"out": "out: the instance sends", "in": "in: it receives"}
    panels = []
    for direction in dict.fromkeys(str(what.more["direction"]) for what in ways):
        dots, line = {}, None
        for what in (one for one in ways if one.more["direction"] == direction):
            for index, (row, _) in enumerate(rows):
                if dot := matrix.dot_of(what.of(data, row)):
                    dots[index, counts.index(what.more["streams"])] = dot
                    if row.target == reference and what.more["streams"] == counts[0]:
                        line = dot.value
        unit = "s" if metric == tables.CPU else "bit/s"
        panels.append(dot_panels.Panel(titles.get(direction, direction), unit, dots, line))
    return dot_panels.compact(list(rows), panels)


def _kinds(data: ScenarioData, metric: str) -> list[str]:
    return [tables.streams_text(count) for count in lookup.param_values(data, metric, "streams")]


def _blocks(data: ScenarioData, metric: str) -> str:
    counts = [item.n for item in data.summaries if item.metric == metric and item.n]
    return f"Dots are medians of the blocks{if_decided(counts)}. {block_counts(counts)}"


def _of(data: ScenarioData, what: Quantity) -> list[tuple[Variant, Summary]]:
    """Return the rows that have a value of a quantity, smallest first."""
    found = [(row, one) for row, _ in _rows(data) if (one := what.of(data, row))]
    return sorted(found, key=lambda pair: pair[1].median or 0.0)


def _span(found: Sequence[tuple[Variant, Summary]]) -> str:
    """Write the smallest and the largest value if they are apart, else all."""
    return span([one for _, one in found], {row.target: row.text for row, _ in found})


def _carried(data: ScenarioData) -> str:
    """Name the modes with the most and the least throughput of one outgoing stream."""
    ways = tables.ways(data, tables.THROUGHPUT)
    found = [pair for pair in _of(data, ways[0]) if tables.reaches(pair[0]) and pair[0].engine != "host"]
    if not all_decided(one for _, one in found):
        return "TCP throughput of each network mode"
    (slow, low), (fast, high) = found[0], found[-1]
    way = ways[0].title
    if slow == fast:
        return f"With {way}, {fast.text} carries {value(high)}{_times(high, data)}"
    return f"With {way}, {fast.text} carries {value(high)}{_times(high, data)}; {slow.text} {value(low)}{_times(low, data)}"


def _times(found: Summary, data: ScenarioData) -> str:
    if found.ratio is None or found.target == data.baseline:
        return ""
    interval = interval_text(found.ratio_ci, "ratio")
    return f", {ratio_text(found.ratio)}{f' [{interval}]' if interval else ''} that of {data.baseline}"


def _slowest(data: ScenarioData) -> str:
    found = _of(data, tables.MEDIAN)
    if not all_decided(one for _, one in found):
        return "Response time, and connections a second, in each network mode"
    low, high = found[0][1], found[-1][1]
    return f"An answer takes {_span(found)}" + (_times(high, data) if apart(low, high) else "")


def _dearest_start(data: ScenarioData) -> str:
    """Name the mode whose start takes longest compared with the same engine's mode without a network of its own."""
    grown = [
        (ratio, row, other)
        for row, _ in _rows(data)
        if (other := tables.plain_mode(data, row)) and (ratio := paired.times(data, row, other, tables.READY))
    ]
    if any(ratio.ci is None for ratio, *_ in grown):
        return "Time from the request until ready, in each network mode"
    longer = [one for one in grown if one[0].ratio > 1 and one[0].sure]
    if longer:
        ratio, row, other = max(longer, key=lambda one: one[0].ratio)
        return f"A start with {row.text} takes {paired.text(ratio)} as long as with {other.text}"
    found = _of(data, tables.READY)
    start = "No network makes a start measurably longer: ready" if grown else "Ready"
    return f"{start} after {_span(found)}"
