"""The two to four sentences that a reader who reads nothing else should read, of each kind of scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench._headline import (
    compute,
    density,
    discovery,
    images,
    imported,
    limits,
    memory,
    namespaces,
    network,
    stack,
    startup,
    storage,
)
from bench.model import Skipped, Summary

if TYPE_CHECKING:
    import pandas as pd

_TOLD: Mapping[str, Callable[[Sequence[Summary], Mapping[str, Any]], str]] = {
    "memory": memory.headline,
    "stack": stack.headline,
    "namespaces": namespaces.headline,
    "limits": limits.headline,
    "compute": compute.headline,
    "discovery": discovery.headline,
    "size": images.size,
    "pull": images.pull,
    "imported": imported.headline,
}
"""Procedure → what tells its result; the others are told as a startup is."""


def headline(
    summaries: Sequence[Summary],
    scenario_meta: Mapping[str, Any],
    outcomes: pd.DataFrame | None = None,
    points: pd.DataFrame | None = None,
    skipped: Sequence[Skipped] = (),
) -> str:
    """Say the result in words and numbers of the data.

    ``scenario_meta`` is the scenario's object in ``run.json``, ``summaries`` are its series. ``outcomes`` and ``points``, as
    :func:`bench.store.outcomes` and :func:`bench.store.measurements` give them, add what summaries do not hold: what stopped a
    ramp, and ratios of two series block by block. ``skipped`` are the targets that could not be measured.
    """
    procedure = str(scenario_meta.get("procedure", ""))
    if procedure == "density":
        return density.headline(summaries, scenario_meta, outcomes)
    if procedure == "network-modes":
        return network.headline(summaries, scenario_meta, outcomes, points, skipped)
    if procedure == "storage-drivers":
        return storage.drivers(summaries, scenario_meta, skipped)
    if procedure == "storage-types":
        return storage.places(summaries, scenario_meta, outcomes)
    if procedure == "image-build":
        return images.build(summaries, scenario_meta, points)
    return _TOLD.get(procedure, startup.headline)(summaries, scenario_meta)
