"""Default tables: one row a variant, one table for each primary metric."""

from __future__ import annotations

from bench.display import table
from bench.display.data import ScenarioData
from bench.display.table import Grid, grids


def tables(data: ScenarioData) -> list[Grid]:
    """Return the tables; in a terminal only the primary metrics."""
    return grids(data) if data.columns is None or not data.primary else grids(data, ())


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data)
