"""Default charts: for each primary metric its ratio to the baseline, its single values, and its course over the run."""

from __future__ import annotations

from bench.display import svg
from bench.display.charts import ratio, series, spread
from bench.display.data import ScenarioData, slug


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw three charts for each primary metric."""
    made: list[svg.Plot | None] = []
    for metric in data.primary:
        end = "" if len(data.primary) == 1 else f"-{slug(metric)}"
        made += [
            ratio.draw(data, metric, f"{data.stem}-ratio{end}"),
            spread.draw(data, metric, f"{data.stem}-spread{end}"),
            series.draw(data, metric, f"{data.stem}-series{end}"),
        ]
    return made
