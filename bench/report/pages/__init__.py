"""What a report says of each kind of scenario: its tables and the notes under them. Figures are in ``bench.report.plots``."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from bench.report.data import ScenarioData
from bench.report.table import Grid

_PAGES = {
    **{name: name for name in ("memory", "density", "stack", "namespaces", "limits", "compute", "discovery")},
    "network-modes": "network",
    "storage-drivers": "drivers",
    "storage-types": "places",
    "size": "images",
    "image-build": "builds",
    "pull": "pulls",
}
"""Procedure → the page of its own; the others have the usual one."""


class Page(Protocol):
    """One module of this package."""

    def tables(self, data: ScenarioData, width: int | None = None) -> list[Grid]:
        """Return the tables; ``width`` is that of a terminal in columns, without it there is room for all."""
        ...

    def notes(self, data: ScenarioData) -> list[str]:
        """Return what must be read with the numbers."""
        ...


def page_of(data: ScenarioData) -> Page:
    """Return the page of a scenario's procedure."""
    name = _PAGES.get(data.procedure, "usual")
    return cast("Page", import_module(f"bench.report.pages.{name}"))
