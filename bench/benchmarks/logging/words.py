"""The result of ``logging`` in sentences: what is lost, where lines are cut, what a line costs."""

from __future__ import annotations

from bench.benchmarks.logging import results
from bench.benchmarks.logging.shapes import SHAPES
from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData, Variant

_EDGES = ("16383 B", "16384 B", "16385 B")


def words(data: ScenarioData) -> str:
    """Say what is lost with each kind of delivery, what becomes of lines at the edges, and what a line costs."""
    found = results.brief(data)
    if not any(row.metric.startswith("logging.") and row.median is not None for row in data.summaries):
        return prose.no_values("logging.lost_lines")
    sentences = [
        _blocking(data, found),
        _dropped(data, found),
        *_cut(data, found),
        _altered(data, found),
        _costs(data, found),
        _still(data, found, "stopped", "With a stopped reader"),
        _still(data, found, "crash", "When the collector crashes"),
        _over(data, found),
        prose.restriction(prose.with_values(data.summaries, "logging.lines_per_s")),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Say how many targets lose no line."""
    found = results.brief(data)
    ended = _losses(data, found, lossy=False)
    losing = [name for name, lost in ended.items() if lost]
    if not ended:
        return ""
    others = f"; {prose.joined(losing, 2)} {'loses' if len(losing) == 1 else 'lose'} lines" if losing else ""
    return f"{len(ended) - len(losing)} of {len(ended)} blocking logs lose no line{others}"


_Found = dict[str, dict[str, Variant]]


def _losses(data: ScenarioData, found: _Found, *, lossy: bool) -> dict[str, float]:
    """Return the most lines that a target lost with any load but the crash; without targets whose lines nobody reads."""
    lost: dict[str, float] = {}
    for name, loads in found.items():
        rows = [row for load, row in loads.items() if load != "crash" and results.is_lossy(row) == lossy]
        counts = [count for row in rows if (count := results.missing(data, row)) is not None]
        if counts:
            lost[name] = max(counts)
    return lost


def _blocking(data: ScenarioData, found: _Found) -> str:
    lost = _losses(data, found, lossy=False)
    if not lost:
        return ""
    losing = [f"{name} loses {prose.plural(count, 'line')}" for name, count in lost.items() if count]
    if not losing:
        return f"None of {prose.plural(len(lost), 'blocking log')} loses a line"
    return (
        f"{len(lost) - len(losing)} of {prose.plural(len(lost), 'blocking log')} lose no line; {prose.joined(losing)}"
    )


def _dropped(data: ScenarioData, found: _Found) -> str:
    lost = _losses(data, found, lossy=True)
    dropping = [f"{prose.plural(count, 'line')} ({name})" for name, count in lost.items() if count]
    if not lost:
        return ""
    return (
        f"Non-blocking delivery drops up to {prose.joined(dropping)}"
        if dropping
        else "Non-blocking delivery drops no line here"
    )


def _cut(data: ScenarioData, found: _Found) -> list[str]:
    """Say from which length on lines are cut, in what is stored."""
    first: dict[str, list[str]] = {}
    for name, loads in found.items():
        shapes = results.shapes(data, loads.get("edges"), "file")
        if not shapes:
            continue
        cut = [shape for shape in SHAPES if shape in shapes and (shapes[shape].records or 1) > 1]
        at = next((shape for shape in cut if shape in _EDGES), "1 MiB" if "1 MiB" in cut else "")
        first.setdefault(at, []).append(name)
    said = {
        at: f"Stored lines of {at} and more are cut by {prose.joined(names, 9)}" for at, names in first.items() if at
    }
    never = [f"No stored line is cut by {prose.joined(first[''], 9)}"] if "" in first else []
    return [said[at] for at in (*_EDGES, "1 MiB") if at in said] + never


def _altered(data: ScenarioData, found: _Found) -> str:
    by: dict[str, list[str]] = {}
    for name, loads in found.items():
        shapes = results.shapes(data, loads.get("edges"), "file")
        for shape in ("CR LF", "not UTF-8"):
            if shape in shapes and shapes[shape].altered:
                by.setdefault(shape, []).append(name)
    said = {"CR LF": "the carriage return before a line feed", "not UTF-8": "bytes that are not UTF-8"}
    parts = [f"{said[shape]} by {prose.joined(names, 9)}" for shape, names in by.items()]
    return f"Changed on the way: {'; '.join(parts)}" if parts else ""


def _cost(data: ScenarioData, loads: dict[str, Variant]) -> Summary | None:
    return results.count(data, loads.get("flat"), "cpu_per_million_s", part="all")


def _costs(data: ScenarioData, found: _Found) -> str:
    rows = [one for loads in found.values() if (one := _cost(data, loads))]
    said = prose.span(rows, prose.brief_names(data)) if rows else ""
    return f"A million lines cost {said} of CPU time outside the writer" if rows else ""


def _still(data: ScenarioData, found: _Found, load: str, when: str) -> str:
    ended = {
        name: value
        for name, loads in found.items()
        if (value := results.number(data, loads.get(load), "stalled_writers")) is not None
    }
    if not ended:
        return ""
    still = [name for name, value in ended.items() if value >= 0.5]
    if not still:
        return f"{when} no writer stalls ({prose.plural(len(ended), 'log')})"
    others = prose.plural(len(ended) - len(still), "other log")
    return f"{when} the writer stalls with {prose.joined(still, 9)} and continues with {others}"


def _over(data: ScenarioData, found: _Found) -> str:
    ended = {
        name: value
        for name, loads in found.items()
        if (value := results.number(data, loads.get("limit"), "over_limit_bytes")) is not None
    }
    over = [name for name, value in ended.items() if value]
    if not ended:
        return ""
    return (
        f"{prose.joined(over)} went over the limit"
        if over
        else f"All {prose.plural(len(ended), 'log')} with a limit stayed within it"
    )
