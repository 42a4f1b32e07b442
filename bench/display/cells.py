"""Cells, columns and rows that several pages share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.core.model import Interval, Summary
from bench.core.units import format_value
from bench.display import lookup
from bench.display.data import Row, ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid, counts_of, interval_text

CI = "95 % CI"
COUNTS = (Column("n"), Column("failed"))


def value(found: Summary | None, *, interval: bool = True) -> Cell:
    """Write a median with its interval."""
    if found is None or found.median is None:
        return Cell(NONE)
    detail = interval_text(found.ci, found.unit) if interval else ""
    return Cell(written(found.median, found.unit), minus(detail))


def tight(found: Summary | None) -> Cell:
    """Write a median with its interval, unless it was the same number every time: bytes and layers mostly are."""
    return value(found, interval=not (found and found.ci and found.ci.low == found.ci.high))


def plain(found: Summary | None) -> Cell:
    """Write a median alone."""
    return value(found, interval=False)


def number(amount: float | None, unit: str, interval: Interval | None = None) -> Cell:
    """Write a number that is no series."""
    return Cell(NONE) if amount is None else Cell(written(amount, unit), minus(interval_text(interval, unit)))


def percent(found: Summary | None, digits: int = 2) -> Cell:
    """Write a share in percent."""
    if found is None or found.median is None:
        return Cell(NONE)
    return Cell(minus(f"{format_value(100 * found.median, 'ratio', digits)} %"))


def written(amount: float, unit: str) -> str:
    """Write a number with its unit; what is counted and whole has no decimals."""
    return f"{amount:.0f}" if unit == "count" and amount == round(amount) else minus(format_value(amount, unit))


def minus(text: str) -> str:
    """Write a negative number with a minus sign, which a hyphen is not."""
    return text.replace("-", "−")


def grid(
    title: str,
    columns: Iterable[Column],
    rows: Sequence[tuple[Row, Sequence[Cell]]],
    *,
    first: str = "Target",
    note: str = "",
) -> Grid:
    """Put a table together; each row's label becomes its first cell."""
    cells = tuple((Cell(label.text), *found) for label, found in rows)
    return Grid(title, (Column(first, numeric=False), *columns), tuple(label for label, _ in rows), cells, note)


def words(texts: Mapping[str, int] | None) -> Cell:
    """Write what was said, beginning with a capital letter."""
    text = lookup.usual(texts)
    return Cell(text[:1].upper() + text[1:] if text else NONE)


def counted(data: ScenarioData, row: Variant, found: Summary | None) -> tuple[Cell, Cell]:
    """Write n and failures."""
    return counts_of(row, found, data)


def counts(data: ScenarioData, row: Variant, found: Summary | None) -> Cell:
    """Write n, and under it the failures, where there is no room for a column of them."""
    n, failed = counts_of(row, found, data)
    return Cell(n.text, "" if failed.text == "0" else f"{failed.text.partition(' ')[0]} failed")


def some(grids: Iterable[Grid]) -> list[Grid]:
    """Leave out tables without rows or with nothing but counts, and of each table the columns in which nothing stands."""
    filled = [_filled(item) for item in grids if item.rows]
    return [item for item in filled if any(column not in COUNTS for column in item.columns[1:])]


def _filled(item: Grid) -> Grid:
    kept = [
        place
        for place in range(len(item.columns))
        if place == 0 or any(row[place].text not in (NONE, "") for row in item.rows)
    ]
    columns = tuple(item.columns[place] for place in kept)
    rows = tuple(tuple(row[place] for place in kept) for row in item.rows)
    return Grid(item.title, columns, item.variants, rows, item.note)
