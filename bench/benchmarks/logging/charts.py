"""The charts of ``logging``: what a line costs, how long a write blocks, and what is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.benchmarks.logging import results
from bench.core.model import Summary
from bench.display import canvas, prose, svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.charts.matrix import Dot
from bench.display.data import ScenarioData, Variant
from bench.display.prose import block_counts, if_decided

_LOST = {
    "rate": "at a rate",
    "flat": "flat out",
    "follower": "with a follower",
    "stopped": "reader stopped",
    "crash": "collector crashed",
}


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the cost, the writes and the losses."""
    return [cost(data, f"{data.stem}-cost"), writes(data, f"{data.stem}-writes"), lost(data, f"{data.stem}-lost")]


def _rows(data: ScenarioData) -> list[tuple[Mapping[str, Variant], Variant]]:
    return [(loads, results.named(next(iter(loads.values())))) for loads in results.targets(data).values()]


def _look(rows: Sequence[tuple[Mapping[str, Variant], Variant]]) -> list[tuple[Variant, str]]:
    return [(row, theme.colour(row.engine, row.kind)) for _, row in rows]


def cost(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw lines per second, CPU per million lines and bytes stored, flat out."""
    rows = _rows(data)
    chosen: tuple[tuple[str, str, str, dict[str, str]], ...] = (
        ("lines per second", "1/s", "lines_per_s", {}),
        ("CPU per million lines", "s", "cpu_per_million_s", {"part": "all"}),
        ("bytes stored ÷ written", "ratio", "stored_ratio", {}),
    )
    counts: list[int] = []
    panels = []
    for title, unit, metric, more in chosen:
        dots: dict[tuple[int, int], Dot] = {}
        for index, (loads, _) in enumerate(rows):
            found = results.count(data, loads.get("flat"), metric, **more)
            if found and found.median and (dot := matrix.dot_of(found)):
                dots[index, 0] = dot
                counts.append(found.n)
        panels.append(dot_panels.Panel(title, unit, dots))
    kept, panels = dot_panels.compact(_look(rows), panels)
    if not panels:
        return None
    caption = (
        "Lines written flat out by one instance. The CPU time is that of everything but the writer: daemon, shim, monitor, "
        "collector. "
        f"Medians of the blocks{if_decided(counts)}. {block_counts(counts)}"
    )
    look = dot_panels.Look(kept, ["flat out"])
    return dot_panels.plot(look, panels, name=name, kind="cost", title=_cost_title(data, rows), caption=caption)


def _cost_title(data: ScenarioData, rows: Sequence[tuple[Mapping[str, Variant], Variant]]) -> str:
    found = [
        one for loads, _ in rows if (one := results.count(data, loads.get("flat"), "cpu_per_million_s", part="all"))
    ]
    return (
        f"A million lines cost {prose.span(found, prose.brief_names(data))} of CPU time"
        if prose.all_decided(found) and len(found) > 1
        else "What a line costs"
    )


def writes(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw how long a write blocks: median and 99th percentile, at a rate and flat out."""
    rows = _rows(data)
    panels, counts = [], []
    for load, title in (("rate", "at a fixed rate"), ("flat", "flat out")):
        dots: dict[tuple[int, int], Dot] = {}
        for index, (loads, _) in enumerate(rows):
            for kind, metric in enumerate(("write_p50_s", "write_p99_s")):
                found = results.count(data, loads.get(load), metric)
                if found and (dot := matrix.dot_of(found)):
                    dots[index, kind] = dot
                    counts.append(found.n)
        panels.append(dot_panels.Panel(title, "s", dots))
    kept, panels = dot_panels.compact(_look(rows), panels)
    if not panels:
        return None
    caption = (
        "How long one write(2) of a line takes, between two reports of the writer that the host stamps; the two reports are part "
        f"of it, and the bare host shows how much they are. {block_counts(counts)}"
    )
    look = dot_panels.Look(kept, ["median", "99th percentile"])
    return dot_panels.plot(look, panels, name=name, kind="writes", title="How long one write blocks", caption=caption)


def lost(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the lines that did not come through, one panel a load; loads with which no log lost any are left out."""
    rows = _rows(data)
    panels, counts = [], []
    for load, title in _LOST.items():
        found = {index: one for index, (loads, _) in enumerate(rows) if (one := results.lost(data, loads.get(load)))}
        if any(one.median for one in found.values()):
            panels.append(matrix.Panel(title, {index: _dot(one) for index, one in found.items()}))
            counts += [one.n for one in found.values()]
    if not panels:
        return None
    kept, panels = matrix.compact(_look(rows), panels)
    caption = (
        "Lines that did not come through where most of them are missing: by the engine’s reader, in what is stored, or by the "
        "follower. "
        f"Every panel has its own axis. {block_counts(counts)}"
    )
    said = [
        f"{panel.title}: " + ", ".join(f"{kept[i][0].text} {dot.text}" for i, dot in panel.dots.items())
        for panel in panels
    ]
    title = _lost_title(data)
    return matrix.plot(
        matrix.Look(kept, "count"), panels, canvas.Words(name, "lost", title, caption, f"{title}. {'; '.join(said)}")
    )


def _dot(found: Summary) -> Dot:
    return Dot(found.median or 0.0, found.ci, f"{found.median:.0f}")


def _lost_title(data: ScenarioData) -> str:
    found = [
        [one.median or 0.0 for load in _LOST if (one := results.lost(data, loads.get(load)))]
        for loads in results.targets(data).values()
    ]
    every = [lost for lost in found if lost]
    return f"{sum(not any(lost) for lost in every)} of {len(every)} logs lose no line with any load"
