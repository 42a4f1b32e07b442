"""The charts of ``volumes``: none, because yes and no are read from a table."""

from __future__ import annotations

from bench.display import svg
from bench.display.data import ScenarioData


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw nothing."""
    return []
