"""What stamped the events of runs: two runs are compared only where it was the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench import store
from bench.compare.verdicts import Difference

PREFIX = "instrument."
"""Begins the names of such facts, ``instrument.stamp`` for example."""
_IMPORTED = "imported"
"""Benchmark of imported runs: another tool took their times."""


def differing(base: store.Run, new: store.Run) -> Iterator[Difference]:
    """Yield the facts of the instrument in which two runs differ; one that a run does not record is left out."""
    if base.meta.get("instrument") == new.meta.get("instrument"):
        return
    before, after = _of(base), _of(new)
    for name in before:
        if name in after and before[name] != after[name]:
            yield Difference(f"{PREFIX}{name}", before[name], after[name])


def names(run: store.Run) -> set[str]:
    """Return the names of the facts of a run's instrument."""
    return {f"{PREFIX}{name}" for name in _of(run)}


def unrecorded(*runs: store.Run) -> tuple[str, ...]:
    """Return the ids of the runs that do not say what stamped their events."""
    return tuple(dict.fromkeys(run.run_id for run in runs if not _of(run) and not _is_import(run)))


def _of(run: store.Run) -> Mapping[str, str]:
    return {str(name): str(value) for name, value in run.meta.get("instrument", {}).items()}


def _is_import(run: store.Run) -> bool:
    return all(meta.get("procedure") == _IMPORTED for meta in run.meta["scenarios"].values())
