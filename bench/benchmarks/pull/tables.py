"""The table of ``pull``: the share of the pull in the time to ready, by number of layers."""

from __future__ import annotations

from bench.display import cells, lookup, table
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import Cell, Column, Grid

SHARE = Quantity("pull.share_ratio", {}, "share of the pull")
PULL = Quantity("pull.pull_s", {}, "pull and unpack")
READY = Quantity("pull.ready_s", {}, "pull → ready")
BYTES = Quantity("pull.bytes", {}, "transferred")


def tables(data: ScenarioData) -> list[Grid]:
    """Return one table with a row for each target and number of layers."""
    rows: list[tuple[Row, list[Cell]]] = []
    for row in lookup.without_control(data):
        values = [cells.compact_value(what.of(data, row)) for what in (PULL, READY, BYTES)]
        rows.append((row, [share(data, row), *values, *table.counts_of(data, row, READY.of(data, row))]))
    heads = [Column(what.title, cells.CI) for what in (SHARE, PULL, READY, BYTES)]
    note = f"Into an empty store, from a registry on {data.here}: a network would add to it."
    return cells.filled([cells.grid("Pull and start", [*heads, *cells.COUNTS], rows, note=note)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric.startswith("pull."))


def share(data: ScenarioData, row: Variant) -> Cell:
    """Write the share of the pull in percent with its interval."""
    return cells.percent(SHARE.of(data, row), 3, interval=True)
