"""One row a variant, one table a metric that decides: what a startup shows, and every procedure without a page of its own."""

from __future__ import annotations

from bench.core.model import Phase
from bench.display import table
from bench.display.data import ScenarioData
from bench.display.table import Grid, grids

_WIDE = 98
"""Columns of a terminal from which on the phases fit beside the metric that decides."""

_PHASES = frozenset(f"startup.{phase}_s" for phase in Phase)


def tables(data: ScenarioData) -> list[Grid]:
    """Return the tables; in a terminal only what decides and, where there is room for them, the phases before it."""
    if data.columns is None or not data.primary:
        return grids(data)
    return grids(data, _PHASES if data.columns >= _WIDE else ())


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data)
