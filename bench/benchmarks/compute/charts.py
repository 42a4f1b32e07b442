"""The chart of ``compute``: the time of each kind of work compared with the baseline."""

from __future__ import annotations

from bench.benchmarks.compute import tables
from bench.core.model import NULL, Interval, Summary
from bench.display import canvas, svg, theme
from bench.display.charts import matrix
from bench.display.data import ScenarioData, Variant
from bench.display.prose import block_counts, if_decided
from bench.display.table import interval_text, ratio_text


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the chart."""
    return [draw(data, f"{data.stem}-relative")]


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the time of each kind of work ÷ the baseline's, one panel a kind; rates are inverted, so that right is slower."""
    rows = [row for row in data.invoked if row.target != data.baseline]
    panels = [matrix.Panel(work[2], dots) for work in tables.works(data) if (dots := _dots(data, rows, work))]
    rows, panels = matrix.compact(rows, panels)
    if not panels:
        return None
    look = matrix.Look([(row, theme.colour(row.engine, row.kind)) for row in rows], "ratio", reference=1.0, shared=True)
    return matrix.plot(look, panels, _words(data, rows, panels, name))


def _control(data: ScenarioData, rows: list[Variant]) -> str:
    if all(row.target != NULL for row in rows):
        return ""
    return (
        f"Hollow: {data.baseline} a second time under another name (null); differences of its size are the host's noise, "
        "not the cost of isolation. "
    )


def slower(found: Summary | None) -> tuple[float, Interval | None] | None:
    """Return the time of the same work ÷ the baseline's, with its interval; ``None`` without a ratio."""
    if found is None or not found.ratio:
        return None
    if found.metric == tables.CALL:
        return found.ratio, found.ratio_ci
    ci = found.ratio_ci
    return 1 / found.ratio, Interval(1 / ci.high, 1 / ci.low, ci.level) if ci else None


def _dots(data: ScenarioData, rows: list[Variant], work: tables.Work) -> dict[int, matrix.Dot]:
    found = ((index, slower(tables.summary(data, row, work))) for index, row in enumerate(rows))
    return {index: matrix.Dot(*times, ratio_text(times[0])) for index, times in found if times}


def _words(data: ScenarioData, rows: list[Variant], panels: list[matrix.Panel], name: str) -> canvas.Words:
    title = _title(data, rows, panels)
    found = [tables.summary(data, row, work) for row in rows for work in tables.works(data)]
    counts = [one.ratio_n for one in found if one and one.ratio]
    caption = (
        f"Time of the same work as a multiple of {data.baseline}’s, paired block by block (Hodges-Lehmann)"
        f"{if_decided(counts)}; rates are turned round, so that right of the line is slower everywhere. All panels have the same "
        f"axis. {_control(data, rows)}{block_counts(counts)}"
    )
    alt = ". ".join(
        f"{panel.title}: " + ", ".join(f"{rows[index].text} {_said(dot)}" for index, dot in panel.dots.items())
        for panel in panels
    )
    control = any(row.target == NULL for row in rows)
    return canvas.Words(name, "relative", title, caption, f"{title}. {alt}", control=control)


def _title(data: ScenarioData, rows: list[Variant], panels: list[matrix.Panel]) -> str:
    """Give the largest ratio that has an interval, of a target other than the control."""
    found = [
        (dot.value, rows[index].text, panel.title, dot)
        for panel in panels
        for index, dot in panel.dots.items()
        if dot.ci and rows[index].target != NULL
    ]
    if not found:
        return f"Time of the same work compared with {data.baseline}"
    _, target, work, dot = max(found, key=lambda one: one[0])
    return f"{work} takes {_said(dot)} as long in {target} as on {data.baseline}"


def _said(dot: matrix.Dot) -> str:
    return dot.text + (f" [{interval_text(dot.ci, 'ratio')}]" if dot.ci else "")
