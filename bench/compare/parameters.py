"""Parameters in force that name no series: defaults, in which two runs may differ without any series showing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench import store
from bench.compare.verdicts import Difference

_IMPORTED = "imported"
"""Benchmark of imported runs, which has no parameters."""


def differing(base: store.Run, new: store.Run) -> Iterator[Difference]:
    """Yield the parameters of scenarios that both runs have which differ and name no series.

    A parameter that one run does not know is left out: the Tare that measured it had no such choice.
    """
    if base.meta["scenarios"] is new.meta["scenarios"]:  # runs from the index share what is the same
        return
    for scenario, mine, theirs in _common(base, new):
        named = {*mine.get("params", {}), *theirs.get("params", {})}
        values = [one.get("parameters") or {} for one in (mine, theirs)]
        for name in values[0]:
            if name in values[1] and name not in named and values[0][name] != values[1][name]:
                before, after = (", ".join(map(str, one[name])) for one in values)
                yield Difference(f"{scenario}.{name}", before, after, parameter=True)


def unrecorded(base: store.Run, new: store.Run) -> tuple[str, ...]:
    """Return the ids of the runs that do not say which parameters were in force, in a scenario that both have."""
    lacking = [
        run.run_id
        for _, *metas in _common(base, new)
        for run, meta in zip((base, new), metas, strict=True)
        if "parameters" not in meta and meta.get("procedure") != _IMPORTED
    ]
    return tuple(dict.fromkeys(lacking))


def scenario_of(one: Difference) -> str:
    """Return the scenario of a parameter that differs."""
    return one.name.partition(".")[0]


def _common(base: store.Run, new: store.Run) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    before = base.meta["scenarios"]
    yield from ((name, before[name], meta) for name, meta in new.meta["scenarios"].items() if name in before)
