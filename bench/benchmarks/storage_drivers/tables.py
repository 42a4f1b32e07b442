"""The tables of ``storage-drivers``: one a group of operations, and the cost of each compared with two references."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.storage_drivers import growth, operations
from bench.core.model import Interval
from bench.core.units import format_value, significant
from bench.display import cells, lookup, paired, storage, table
from bench.display.data import Label, Row, ScenarioData
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid, interval_text

_MOST = 3
"""File sizes that fit into a terminal."""


def tables(data: ScenarioData) -> list[Grid]:
    """Return whether copy-up grows, the operations, the costs compared with the references, and what cannot run here."""
    brief = data.columns is not None
    made = [_growing(data)]
    for group in operations.TABLES:
        for title, chosen in operations.columns(data, group).items():
            fits = _fewer(chosen) if brief and group in operations.COPIES else chosen
            made.append(_table(data, title, group.operation, fits))
    references = [] if brief else [_relative(data, found) for found in operations.references(data)]
    return cells.filled([*made, *references, unavailable(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return _caches(data) + table.notes(data, lambda item: item.metric.startswith("storage."))


def _caches(data: ScenarioData) -> list[str]:
    """Return a remark on the page cache before each operation, from the notes of the invocations."""
    found: dict[str, None] = {}
    for of in operations.drivers(data).values():
        for name, row in of.items():
            if text := lookup.most_frequent(lookup.notes_of(data, row).get("page cache")):
                found[f"Page cache, {name}: {text}."] = None
    return list(found)


def unavailable(data: ScenarioData) -> Grid:
    """List the targets that cannot run here, with reason and remedy."""
    rows: list[tuple[Row, list[Cell]]] = []
    for item in data.skipped:
        name, _, options = item.target.partition(":")
        label = Label(name, options.replace(",", ", "))
        rows.append((label, [Cell(item.reason), Cell(item.remedy or NONE)]))
    heads = (Column("Reason", numeric=False), Column("Remedy", numeric=False))
    return cells.grid("Cannot run here", heads, rows)


def _table(data: ScenarioData, title: str, operation: str, chosen: Sequence[Quantity]) -> Grid:
    """Build a table of one row a driver and one column a quantity; drivers that cannot do the operation are left out."""
    rows = [
        (operations.named(row), cells.quantity_cells(data, row, chosen, cells.compact_value))
        for of in operations.drivers(data).values()
        if (row := of.get(operation)) and storage.missing_reason(data, row) != storage.SKIPPED
    ]
    return cells.grid(title, cells.quantity_heads(chosen), rows)


def _fewer(chosen: Sequence[Quantity]) -> Sequence[Quantity]:
    return chosen if len(chosen) <= _MOST else [chosen[0], chosen[len(chosen) // 2], chosen[-1]]


def _growing(data: ScenarioData) -> Grid:
    """Show for each driver whether the first write into a file of the image takes longer for a larger file."""
    rows: list[tuple[Row, list[Cell]]] = []
    for row, found in growth.growths(data):
        if found.times is not None:
            made = [Cell(found.kind), _slope(found), cells.r_squared(found.r2), Cell(f"{significant(found.times)}×")]
            rows.append((operations.named(row), made))
    heads = [
        Column("verdict", numeric=False),
        Column("for each GiB", cells.CI),
        Column("R²"),
        Column("largest ÷ smallest"),
    ]
    note = (
        "A line through the medians of the first write over the file’s size. Growth is shown where the slope’s interval lies "
        f"above 0 and the largest file takes at least {growth.GROWN:g}× as long as the smallest; it is linear where R² is at "
        f"least {growth.LINEAR}."
    )
    return cells.grid("Does copy-up grow with the file?", heads, rows, note=note)


def _slope(found: growth.Growth) -> Cell:
    if found.slope is None:
        return Cell(NONE)
    ci = Interval(found.ci.low * growth.GIB, found.ci.high * growth.GIB, found.ci.level) if found.ci else None
    return Cell(cells.minus(format_value(found.slope * growth.GIB, "s")), cells.minus(interval_text(ci, "s")))


def _relative(data: ScenarioData, reference: str) -> Grid:
    """Show the numbers of a heat map: one row a quantity, one column a driver."""
    every = operations.drivers(data)
    others = {name: of for name, of in every.items() if name != reference}
    rows: list[tuple[Row, list[Cell]]] = []
    for one in operations.heat_rows(data):
        made = [paired.cell(operations.relative(data, of, every[reference], one)) for of in others.values()]
        if any(cell.text != NONE for cell in made):
            name, _, details = one.what.title.partition(", ")
            rows.append((Label(name, details), made))
    note = (
        "Cost as a multiple, paired block by block; rates are turned round, so that more is a higher cost everywhere."
    )
    labels = [storage.short_label(data, next(iter(of.values())).target) for of in others.values()]
    heads = [Column(f"{label.name} {label.details}".strip(), cells.CI) for label in labels]
    return cells.grid(f"Cost, in multiples of {reference}", heads, rows, first="Operation", note=note)
