"""The tables of ``startup``: one row a variant, one table for each primary metric."""

from __future__ import annotations

from bench.core.model import Phase
from bench.display import polls, table
from bench.display.data import ScenarioData
from bench.display.table import Grid, grids

_WIDE = 98
"""Width of a terminal, in characters, from which on the phases fit beside the primary metric."""

_PHASES = frozenset(f"startup.{phase}_s" for phase in Phase)


def tables(data: ScenarioData) -> list[Grid]:
    """Return the tables; in a terminal only the primary metrics and, if they fit, the phases."""
    if data.columns is None or not data.primary:
        return grids(data)
    return grids(data, _PHASES if data.columns >= _WIDE else ())


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data) + polls.remarks(data)
