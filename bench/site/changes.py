"""What changed since last good: the newest run of each track against the runs in which a series had not regressed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench import compare, store
from bench.compare import nights
from bench.core.errors import UsageError
from bench.core.metrics import METRICS
from bench.display.data import params_key
from bench.report import compared
from bench.site.files import Files, digest
from bench.site.history import Key
from bench.site.records import Past, Track

RULES = compare.Rules(products=False)
"""Corrected for the number of series, since no fresh blocks decide afterwards."""


class Why(StrEnum):
    """Why there is no comparison, or how its base was chosen."""

    TAGGED = "tagged"
    ROLLING = "rolling"
    UNFINISHED = "unfinished"
    FIRST = "first"
    NOTHING = "nothing"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Change:
    """A series of the newest run against its base.

    Attributes:
        key: Scenario, target, params and metric.
        record: The comparison, as ``tare compare --json`` has it.
        threshold: Smallest relative change that counts and that would have been found; 0 where any counts, ``None`` if unknown.
        times: The change in multiples of the threshold; infinite where any counts, ``None`` if unknown.
        good: The newest run of the base that is good for it.
    """

    key: Key
    record: Mapping[str, Any]
    threshold: float | None
    times: float | None
    good: str

    @property
    def significant(self) -> bool:
        """Whether it is a clear change."""
        return self.record["verdict"] in ("regressed", "improved")

    @property
    def worse(self) -> bool:
        """Whether it got worse."""
        return bool(self.record["verdict"] == "regressed")


@dataclass(frozen=True)
class Changes:
    """The changes of a track.

    Attributes:
        track: The track.
        new: The newest complete run; ``None`` if there is none.
        base: Ids of the runs of the base, the newest first.
        why: How the base was chosen, or why there is none.
        detail: What is damaged.
        notes: What must be read with the comparison.
        every: The changes, the largest in multiples of the threshold first.
        missing: Series that the base has and the newest run has not.
    """

    track: Track
    new: Past | None
    base: tuple[str, ...]
    why: Why
    detail: str = ""
    notes: tuple[str, ...] = ()
    every: tuple[Change, ...] = ()
    missing: tuple[Key, ...] = ()

    @property
    def significant(self) -> list[Change]:
        """The clear changes."""
        return [one for one in self.every if one.significant]


def of_track(files: Files, track: Track, steps: Mapping[Key, Sequence[Mapping[str, Any]]]) -> Changes:
    """Compare the newest complete run of a track with its last good ones."""
    if track.newest is None:
        return Changes(track, None, (), Why.UNFINISHED)
    new, earlier = track.runs[track.newest], [track.runs[at] for at in track.alike(track.newest)[:-1]]
    if not earlier:
        return Changes(track, new, (), Why.FIRST)
    tagged = [one for one in earlier if one.entry.tags.get("baseline") == "main"]
    why, base = (Why.TAGGED, tagged[-1:]) if tagged else (Why.ROLLING, earlier)
    without = {} if tagged else _without(base, steps)
    key = digest(
        [(one.run_id, one.state) for one in (*base, new)], {name: sorted(keys) for name, keys in without.items()}
    )
    name = f"changes {track.host!r} {track.suite!r}"
    found = files.remember(name, key, lambda: _compared(base, new, without))
    if isinstance(found, str):
        return Changes(track, new, (), Why.DAMAGED if found else Why.NOTHING, found)
    every = tuple(sorted((_change(one, found["runs"], without) for one in found["results"]), key=_first))
    missing = tuple(
        (one["scenario"], one["target"], params_key(one["params"]), one["metric"]) for one in found["only_in_base"]
    )
    return Changes(track, new, tuple(found["runs"]), why, "", tuple(found["notes"]), every, missing)


def _without(base: Sequence[Past], steps: Mapping[Key, Sequence[Mapping[str, Any]]]) -> dict[str, AbstractSet[Key]]:
    """Return the series for which a run is not good: its night recorded a regression, or it follows a step for the worse.

    A step for the better ends that.
    """
    place = {one.run_id: at for at, one in enumerate(base)}
    found: dict[str, set[Key]] = {}
    for one in base:
        if one.entry.suite and (recorded := {name[:4] for name in nights.regressed(one.run)}):
            found[one.run_id] = recorded
    for key, mine in steps.items():
        known = sorted((place[step["at_run"]], step["worse"]) for step in mine if step["at_run"] in place)
        for number, (at, worse) in enumerate(known):
            end = known[number + 1][0] if number + 1 < len(known) else len(base)
            for bad in base[at:end] if worse else ():
                found.setdefault(bad.run_id, set()).add(key)
    return {name: frozenset(keys) for name, keys in found.items()}


def _compared(base: Sequence[Past], new: Past, without: Mapping[str, AbstractSet[Key]]) -> Any:
    """Return the comparison as JSON; a text if there is none: what is damaged, empty if nothing can be compared."""
    try:
        side = compare.Side(store.load(new.run.path))
        found = compare.against([one.run for one in reversed(base)], side, RULES, without=without)
    except UsageError as error:
        return str(error)
    if found is None:
        return ""
    found = dataclasses.replace(found, damage=tuple(f"{new.run_id}: {text}" for text in side.run.warnings))
    return {**compared.as_json(found), "runs": list(found.runs)}


def _change(record: Mapping[str, Any], runs: Sequence[str], without: Mapping[str, AbstractSet[Key]]) -> Change:
    key = record["scenario"], record["target"], params_key(record["params"]), record["metric"]
    threshold = _threshold(record)
    good = next((run for run in runs if key not in without.get(run, ())), runs[0])
    return Change(key, record, threshold, _times(record, threshold), good)


def _threshold(record: Mapping[str, Any]) -> float | None:
    known = METRICS.get(record["metric"])
    if known is None:
        return None
    if known.exact:
        return 0.0
    return max(known.min_effect, record["mde"] or 0.0)


def _times(record: Mapping[str, Any], threshold: float | None) -> float | None:
    """Return the change in multiples of the threshold, on the scale of logarithms if there is a ratio."""
    base, new, ratio = record["base"], record["new"], record["ratio"]
    if threshold is None or base is None or new is None:
        return math.inf if record["verdict"] in ("regressed", "improved") else None
    if base == new:
        return 0.0
    if threshold == 0:
        return math.inf
    if ratio:
        return abs(math.log(ratio)) / math.log1p(threshold)
    least = max(METRICS[record["metric"]].floor, threshold * abs(base))
    return abs(new - base) / least if least else math.inf


def _first(one: Change) -> tuple[bool, float, Key]:
    return not one.significant, -(one.times or 0.0), one.key
