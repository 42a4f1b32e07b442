"""The charts of ``isolation``: slowdowns by target and neighbour, and by what is beside the victim."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.isolation import slowdowns
from bench.benchmarks.isolation.slowdowns import BESIDE, P50, P99, PLACEBO_BAND, UNLIMITED, Cell
from bench.display import canvas, svg, theme
from bench.display.charts import matrix
from bench.display.data import ScenarioData, Variant
from bench.display.prose import block_counts
from bench.display.table import interval_text, ratio_text
from bench.stats.pairs import Times


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the slowdown beside each unlimited neighbour, and that of every arm."""
    cells = slowdowns.grouped(data)
    return [_matrix(data, cells), _arms(data, cells)]


def _matrix(data: ScenarioData, cells: Sequence[Cell]) -> svg.Plot | None:
    """Draw one panel a neighbour, one row a target."""
    rows = list(dict.fromkeys(cell.target for cell in cells))
    panels, found = [], []
    for name in slowdowns.neighbours(cells):
        dots = {}
        for cell in cells:
            times = cell.slowdown(data, UNLIMITED, P99) if cell.neighbour == name else None
            if times:
                dots[rows.index(cell.target)] = _dot(times)
                found.append(times)
        panels.append(matrix.Panel(name, dots))
    caption = (
        "99th percentile of the time from due to done beside an unlimited neighbour, as a multiple of that of the same victim "
        "alone, paired block by block, with its 95\u00a0% interval; one panel a neighbour, all on one axis. The line is no "
        f"slowdown. {block_counts(times.n for times in found)}"
    )
    words = ("matrix", _title(data, cells), caption)
    return _drawn(data, rows, [panel for panel in panels if panel.dots], words, band=0.0)


def _arms(data: ScenarioData, cells: Sequence[Cell]) -> svg.Plot | None:
    """Draw one panel an arm, one row a target and neighbour."""
    rows = [cell.row for cell in cells]
    panels, found = [], []
    for arm in BESIDE:
        dots = {}
        for index, cell in enumerate(cells):
            if times := cell.slowdown(data, arm, P50):
                dots[index] = _dot(times)
                found.append(times)
        panels.append(matrix.Panel(arm, dots))
    within, of = slowdowns.placebo_within(data, cells)
    title = (
        f"An idle neighbour leaves the median within 5\u00a0% in {within} of {of} cells" if of else "Slowdown by arm"
    )
    caption = (
        "Median time from due to done, as a multiple of that of the victim alone, with its 95\u00a0% interval; one panel for "
        f"what is beside the victim. The band is ±5\u00a0%. {block_counts(times.n for times in found)}"
    )
    panels = [panel for panel in panels if panel.dots]
    return _drawn(data, rows, panels, ("arms", title, caption), band=PLACEBO_BAND[1] - 1)


def _drawn(
    data: ScenarioData,
    rows: Sequence[Variant],
    panels: Sequence[matrix.Panel],
    words: tuple[str, str, str],
    *,
    band: float,
) -> svg.Plot | None:
    kept, panels = matrix.compact(rows, panels)
    if not panels:
        return None
    kind, title, caption = words
    said = [
        f"{panel.title}: {kept[index].text} {dot.text}" + (f" [{interval_text(dot.ci, 'ratio')}]" if dot.ci else "")
        for panel in panels
        for index, dot in panel.dots.items()
    ]
    look = matrix.Look(
        [(row, theme.colour(row.engine, row.kind)) for row in kept], "ratio", reference=1.0, band=band, shared=not band
    )
    alt = f"{title}. {'; '.join(said)}"
    return matrix.plot(look, panels, canvas.Words(f"{data.stem}-{kind}", kind, title, caption, alt))


def _dot(times: Times) -> matrix.Dot:
    return matrix.Dot(times.ratio, times.ci, ratio_text(times.ratio))


def _title(data: ScenarioData, cells: Sequence[Cell]) -> str:
    """Name the neighbour that slows a victim most, where the intervals decide it."""
    found = [one for name in slowdowns.neighbours(cells) for one in slowdowns.ranked(data, cells, name)]
    worst = max(found, key=lambda one: one.slowdown.ratio, default=None)
    ends = [one.slowdown.ci.high for one in found if one is not worst and one.slowdown.ci]
    if worst is None or worst.slowdown.ci is None or worst.slowdown.ci.low <= max(ends, default=1.0):
        return "What a neighbour takes from a victim"
    return f"The neighbour {worst.cell.neighbour} hurts most: {ratio_text(worst.slowdown.ratio)} on {worst.cell.target.text}"
