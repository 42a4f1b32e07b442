"""Which storage driver it should be: a row a driver, a table an operation, and what each costs compared with two references."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.storage_drivers import growth as _growth
from bench.benchmarks.storage_drivers import operations
from bench.benchmarks.storage_drivers.operations import COPY, Operation
from bench.core.model import Interval
from bench.core.units import format_value, significant
from bench.display import cells, lookup, paired, storage, table
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid, interval_text

_GIB = 2.0**30
_MOST = 3
"""File sizes that a terminal has room for."""


def tables(data: ScenarioData) -> list[Grid]:
    """Return copy-up and whether it grows, then each further operation, and what cannot run here."""
    brief = data.columns is not None
    made = [
        _growing(data),
        _copies(data, "first", "First write into a file of the image", brief=brief),
        _copies(data, "second", "Second write into it", brief=brief),
        *(_table(data, title, chosen) for title, chosen in operations.columns(data).items() if chosen),
    ]
    references = [] if brief else [_relative(data, found) for found in operations.references(data)]
    return cells.some([*made, *references, unavailable(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return _caches(data) + table.notes(data, lambda item: item.metric.startswith("storage."))


def _caches(data: ScenarioData) -> list[str]:
    """Say what was done with the page cache before each operation."""
    found: dict[str, None] = {}
    for of in operations.drivers(data).values():
        for name, row in of.items():
            if text := lookup.usual(lookup.said(data, row).get("page cache")):
                found[f"Page cache, {name}: {text}."] = None
    return list(found)


def growth_of(data: ScenarioData, row: Variant | None) -> _growth.Growth:
    """Judge whether the first write grows with the file."""
    found = lookup.over(data, row, COPY, "file_bytes", write="first") if row else []
    return _growth.growth([(size, one.median) for size, one in found if one.median is not None])


def unavailable(data: ScenarioData) -> Grid:
    """List what cannot run here: why, and what would make it run."""
    rows: list[tuple[Row, list[Cell]]] = []
    for item in data.skipped:
        name, _, options = item.target.partition(":")
        label = Label(name, options.replace(",", ", "))
        rows.append((label, [Cell(item.reason), Cell(item.remedy or NONE)]))
    heads = (Column("Reason", numeric=False), Column("Remedy", numeric=False))
    return cells.grid("Cannot run here", heads, rows)


def _table(data: ScenarioData, title: str, chosen: Sequence[Operation]) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for of in operations.drivers(data).values():
        row = of.get(chosen[0].name)
        if row is None or storage.lacking(data, row) == storage.SKIPPED:
            continue
        found = [one.what.of(data, row) for one in chosen]
        main = next((one for one in found if one), None)
        made = [*(cells.tight(one) for one in found), *cells.counted(data, row, main)]
        rows.append((operations.named(row), made))
    heads = [*(Column(one.what.title, cells.CI) for one in chosen), *cells.COUNTS]
    return cells.grid(title, heads, rows)


def _copies(data: ScenarioData, write: str, title: str, *, brief: bool) -> Grid:
    sizes = operations.sizes(data, COPY)
    if brief and len(sizes) > _MOST:
        sizes = [sizes[0], sizes[len(sizes) // 2], sizes[-1]]
    chosen = [
        Operation("copy-up", Quantity(COPY, {"file_bytes": size, "write": write}, operations.size_text(size)))
        for size in sizes
    ]
    return _table(data, title, chosen) if chosen else cells.grid(title, (), [])


def _growing(data: ScenarioData) -> Grid:
    """Say for each driver whether the first write into a file of the image grows with the file."""
    rows: list[tuple[Row, list[Cell]]] = []
    for of in operations.drivers(data).values():
        row = of.get("copy-up")
        found = growth_of(data, row)
        if row is not None and found.times is not None:
            fit = NONE if found.r2 is None else f"{found.r2:.4f}"
            made = [Cell(found.kind), _slope(found), Cell(fit), Cell(f"{significant(found.times)}×")]
            rows.append((operations.named(row), made))
    heads = [
        Column("verdict", numeric=False),
        Column("for each GiB", cells.CI),
        Column("R²"),
        Column("largest ÷ smallest"),
    ]
    note = (
        "A line through the medians of the first write over the file’s size. Growth is shown where the slope’s interval lies "
        f"above 0 and the largest file takes at least {_growth.GROWN:g}× as long as the smallest; it is linear where R² is at "
        f"least {_growth.LINEAR}."
    )
    return cells.grid("Does copy-up grow with the file?", heads, rows, note=note)


def _slope(found: _growth.Growth) -> Cell:
    if found.slope is None:
        return Cell(NONE)
    ci = Interval(found.ci.low * _GIB, found.ci.high * _GIB, found.ci.level) if found.ci else None
    return Cell(cells.minus(format_value(found.slope * _GIB, "s")), cells.minus(interval_text(ci, "s")))


def _relative(data: ScenarioData, reference: str) -> Grid:
    """Show the heat map's numbers: one row a quantity, one column a driver."""
    every = operations.drivers(data)
    others = {name: of for name, of in every.items() if name != reference}
    rows: list[tuple[Row, list[Cell]]] = []
    for one in operations.heat(data):
        made = [paired.cell(operations.relative(data, of, every[reference], one)) for of in others.values()]
        if any(cell.text != NONE for cell in made):
            name, _, details = one.what.title.partition(", ")
            rows.append((Label(name, details), made))
    note = "How many times as dear, paired block by block; rates are turned round, so that more is dearer everywhere."
    labels = [storage.short(data, next(iter(of.values())).target) for of in others.values()]
    heads = [Column(f"{label.name} {label.details}".strip(), cells.CI) for label in labels]
    return cells.grid(f"Cost, in multiples of {reference}", heads, rows, first="Operation", note=note)
