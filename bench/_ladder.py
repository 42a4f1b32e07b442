"""What each rung of a ladder adds to the rung before it, block by block.

In a scenario of procedure ``stack`` the targets stand in the order in which each does what the one before does, and something
more. The difference of two neighbours within one block is the price of that more; a host that drifts moves both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pandas as pd

ADDED = {"stack.wall_s": "stack.added_s", "stack.cpu_s": "stack.added_cpu_s"}
"""Metric of a phase → metric of what a rung adds to it."""

TOTAL = "total"
"""The phase that is the sum of all."""


def with_added(measurements: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the measurements with what each rung adds as further rows, in every scenario that is a ladder.

    The frame is that of :func:`bench._series.usable`. A phase that a rung's engine does not have takes no time there: it
    counts as 0 in the difference, and stays absent among the rung's own numbers.
    """
    ladders = [name for name, meta in scenarios.items() if meta.get("procedure") == "stack"]
    parts = [part for name in ladders for part in _added(measurements, name, _rungs(scenarios[name]))]
    return pd.concat([measurements, *parts], ignore_index=True) if parts else measurements


def _rungs(meta: Mapping[str, Any]) -> list[str]:
    return [str(item["text"]) if isinstance(item, Mapping) else str(item) for item in meta.get("targets", ())]


def _added(measurements: pd.DataFrame, scenario: str, rungs: list[str]) -> Iterator[pd.DataFrame]:
    own = measurements[(measurements["scenario"] == scenario) & measurements["metric"].isin(list(ADDED))]
    if own.empty:
        return
    own = own.assign(phase=[json.loads(params).get("phase", "") for params in own["params"]])
    own = pd.concat([own, _totals(own)], ignore_index=True)
    for below, above in pairwise([rung for rung in rungs if rung in set(own["target"])]):
        yield _difference(own[own["target"] == below], own[own["target"] == above])


def _totals(own: pd.DataFrame) -> pd.DataFrame:
    """Return the sum over the phases as one more phase."""
    keys = ["target", "metric", "block"]
    first = own.drop_duplicates(keys)
    sums = own.groupby(keys)["value"].sum().rename("sum").reset_index()
    found = first.merge(sums, on=keys)
    params = [json.dumps(json.loads(text) | {"phase": TOTAL}, sort_keys=True) for text in found["params"]]
    return found.assign(value=found["sum"], phase=TOTAL, params=params).drop(columns="sum")


def _difference(below: pd.DataFrame, above: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of ``above`` minus those of ``below`` in the blocks that both have."""
    keys = ["metric", "phase", "block"]
    shared = above[above["block"].isin(set(below["block"]))]
    base = below.groupby(keys)["value"].median().rename("base").reset_index()
    joined = shared.merge(base, on=keys, how="left")
    value = joined["value"] - joined["base"].fillna(0.0)
    return joined.assign(value=value, metric=joined["metric"].map(ADDED)).drop(columns=["base", "phase"])
