"""Whether the place within a block moves the values: what is measured first must not be better for that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.core.metrics import METRICS
from bench.core.model import SENTINEL
from bench.stats.findings import PositionEffect

_VARIANT = ["target", "params"]
"""Columns that identify the series of a scenario and a metric."""

POSITION_P = 0.01
"""p value below which the place within a block counts as an influence, divided by the number of metrics that a run asks about."""


def position_effects(
    blocks: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], PositionEffect]:
    """Return (scenario, primary metric) → the effect of the place, where it can be said.

    ``blocks`` is the frame of :func:`bench.stats.series.block_values`. The doubt is corrected for all that are asked about.
    """
    asked = [(name, metric) for name, meta in scenarios.items() for metric in meta.get("primary", ())]
    effects = {one: position_effect(blocks, *one, tests=len(asked)) for one in asked}
    return {one: effect for one, effect in effects.items() if effect}


def position_effect(blocks: pd.DataFrame, scenario: str, metric: str, tests: int = 1) -> PositionEffect | None:
    """Return how the place within a block shifts log(value / the variant's own median).

    ``None`` when it cannot be said. A regression on the place, centred within each block; p from the permutation
    distribution of the places within blocks, whose variance is known in closed form (Hoeffding, 1951). ``tests`` is
    how many metrics are asked about (Bonferroni).
    """
    mine = blocks[(blocks["scenario"] == scenario) & (blocks["metric"] == metric) & (blocks["target"] != SENTINEL)]
    variants = mine.groupby(_VARIANT, observed=True)["value"]
    # A lone value is its own median and says nothing.
    wanted = (variants.transform("min") > 0) & (variants.transform("size") > 2)
    if not wanted.all():
        mine = mine[wanted]
        variants = mine.groupby(_VARIANT, observed=True)["value"]
    if mine.empty:
        return None
    logs = np.log(mine["value"]) - np.log(variants.transform("median"))
    # Series of one invocation (components of a sum) share its place: they are one observation.
    places = mine.assign(log=logs).groupby(["block", "order"], as_index=False)["log"].mean()
    grouped = places.groupby("block")
    x = (places["order"] - grouped["order"].transform("mean")).to_numpy(dtype=np.float64)
    y = (places["log"] - grouped["log"].transform("mean")).to_numpy(dtype=np.float64)
    squares = places.assign(x=x * x, y=y * y, n=1.0).groupby("block")[["x", "y", "n"]].sum()
    squares = squares[squares["n"] > 1]
    variance = float((squares["x"] * squares["y"] / (squares["n"] - 1)).sum())
    if variance <= 0:
        return None
    total, span = float(x @ y), float(places["order"].max() - places["order"].min())
    p = math.erfc(abs(total) / math.sqrt(2 * variance))
    shift = math.expm1(total / float(x @ x) * span)
    known = METRICS.get(metric)
    worth = (known.min_effect if known else 0.05) / 2
    return PositionEffect(metric, shift, p, p < POSITION_P / max(tests, 1) and abs(shift) > worth)
