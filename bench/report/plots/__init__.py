"""All figures of one scenario. Importing this package imports matplotlib and seaborn."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bench.report import svg
from bench.report.data import ScenarioData
from bench.report.plots import (
    builds,
    compute,
    cpu,
    density,
    discovery,
    drivers,
    images,
    ladder,
    limits,
    memory,
    namespaces,
    network,
    places,
    pulls,
    ratio,
    series,
    spread,
    stack,
)

_DRAWN: Mapping[str, Callable[[ScenarioData, str], list[svg.Plot | None]]] = {
    "memory": memory.figures,
    "density": density.figures,
    "stack": stack.figures,
    "namespaces": namespaces.figures,
    "limits": limits.figures,
    "compute": compute.figures,
    "network-modes": network.figures,
    "discovery": discovery.figures,
    "storage-drivers": drivers.figures,
    "storage-types": places.figures,
    "size": images.figures,
    "image-build": builds.figures,
    "pull": pulls.figures,
}
"""Procedures with figures of their own; the others have the usual ones."""


def figures(data: ScenarioData, prefix: str = "") -> list[svg.Plot]:
    """Draw what the scenario's numbers allow; names are ``PREFIX SCENARIO KIND [METRIC]`` joined by dashes."""
    stem = slug(f"{prefix}-{data.name}" if prefix else data.name)
    return [plot for plot in _DRAWN.get(data.procedure, _usual)(data, stem) if plot]


def _usual(data: ScenarioData, stem: str) -> list[svg.Plot | None]:
    made = [ladder.draw(data, f"{stem}-ladder")]
    for metric in data.primary:
        end = "" if len(data.primary) == 1 else f"-{slug(metric)}"
        made += [
            ratio.draw(data, metric, f"{stem}-ratio{end}"),
            spread.draw(data, metric, f"{stem}-spread{end}"),
            series.draw(data, metric, f"{stem}-series{end}"),
        ]
    return [*made, cpu.draw(data, f"{stem}-cpu")]


def slug(text: str) -> str:
    """Return a text that is safe as file name and as id."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()
