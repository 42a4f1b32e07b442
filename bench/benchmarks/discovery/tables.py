"""How long a name takes: one lookup of each kind of name, and how soon a new instance has one."""

from __future__ import annotations

from bench.display import cells, lookup, table
from bench.display.data import Row, ScenarioData
from bench.display.paired import Quantity
from bench.display.table import Cell, Column, Grid

LOOKUP = "discovery.lookup_s"
_NAMES = {"own": "own name", "other": "another’s name", "unknown": "nobody’s name"}
RESOLVABLE = Quantity("discovery.resolvable_s", {}, "name resolves")
_LATER = (RESOLVABLE, Quantity("discovery.gap_s", {}, "between two tries"))

_LATE = (
    "From the request of the second instance until the first one can resolve its name. It is tried again and again: the number "
    "can be too high by the time between two tries."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return lookups, then how long a new name takes."""
    chosen = asked(data)
    return cells.some([_grid(data, "One lookup", chosen), _grid(data, "A new instance’s name", list(_LATER), _LATE)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric.startswith("discovery."))


def asked(data: ScenarioData) -> list[Quantity]:
    """Return the kinds of names that were looked up."""
    kinds = [str(kind) for kind in lookup.kinds(data, LOOKUP, "name")]
    ordered = [name for name in _NAMES if name in kinds] + [name for name in kinds if name not in _NAMES]
    return [Quantity(LOOKUP, {"name": name}, _NAMES.get(name, name)) for name in ordered]


def _grid(data: ScenarioData, title: str, chosen: list[Quantity], note: str = "") -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        found = [what.of(data, row) for what in chosen]
        main = next((one for one in found if one), None)
        if main or not note:  # where nobody starts a second instance nothing is missing
            rows.append((row, [*(cells.value(one) for one in found), *cells.counted(data, row, main)]))
    heads = [*(Column(what.title, cells.CI) for what in chosen), *cells.COUNTS]
    return cells.grid(title, heads, rows, note=note)
