"""The charts of ``isolation``: slowdowns by target and neighbour, and by what is beside the victim."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.isolation import slowdowns
from bench.benchmarks.isolation.slowdowns import BESIDE, P50, P99, UNLIMITED, Cell
from bench.display import canvas, svg, theme
from bench.display.charts import heat, matrix
from bench.display.data import ScenarioData, Variant
from bench.display.prose import block_counts, if_decided
from bench.display.table import interval_text, ratio_text
from bench.stats.pairs import Times


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the slowdown beside each unlimited neighbour, and that of every arm."""
    cells = slowdowns.grouped(data)
    return [_matrix(data, cells), _arms(data, cells)]


def _matrix(data: ScenarioData, cells: Sequence[Cell]) -> svg.Plot | None:
    """Draw one panel a neighbour, one row a target."""
    rows = _targets(cells)
    panels, counts = [], []
    for name in slowdowns.neighbours(cells):
        dots, what = {}, slowdowns.decisive(data, cells, name)
        for cell in cells:
            times = cell.slowdown(data, UNLIMITED, what) if cell.neighbour == name else None
            if times:
                dots[list(rows).index(cell.target.text)] = _dot(times)
                counts.append(times.n)
        panels.append(matrix.Panel(name if what is P99 else f"{name}, {what.title}", dots))
    kept, panels = matrix.compact(list(rows.values()), [panel for panel in panels if panel.dots])
    if not panels:
        return None
    caption = (
        "99th percentile of the time from due to done beside an unlimited neighbour, as a multiple of that of the same victim "
        f"alone, paired block by block{if_decided(counts)}; one panel a neighbour, all on one axis. The line is no "
        f"slowdown. “Median” where there are too few operations for a percentile. {block_counts(counts)}"
    )
    title = _title(data, cells)
    said = [
        f"{panel.title}: {kept[index].text} {dot.text}" + (f" [{interval_text(dot.ci, 'ratio')}]" if dot.ci else "")
        for panel in panels
        for index, dot in panel.dots.items()
    ]
    look = matrix.Look([(row, theme.colour(row.engine, row.kind)) for row in kept], "ratio", reference=1.0, shared=True)
    words = canvas.Words(f"{data.stem}-matrix", "matrix", title, caption, f"{title}. {'; '.join(said)}")
    return matrix.plot(look, panels, words)


def _arms(data: ScenarioData, cells: Sequence[Cell]) -> svg.Plot | None:
    """Draw a heat map: one row a neighbour and an arm, one column a target."""
    targets = _targets(cells)
    names = [(name, arm) for name in slowdowns.neighbours(cells) for arm in BESIDE]
    found: dict[tuple[int, int], Times] = {}
    for cell in cells:
        column = list(targets).index(cell.target.text)
        for arm in BESIDE:
            if times := cell.slowdown(data, arm, P50):
                found[names.index((cell.neighbour, arm)), column] = times
    if not found:
        return None
    within, of = slowdowns.placebo_within(data, cells)
    title = (
        f"An idle neighbour leaves the median within 5\u00a0% in {within} of {of} cells" if of else "Slowdown by arm"
    )
    caption = (
        "Median time from due to done ÷ that of the same victim alone, paired block by block (Hodges-Lehmann). Bold: the "
        f"95\u00a0% interval excludes 1. {block_counts(times.n for times in found.values())}"
    )
    rows = [f"{name}, {arm}" for name, arm in names]
    columns = [(row, theme.colour(row.engine, row.kind)) for row in targets.values()]
    empty = {
        (at, column): "–" for at in range(len(rows)) for column in range(len(columns)) if (at, column) not in found
    }
    said = [
        f"{rows[at]} on {columns[column][0].text} {ratio_text(times.ratio)}" for (at, column), times in found.items()
    ]
    words = canvas.Words(f"{data.stem}-arms", "arms", title, caption, f"{title}. {'; '.join(said)}")
    return heat.plot(heat.Table(rows, columns, found, empty, {}), words)


def _targets(cells: Sequence[Cell]) -> dict[str, Variant]:
    """Return the targets by their labels, in display order."""
    found: dict[str, Variant] = {}
    for cell in cells:
        found.setdefault(cell.target.text, cell.target)
    return found


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
