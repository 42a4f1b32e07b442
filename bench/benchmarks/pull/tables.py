"""How much of the time to ready is the pull, by the layers that the same bytes are in."""

from __future__ import annotations

import json

from bench.core.model import NULL
from bench.core.units import significant
from bench.display import cells
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import Cell, Column, Grid
from bench.display.table import notes as every_note

SHARE = Quantity("pull.share_ratio", {}, "share of the pull")
PULL = Quantity("pull.pull_s", {}, "pull and unpack")
READY = Quantity("pull.ready_s", {}, "pull → ready")
BYTES = Quantity("pull.bytes", {}, "transferred")


def tables(data: ScenarioData) -> list[Grid]:
    """Return share, times and bytes, one row a target and number of layers."""
    rows: list[tuple[Row, list[Cell]]] = []
    for row in shown(data):
        ready = READY.of(data, row)
        made = [share(data, row), cells.tight(PULL.of(data, row)), cells.tight(ready), cells.tight(BYTES.of(data, row))]
        rows.append((row, [*made, *cells.counted(data, row, ready)]))
    heads = [Column(what.title, cells.CI) for what in (SHARE, PULL, READY, BYTES)]
    note = f"Into an empty store, from a registry on {data.here}: a network would add to it."
    return cells.some([cells.grid("Pull and start", [*heads, *cells.COUNTS], rows, note=note)])


def notes(data: ScenarioData) -> list[str]:
    """Return what must be read with the numbers."""
    return every_note(data, lambda item: item.metric.startswith("pull."))


def shown(data: ScenarioData) -> list[Variant]:
    """Return the rows."""
    return [row for row in data.invoked if row.target != NULL]


def layers_of(row: Variant) -> float | None:
    """Return in how many layers the bytes are."""
    found = json.loads(row.params).get("layers")
    return float(found) if isinstance(found, int | float) else None


def share(data: ScenarioData, row: Variant) -> Cell:
    """Write the share of the pull in percent, with its interval."""
    found = SHARE.of(data, row)
    cell = cells.percent(found, 3)
    if found is None or found.ci is None:
        return cell
    return Cell(cell.text, f"{significant(100 * found.ci.low)}–{significant(100 * found.ci.high)} %")
