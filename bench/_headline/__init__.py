"""The two to four sentences that a reader who reads nothing else should read, of each kind of scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench._headline import compute, density, limits, memory, namespaces, stack, startup
from bench.model import Summary

if TYPE_CHECKING:
    import pandas as pd

_TOLD: Mapping[str, Callable[[Sequence[Summary], Mapping[str, Any]], str]] = {
    "memory": memory.headline,
    "stack": stack.headline,
    "namespaces": namespaces.headline,
    "limits": limits.headline,
    "compute": compute.headline,
}
"""Procedure → what tells its result; the others are told as a startup is."""


def headline(
    summaries: Sequence[Summary], scenario_meta: Mapping[str, Any], outcomes: pd.DataFrame | None = None
) -> str:
    """Say the result in words and numbers of the data.

    ``scenario_meta`` is the scenario's object in ``run.json``, ``summaries`` are its series. ``outcomes``, as
    :func:`bench.store.outcomes` gives them, add what is known in words only: what stopped a ramp.
    """
    procedure = str(scenario_meta.get("procedure", ""))
    if procedure == "density":
        return density.headline(summaries, scenario_meta, outcomes)
    return _TOLD.get(procedure, startup.headline)(summaries, scenario_meta)
