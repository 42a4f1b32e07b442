"""The charts of ``startup``: phases until ready, the default charts, and wall time against CPU time."""

from __future__ import annotations

from bench.benchmarks.startup import cpu, ladder
from bench.display import svg
from bench.display.data import ScenarioData
from bench.display.default import charts as default


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the charts."""
    return [ladder.draw(data, f"{data.stem}-ladder"), *default.charts(data), cpu.draw(data, f"{data.stem}-cpu")]
