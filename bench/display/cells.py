"""Cells, columns and whole tables that several benchmarks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.core.model import Interval, Summary
from bench.core.units import format_value, significant
from bench.display import lookup
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Amount, Cell, Column, Grid, counts_of, interval_text, ratio_cell

CI = "95 % CI"
COUNTS = (Column("n"), Column("failed"))


def value(found: Summary | None, *, interval: bool = True) -> Cell:
    """Write a median with its interval."""
    if found is None or found.median is None:
        return Cell(NONE)
    detail = interval_text(found.ci, found.unit) if interval else ""
    amount = Amount(found.median, found.unit, found.ci if interval else None)
    return Cell(number_text(found.median, found.unit), minus(detail), amount)


def compact_value(found: Summary | None) -> Cell:
    """Write a median with its interval, unless all values were equal, as bytes and layers mostly are."""
    return value(found, interval=not (found and found.ci and found.ci.low == found.ci.high))


def plain(found: Summary | None) -> Cell:
    """Write a median without its interval."""
    return value(found, interval=False)


def number(amount: float | None, unit: str, interval: Interval | None = None) -> Cell:
    """Write a number that is not the median of a series."""
    if amount is None:
        return Cell(NONE)
    return Cell(number_text(amount, unit), minus(interval_text(interval, unit)), Amount(amount, unit, interval))


def percent(found: Summary | None, digits: int = 2, *, interval: bool = False) -> Cell:
    """Write the median of a ratio in percent, with its interval if asked."""
    if found is None or found.median is None:
        return Cell(NONE)
    text = minus(f"{significant(100 * found.median, digits)} %")
    if found.ci is None or not interval:
        return Cell(text)
    return Cell(text, f"{significant(100 * found.ci.low, digits)}–{significant(100 * found.ci.high, digits)} %")


def r_squared(found: float | None) -> Cell:
    """Write the coefficient of determination of a fit with four decimals."""
    return Cell(NONE if found is None else f"{found:.4f}")


def number_text(amount: float, unit: str) -> str:
    """Write a number with its unit; whole counts have no decimals."""
    return f"{amount:.0f}" if unit == "count" and amount == round(amount) else minus(format_value(amount, unit))


def minus(text: str) -> str:
    """Replace hyphens by minus signs."""
    return text.replace("-", "−")


def grid(
    title: str,
    columns: Iterable[Column],
    rows: Sequence[tuple[Row, Sequence[Cell]]],
    *,
    first: str = "Target",
    note: str = "",
) -> Grid:
    """Build a table; each row's label becomes its first cell, in a column titled ``first``."""
    cells = tuple((Cell(label.text), *found) for label, found in rows)
    return Grid(title, (Column(first, numeric=False), *columns), tuple(label for label, _ in rows), cells, note)


def quantity_heads(chosen: Sequence[Quantity]) -> list[Column]:
    """Return the columns of :func:`quantity_cells`: one a quantity, then n and failures."""
    return [*(Column(what.title, CI) for what in chosen), *COUNTS]


def quantity_cells(
    data: ScenarioData, row: Variant, chosen: Sequence[Quantity], write: Callable[[Summary | None], Cell] = value
) -> list[Cell]:
    """Write each quantity of a variant, then n and failures of the first quantity that has a value."""
    found = [what.of(data, row) for what in chosen]
    return [*map(write, found), *counts_of(data, row, first(found))]


def ratio_grid(
    data: ScenarioData, title: str, rows: Sequence[Variant], chosen: Sequence[Quantity], note: str = ""
) -> Grid:
    """Build a table of one row a variant: each quantity beside its ratio to the baseline, then n and failures."""
    made: list[tuple[Row, list[Cell]]] = []
    for row in rows:
        found = [what.of(data, row) for what in chosen]
        pairs = [cell for one in found for cell in (value(one), ratio_cell(one, data.baseline))]
        made.append((row, [*pairs, *counts_of(data, row, first(found))]))
    heads = [column for what in chosen for column in (Column(what.title, CI), Column(f"× {data.baseline}", CI))]
    return grid(title, [*heads, *COUNTS], made, note=note)


def first(found: Iterable[Summary | None]) -> Summary | None:
    """Return the first series that there is."""
    return next((one for one in found if one), None)


def words(texts: Mapping[str, int] | None) -> Cell:
    """Write the most frequent text of a note, with a capital letter first."""
    text = lookup.most_frequent(texts)
    return Cell(text[:1].upper() + text[1:] if text else NONE)


def counts(data: ScenarioData, row: Variant, found: Summary | None) -> Cell:
    """Write n with the failures under it, where there is no room for a column of their own."""
    n, failed = counts_of(data, row, found)
    return Cell(n.text, "" if failed.text == "0" else f"{failed.text.partition(' ')[0]} failed")


def filled(grids: Iterable[Grid]) -> list[Grid]:
    """Leave out empty columns, then tables without rows or without any column but the counts."""
    kept = [_without_empty_columns(item) for item in grids if item.rows]
    return [item for item in kept if any(column not in COUNTS for column in item.columns[1:])]


def _without_empty_columns(item: Grid) -> Grid:
    kept = [
        index
        for index in range(len(item.columns))
        if index == 0 or any(row[index].text not in (NONE, "") for row in item.rows)
    ]
    columns = tuple(item.columns[index] for index in kept)
    rows = tuple(tuple(row[index] for index in kept) for row in item.rows)
    return Grid(item.title, columns, item.variants, rows, item.note)
