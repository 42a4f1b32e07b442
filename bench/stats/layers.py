"""Compute metrics that are differences: what each target of a scenario adds to the target below it, block by block.

A metric with ``added_from`` is computed in every scenario that measured the metric it names. The targets of such a scenario are
layers: each does what the one below does, and something more. The one below is the target before, unless the engine stands on
another one: Docker and a pod both stand on containerd, and neither on the other. The difference within one block is the cost of
the addition; a drift of the host moves both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from bench.core.grounds import GROUNDS
from bench.core.metrics import METRICS

TOTAL = "total"
"""Name of the phase that is the sum of all phases."""


def with_added(measurements: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the measurements with further rows for what each layer adds.

    The frame is that of :func:`bench.stats.series.usable`. A phase that a layer's engine does not have takes no time there: it
    counts as 0 in the difference and stays absent from the layer's own numbers.
    """
    added = {metric.added_from: name for name, metric in METRICS.items() if metric.added_from}
    own = measurements[measurements["metric"].isin(list(added))] if len(measurements) else measurements
    names = [name for name in scenarios if name in set(own["scenario"])]
    parts = [part for name in names for part in _added(own[own["scenario"] == name], _layers(scenarios[name]), added)]
    return pd.concat([measurements, *parts], ignore_index=True) if parts else measurements


def _layers(meta: Mapping[str, Any]) -> list[str]:
    return [str(item["text"]) if isinstance(item, Mapping) else str(item) for item in meta.get("targets", ())]


def _added(own: pd.DataFrame, layers: list[str], added: Mapping[str, str]) -> Iterator[pd.DataFrame]:
    own = own.assign(phase=[json.loads(params).get("phase", "") for params in own["params"]])
    own = pd.concat([own, _totals(own)], ignore_index=True)
    there = set(own["target"])
    for above, below in GROUNDS.below([layer for layer in layers if layer in there]).items():
        yield _difference(own[own["target"] == below], own[own["target"] == above], added)


def _totals(own: pd.DataFrame) -> pd.DataFrame:
    """Return the sum over the phases as one more phase."""
    keys = ["target", "metric", "block"]
    first = own.drop_duplicates(keys)
    sums = own.groupby(keys, observed=True)["value"].sum().rename("sum").reset_index()
    found = first.merge(sums, on=keys)
    params = [json.dumps(json.loads(text) | {"phase": TOTAL}, sort_keys=True) for text in found["params"]]
    return found.assign(value=found["sum"], phase=TOTAL, params=params).drop(columns="sum")


def _difference(below: pd.DataFrame, above: pd.DataFrame, added: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of ``above`` minus those of ``below`` in the blocks that both have."""
    keys = ["metric", "phase", "block"]
    shared = above[above["block"].isin(set(below["block"]))]
    base = below.groupby(keys, observed=True)["value"].median().rename("base").reset_index()
    joined = shared.merge(base, on=keys, how="left")
    value = joined["value"] - joined["base"].fillna(0.0)
    return joined.assign(value=value, metric=joined["metric"].map(added)).drop(columns=["base", "phase"])
