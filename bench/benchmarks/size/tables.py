"""The table of ``size``: bytes of the same application in each form, on disk, compressed and shared."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Status, Summary
from bench.display import cells, lookup, table
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid, ratio_text

DISK = Quantity("image.bytes", {}, "on disk")
SMALLER = Quantity("image.compressed_bytes", {}, "compressed")
SHARED = Quantity("image.shared_bytes", {}, "shared with others")
LAYERS = Quantity("image.layers", {}, "layers")
EACH = Quantity("image.instance_bytes", {}, "each further instance")


def tables(data: ScenarioData) -> list[Grid]:
    """Return one table of bytes and layers with a row for each form."""
    rows: list[tuple[Row, list[Cell]]] = []
    for row in forms(data):
        disk, smaller, shared, layers, each = (what.of(data, row) for what in (DISK, SMALLER, SHARED, LAYERS, EACH))
        made = [
            cells.compact_value(disk),
            _times(data, disk),
            cells.compact_value(smaller),
            cells.compact_value(shared),
        ]
        rows.append((row, [*made, cells.plain(layers), cells.compact_value(each), *table.counts_of(data, row, disk)]))
    heads = [
        Column(DISK.title, cells.CI),
        Column("× the smallest"),
        Column(SMALLER.title, cells.CI),
        Column(SHARED.title, cells.CI),
        Column(LAYERS.title),
        Column(EACH.title, cells.CI),
        *cells.COUNTS,
    ]
    note = "Bytes as the engine keeps them; shared are those that other images of the same engine use, too."
    return cells.filled([cells.grid("Size of the same application", heads, rows, note=note)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric.startswith("image."))


def forms(data: ScenarioData) -> list[Variant]:
    """Return the measured variants, by target and base; skipped ones are left out."""
    given = [str(base) for base in data.meta.get("params", {}).get("base", ())]
    targets = list(dict.fromkeys(row.target for row in data.invoked))
    rows = [row for row in lookup.without_control(data) if _tried(data, row)]

    def rank(row: Variant) -> tuple[int, int]:
        base = lookup.param_of(row, "base")
        return targets.index(row.target), given.index(base) if base in given else len(given)

    once = {row.target for row in rows if [one.target for one in rows].count(row.target) == 1}
    return [
        lookup.unlabelled(row, "base") if row.target in once and len(given) > 1 else row
        for row in sorted(rows, key=rank)
    ]


def smallest(data: ScenarioData, rows: Sequence[Variant]) -> float | None:
    """Return the smallest number of bytes on disk."""
    found = [one.median for row in rows if (one := DISK.of(data, row)) and one.median]
    return min(found, default=None)


def _tried(data: ScenarioData, row: Variant) -> bool:
    return not (lookup.outcomes_of(data, row)["status"] == Status.SKIPPED).all()


def _times(data: ScenarioData, found: Summary | None) -> Cell:
    fewest = smallest(data, forms(data))
    return Cell(ratio_text(found.median / fewest)) if found and found.median and fewest else Cell(NONE)
