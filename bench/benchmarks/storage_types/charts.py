"""The charts of ``storage-types``: the cost of each mount compared with the baseline, and the times of an fsync."""

from __future__ import annotations

from bench.benchmarks.storage_types import tables
from bench.display import canvas, paired, storage, svg, theme
from bench.display.charts import dot_panels, heat, matrix
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.prose import all_decided, block_counts, if_decided, span
from bench.stats.pairs import Times


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the heat map, then the fsync times."""
    return [relative(data, f"{data.stem}-relative"), flush(data, f"{data.stem}-fsync")]


def relative(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the cost of each quantity and mount ÷ the baseline's as a heat map."""
    rows = [row for row in tables.mounts(data) if row.target != data.baseline]
    every = [what for chosen in _titled(data) for what in chosen]
    cells: dict[tuple[int, int], Times] = {}
    kept = [what for what in every if any(paired.cost_to_baseline(data, row, what) for row in rows)]
    for index, what in enumerate(kept):
        for column, row in enumerate(rows):
            if times := paired.cost_to_baseline(data, row, what):
                cells[index, column] = times
    if not cells:
        return None
    columns: list[tuple[Row, str]] = [
        (storage.short_label(data, row.target), theme.colour(row.engine, row.kind)) for row in rows
    ]
    empty = {
        (index, column): storage.missing_reason(data, row) or "–"
        for index in range(len(kept))
        for column, row in enumerate(rows)
        if (index, column) not in cells
    }
    table = heat.Table([what.title for what in kept], columns, cells, empty, {})
    return heat.plot(table, _words(data, table, rows, name))


def flush(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the median and the 99th percentile of an fsync."""
    rows = [(row, theme.colour(row.engine, row.kind)) for row in tables.mounts(data)]
    found = {
        (index, kind): one
        for index, (row, _) in enumerate(rows)
        for kind, what in enumerate(tables.FSYNC)
        if (one := what.of(data, row))
    }
    dots = {key: dot for key, one in found.items() if (dot := matrix.dot_of(one))}
    kept, panels = dot_panels.compact(list(rows), [dot_panels.Panel("fsync", "s", dots)])
    if not panels:
        return None
    look = dot_panels.Look(kept, ("median", "99th percentile"))
    medians = [one for (_, kind), one in found.items() if not kind]
    title = "How long an fsync takes"
    if all_decided(medians):
        title = f"An fsync takes {span(medians)}"
    counts = [one.n for one in found.values()]
    caption = (
        "Time of an fsync after each write, as fio tells it; medians over the blocks"
        f"{if_decided(counts)}. {block_counts(counts)}"
    )
    return dot_panels.plot(look, panels, name=name, kind="fsync", title=title, caption=caption)


def _titled(data: ScenarioData) -> list[list[Quantity]]:
    """Return the quantities, titled so that they stand alone."""
    done = storage.actions(data)
    files = [Quantity(storage.FILES, {"action": action}, f"files: {action}") for action in done]
    return [storage.streams(data), storage.singles(data), list(tables.FSYNC), files]


def _words(data: ScenarioData, table: heat.Table, rows: list[Variant], name: str) -> canvas.Words:
    worst = max(table.cells, key=lambda key: table.cells[key].ratio)
    what, row, times = table.rows[worst[0]], rows[worst[1]], table.cells[worst]
    title = f"Cost of each operation in multiples of {data.baseline}"
    if times.ci and times.ratio > 1:
        title = f"“{what}” in {row.text} costs {paired.text(times)} as much as on {data.baseline}"
    elif times.ci:
        title = f"Nothing costs more than on {data.baseline}"
    caption = (
        f"Each cell is how many times as long the same work takes as on {data.baseline}, paired block by block "
        "(Hodges-Lehmann), on a logarithmic colour scale centred on 1; rates are turned round, so that more is a higher cost "
        f"everywhere. Bold: the 95\u00a0% interval leaves 1 out. {block_counts(one.n for one in table.cells.values())}"
    )
    said = [
        f"{table.rows[index]} of {rows[column].text} {paired.text(one)}" for (index, column), one in table.cells.items()
    ]
    return canvas.Words(name, "heat", title, caption, f"{title}. {'; '.join(said)}")
