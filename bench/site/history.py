"""What marks the history of a series: epochs, versions, lasting steps and acknowledgements."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from bench.compare import sides, trend
from bench.core.model import SENTINEL
from bench.display.data import params_key
from bench.site.files import Files, digest
from bench.site.records import Series, Track
from bench.site.source import other_parameters

Key = tuple[str, str, str, str]

_NAMESAKE = "another host of the same name"


class Kind(StrEnum):
    """What a mark of a history says."""

    EPOCH = "epoch"
    VERSION = "version"
    STEP = "step"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True)
class Mark:
    """Something that happened between two runs of a track.

    Attributes:
        kind: What.
        place: The first run after it.
        facts: In what the runs differ, as texts; of a step nothing.
        step: The step, as :class:`bench.compare.trend.ChangePoint` has it.
        entry: The acknowledgement: reason and last day.
    """

    kind: Kind
    place: int
    facts: tuple[str, ...] = ()
    step: Mapping[str, Any] | None = None
    entry: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TrackMarks:
    """The marks that concern all series of a track, and those of the engine of each target."""

    epochs: tuple[Mark, ...]
    versions: Mapping[str, tuple[Mark, ...]]


def of_track(track: Track) -> TrackMarks:
    """Return where a new epoch begins, and where the version of an engine or of Tare changes."""
    begun: list[Mark] = []
    versions: dict[str, list[Mark]] = {}
    for place in range(1, len(track.runs)):
        before, now = track.runs[place - 1], track.runs[place]
        if track.kinds[place] != track.kinds[place - 1]:
            found = sides.differences(before.run, now.run)
            begun.append(Mark(Kind.EPOCH, place, tuple(map(sides.difference_text, found)) or (_NAMESAKE,)))
        for one in sides.engine_differences(before.run, now.run):
            target, _, fact = one.name.rpartition(": ")
            text = f"{fact}: '{one.base}' and '{one.new}'"
            versions.setdefault(target, []).append(Mark(Kind.VERSION, place, (text,)))
        if before.entry.version != now.entry.version:
            text = f"Tare: '{before.entry.version}' and '{now.entry.version}'"
            versions.setdefault("", []).append(Mark(Kind.VERSION, place, (text,)))
    return TrackMarks(tuple(begun), {name: tuple(marks) for name, marks in versions.items()})


def steps(files: Files, track: Track, series: Sequence[Series]) -> dict[Key, list[Mapping[str, Any]]]:
    """Return the lasting steps of each series of a track, epoch by epoch."""
    found: dict[Key, list[Mapping[str, Any]]] = {}
    for kind in dict.fromkeys(track.kinds):
        history = _history(track, kind, series)
        name = f"steps {track.host!r} {track.suite!r} {kind}"
        key = digest(history.runs, history.at, history.series, history.sentinel)
        for one in files.remember(name, key, partial(_points, history)):
            found.setdefault(tuple(one["key"]), []).append(one["step"])
    return found


def _points(history: trend.History) -> list[dict[str, Any]]:
    found = trend.change_points(history)
    return [
        {"key": [one.scenario, one.target, params_key(one.params), one.metric], "step": dataclasses.asdict(one)}
        for one in found
    ]


def _history(track: Track, kind: int, series: Sequence[Series]) -> trend.History:
    places = [at for at, one in enumerate(track.runs) if one.complete and track.kinds[at] == kind]
    number = {at: place for place, at in enumerate(places)}
    unlike = {at: other_parameters(track, at, places[-1]) for at in places}
    history = trend.History(
        [track.runs[at].run_id for at in places], [track.runs[at].entry.started_at for at in places]
    )
    for one in series:
        values = {
            number[at]: point.median
            for at, point in one.points.items()
            if at in number and point.median is not None and one.name.scenario not in unlike[at]
        }
        if one.name.target == SENTINEL:
            history.sentinel |= values
        elif not one.control and values:
            history.series[one.key] = values
    return history


def marks(one: Series, of_all: TrackMarks, found: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """Return the marks of one series, in the order of the runs."""
    place = one.track.number
    made = [*of_all.epochs, *of_all.versions.get(one.name.target, ()), *of_all.versions.get("", ())]
    made += [Mark(Kind.STEP, place[step["at_run"]], step=step) for step in found]
    made += [
        Mark(Kind.ACKNOWLEDGED, place[entry.run], entry={"reason": entry.reason, "until": entry.until})
        for entry in one.acknowledged
    ]
    first, last = min(one.points), max(one.points)
    shown = [mark for mark in made if first < mark.place <= last or mark.kind is Kind.ACKNOWLEDGED]
    return sorted(shown, key=lambda mark: mark.place)
