"""All figures of one scenario. Importing this package imports matplotlib and seaborn."""

from __future__ import annotations

import re

from bench.report import svg
from bench.report.data import ScenarioData
from bench.report.plots import cpu, ladder, ratio, series, spread


def figures(data: ScenarioData, prefix: str = "") -> list[svg.Plot]:
    """Draw what the scenario's numbers allow; names are ``PREFIX SCENARIO KIND [METRIC]`` joined by dashes."""
    stem = slug(f"{prefix}-{data.name}" if prefix else data.name)
    made = [ladder.draw(data, f"{stem}-ladder")]
    for metric in data.primary:
        end = "" if len(data.primary) == 1 else f"-{slug(metric)}"
        made += [
            ratio.draw(data, metric, f"{stem}-ratio{end}"),
            spread.draw(data, metric, f"{stem}-spread{end}"),
            series.draw(data, metric, f"{stem}-series{end}"),
        ]
    made.append(cpu.draw(data, f"{stem}-cpu"))
    return [plot for plot in made if plot]


def slug(text: str) -> str:
    """Return a text that is safe as file name and as id."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()
