"""One row a variant, one table a metric that decides: what a startup shows, and every procedure without a page of its own."""

from __future__ import annotations

from bench.model import Phase
from bench.report.data import ScenarioData
from bench.report.table import Grid, grids
from bench.report.table import notes as every_note

_WIDE = 98
"""Columns of a terminal from which on the phases fit beside the metric that decides."""

_PHASES = frozenset(f"startup.{phase}_s" for phase in Phase)


def tables(data: ScenarioData, width: int | None = None) -> list[Grid]:
    """Return the tables; in a terminal only what decides and, where there is room for them, the phases before it."""
    if width is None or not data.primary:
        return grids(data)
    return grids(data, _PHASES if width >= _WIDE else ())


def notes(data: ScenarioData) -> list[str]:
    """Return what must be read with the numbers."""
    return every_note(data)
