"""For each metric that decides: its ratio to the baseline, every single value, and its course over the run."""

from __future__ import annotations

from bench.display import svg
from bench.display.charts import ratio, series, spread
from bench.display.data import ScenarioData, slug


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the charts of the metrics that decide."""
    made: list[svg.Plot | None] = []
    for metric in data.primary:
        end = "" if len(data.primary) == 1 else f"-{slug(metric)}"
        made += [
            ratio.draw(data, metric, f"{data.stem}-ratio{end}"),
            spread.draw(data, metric, f"{data.stem}-spread{end}"),
            series.draw(data, metric, f"{data.stem}-series{end}"),
        ]
    return made
