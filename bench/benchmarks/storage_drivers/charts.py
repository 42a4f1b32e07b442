"""The charts of ``storage-drivers``: a heat map for each reference, and copy-up over the size of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.benchmarks.storage_drivers import growth, operations
from bench.core.units import format_value
from bench.display import canvas, lookup, paired, storage, svg, theme
from bench.display.charts import heat, lines
from bench.display.data import Row, ScenarioData
from bench.display.prose import all_decided, block_counts, if_decided, joined, with_values
from bench.stats.pairs import Times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BOTTOM, _HEAD, _LEFT = 0.55, 0.34, 0.62
_UPRIGHT = ", upright lines are their 95\u00a0% intervals"
_WRITES = {"first": "first write: the file is copied up", "second": "second write into the same file"}
_HOW = (
    "Each cell is how many times as much the operation costs, paired block by block (Hodges-Lehmann), on a "
    "logarithmic colour scale centred on 1; rates are turned round, so that more is a higher cost everywhere. Bold: the "
    "95\u00a0% interval leaves 1 out. "
    "n/a: cannot be done with this target; unavailable: cannot run here, the reasons and remedies stand in the tables."
)


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw one heat map for each reference, then copy-up."""
    baseline = next((name for name in operations.references(data) if _target(data, name) == data.baseline), "")
    maps = [
        relative(data, reference, f"{data.stem}-relative-{'baseline' if reference == baseline else 'driver'}")
        for reference in operations.references(data)
    ]
    return [*maps, copy_up(data, f"{data.stem}-copy-up")]


def relative(data: ScenarioData, reference: str, name: str) -> svg.Plot | None:
    """Draw the cost of every operation of every driver as a multiple of the reference's."""
    every = operations.drivers(data)
    against = every.pop(reference)
    found = [
        (one, {text: times for text, of in every.items() if (times := operations.relative(data, of, against, one))})
        for one in operations.heat_rows(data)
    ]
    missing = list(dict.fromkeys(one.name for one, ratios in found if not ratios))
    found = [(one, ratios) for one, ratios in found if ratios]
    if not found:
        return None
    table = _table(data, found, every)
    title = _dearest(found, every, reference)
    without = f"Without a row, because {reference} has no such numbers: {joined(missing, 6)}. " if missing else ""
    counts = block_counts(times.n for _, ratios in found for times in ratios.values())
    said = [
        f"{one.what.title} of {text} {paired.text(times)}" for one, ratios in found for text, times in ratios.items()
    ]
    words = canvas.Words(name, "heat", title, f"{_HOW} {without}{counts}", f"{title}. {'; '.join(said)}")
    return heat.plot(table, words)


def _dearest(
    found: Sequence[tuple[operations.Operation, Mapping[str, Times]]], every: operations.Drivers, reference: str
) -> str:
    """Name the largest ratio; that of a plain folder only if there is no other."""
    cells = [(times, text, one.what.title) for one, ratios in found for text, times in ratios.items()]
    real = [cell for cell in cells if next(iter(every[cell[1]].values())).engine != "host"]
    worst, text, what = max(real or cells, key=lambda cell: cell[0].ratio)
    if worst.ci is None:
        return f"Cost of each operation in multiples of {reference}"
    if worst.ratio <= 1:
        return f"Nothing costs more than with {reference}"
    return f"“{what}” of {text} costs {paired.text(worst)} as much as with {reference}"


def copy_up(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the times of the first and the second write over the size of the file, one line a driver."""
    found = {write: _lines(data, write) for write in _WRITES}
    found = {write: made for write, made in found.items() if made}
    if not found:
        return None
    heights = {write: lines.height(made) for write, made in found.items()}
    right = max(lines.gutter(made) for made in found.values())
    total = sum(heights.values()) + (_HEAD + _BOTTOM) * len(found)
    with canvas.sheet(total) as figure:
        top = 0.0
        for write, made in found.items():
            panel = canvas.axes(figure, top + _HEAD, heights[write], _LEFT, right)
            _scales(panel, [point for all_ in found.values() for one in all_ for point in one.points])
            _bars(panel, data, write)
            lines.draw(figure, panel, made)
            canvas.note(panel, (0, panel.get_ylim()[1]), (0, 10), _WRITES[write], weight="bold")
            panel.set_xlabel("size of the file", fontsize=canvas.SMALL_PT)
            top += _HEAD + heights[write] + _BOTTOM
        return canvas.finish(figure, _words(data, found, name))


def _target(data: ScenarioData, name: str) -> str:
    return next(iter(operations.drivers(data)[name].values())).target


def _table(
    data: ScenarioData, found: Sequence[tuple[operations.Operation, Mapping[str, Times]]], every: operations.Drivers
) -> heat.Table:
    """Build the heat map; targets that cannot run here get an empty column."""
    targets = [next(iter(of.values())).target for of in every.values()]
    labels = [storage.short_label(data, target) for target in [*targets, *(item.target for item in data.skipped)]]
    closed = range(len(targets), len(labels))
    columns: list[tuple[Row, str]] = [(label, theme.colour(label.name)) for label in labels]
    cells, empty = {}, {}
    for index, (one, ratios) in enumerate(found):
        for column, (text, of) in enumerate(every.items()):
            if text in ratios:
                cells[index, column] = ratios[text]
            else:
                empty[index, column] = storage.missing_reason(data, of.get(one.name)) or "–"
    titles = [one.what.title for one, _ in found]
    return heat.Table(titles, columns, cells, empty, dict.fromkeys(closed, "unavailable here"))


def _lines(data: ScenarioData, write: str) -> list[lines.Line]:
    made = []
    for of in operations.drivers(data).values():
        row = of.get("copy-up")
        found = lookup.over(data, row, operations.COPY, "file_bytes", write=write) if row else []
        points = tuple((size, one.median) for size, one in found if one.median)
        if row and points:
            note = (
                _note(growth.growth_of(data, row))
                if write == "first"
                else f"{format_value(points[-1][1], 's')} at the end"
            )
            made.append(
                lines.Line(storage.short_label(data, row.target), note, theme.colour(row.engine, row.kind), points)
            )
    return made


def _note(found: growth.Growth) -> str:
    if found.slope is None or found.kind == "no growth shown":
        return found.kind
    verb = found.kind if found.kind == "grows linearly" else "grows, no line"  # there is little room
    return f"{verb}: {format_value(found.slope * growth.GIB, 's')} a GiB, R² {found.r2 or 0.0:.3f}"


def _scales(panel: Axes, points: Sequence[tuple[float, float]]) -> None:
    panel.grid(axis="both")
    canvas.scale(panel, [size for size, _ in points], "bytes")
    canvas.scale(panel, [seconds for _, seconds in points], "s", side="y")


def _bars(panel: Axes, data: ScenarioData, write: str) -> None:
    """Draw the intervals of the medians."""
    for of in operations.drivers(data).values():
        row = of.get("copy-up")
        for size, one in lookup.over(data, row, operations.COPY, "file_bytes", write=write) if row else []:
            if one.ci:
                panel.plot([size, size], [one.ci.low, one.ci.high], color=theme.INK, linewidth=1.0, zorder=3.5)


def _words(data: ScenarioData, found: Mapping[str, Sequence[lines.Line]], name: str) -> canvas.Words:
    title = _title(data)
    counts = [item.n for item in data.summaries if item.metric == operations.COPY and item.n]
    caption = (
        "Time of one write of four bytes into a file of the image over the file’s size, both axes logarithmic where they span "
        "more than a factor of four; above by a fresh instance, below a second time by the same one. Medians of the blocks"
        f"{if_decided(counts, _UPRIGHT)}. {block_counts(counts)}"
    )
    said = "; ".join(
        f"{_WRITES[write]}, {one.label.text}: "
        + ", ".join(f"{operations.size_text(int(size))} {format_value(seconds, 's')}" for size, seconds in one.points)
        for write, made in found.items()
        for one in made
    )
    return canvas.Words(name, "copy-up", title, caption, f"{title}. {said}")


def _title(data: ScenarioData) -> str:
    """Group the drivers by whether copy-up grows with the file; only with intervals."""
    if not all_decided(with_values(data.summaries, operations.COPY, {"write": "first"})):
        return "Time of a write into a file of the image over its size"
    labels = [
        (storage.short_label(data, row.target), found) for row, found in growth.growths(data) if row.engine != "host"
    ]
    named = [(f"{label.name} {label.details}".strip(), found) for label, found in labels]
    return growth.statement(named) or "Time of a write into a file of the image over its size"
