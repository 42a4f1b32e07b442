"""The tables of ``discovery``: lookups by kind of name, and how soon a new instance can be found by name."""

from __future__ import annotations

from collections.abc import Sequence

from bench.display import cells, lookup, table
from bench.display.data import ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import Grid

LOOKUP = "discovery.lookup_s"
_NAMES = {"own": "own name", "other": "another’s name", "unknown": "nobody’s name"}
RESOLVABLE = Quantity("discovery.resolvable_s", {}, "name resolves")
_LATER = (RESOLVABLE, Quantity("discovery.gap_s", {}, "between two tries"))

_LATE = (
    "From the request of the second instance until the first one can resolve its name. It is tried again and again: the number "
    "can be too high by the time between two tries."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return the lookups, then the time until a new name resolves."""
    starting = [row for row in data.invoked if any(what.of(data, row) for what in _LATER)]
    lookups = _grid(data, "One lookup", list(data.invoked), asked(data))
    return cells.filled([lookups, _grid(data, "A new instance’s name", starting, _LATER, _LATE)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric.startswith("discovery."))


def asked(data: ScenarioData) -> list[Quantity]:
    """Return one quantity for each kind of name that was looked up."""
    kinds = [str(kind) for kind in lookup.param_values(data, LOOKUP, "name")]
    return [Quantity(LOOKUP, {"name": name}, _NAMES.get(name, name)) for name in lookup.in_order(kinds, _NAMES)]


def _grid(data: ScenarioData, title: str, rows: list[Variant], chosen: Sequence[Quantity], note: str = "") -> Grid:
    made = [(row, cells.quantity_cells(data, row, chosen)) for row in rows]
    return cells.grid(title, cells.quantity_heads(chosen), made, note=note)
