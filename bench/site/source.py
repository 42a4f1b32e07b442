"""What a site is made of: the runs of a results folder, the tracks that they form, and the series of each track."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import store
from bench.compare import acknowledged, boots, epochs, parameters
from bench.compare.acknowledged import Acknowledgement
from bench.core.errors import UsageError
from bench.index import Index
from bench.site.names import SeriesName
from bench.site.records import Past, Point, Series, Track, confirmed


@dataclass
class Source:
    """The whole content of a results folder, as far as the site shows it."""

    results: Path
    runs: list[Past] = field(default_factory=list)
    tracks: list[Track] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> list[str]:
        """The hosts, by name."""
        return sorted({one.host for one in self.runs})


def read(results: Path, index: Index) -> Source:
    """Read the runs and series of a results folder through its index.

    Raises:
        UsageError: There is no run.
    """
    every = list(index.each())
    found = Source(results, notes=[*index.notes, *(one for one in every if isinstance(one, str))])
    runs = {one.path.name: one for one in every if isinstance(one, store.Run)}
    found.runs = [Past(entry, runs[entry.folder]) for entry in index.entries]
    if not found.runs:
        said = f" ({found.notes[0]})" if found.notes else ""
        msg = f"no runs in '{results}'{said}; make one with 'tare run quick', or name another folder"
        raise UsageError(msg)
    found.tracks = list(_tracks(found.runs))
    found.notes += [text for track in found.tracks for text in epochs.clocks([one.run for one in track.runs])]
    _take(found, index)
    _acknowledge(found)
    return found


def _tracks(runs: Iterable[Past]) -> Iterator[Track]:
    made: dict[tuple[str, str], Track] = {}
    for one in runs:
        if not one.entry.copy_of and not confirmed(one):
            key = one.host, one.entry.suite
            made.setdefault(key, Track(*key)).runs.append(one)
    for _, track in sorted(made.items()):
        track.kinds = _kinds(track.runs)
        yield track


def _kinds(runs: Sequence[Past]) -> list[int]:
    """Return the number of each run's epoch: that of the runs that it is like, else a new one.

    Runs of another host of the same name are an epoch of their own.
    """
    newest: list[Past] = []
    found: list[int] = []
    for one in runs:
        kind = next((at for at, other in enumerate(newest) if epochs.apart(one.run, other.run) is None), len(newest))
        newest[kind : kind + 1] = [one]
        found.append(kind)
    for kind in range(len(newest)):
        strange = boots.elsewhere([one.run for one, its in zip(runs, found, strict=True) if its == kind])
        another = max(found) + 1
        found = [another if one.entry.run_id in strange else its for one, its in zip(runs, found, strict=True)]
    return found


def _take(found: Source, index: Index) -> None:
    """Put the index's rows into the runs and the series."""
    own = {one.entry.run_id: one for one in found.runs if not one.entry.copy_of}
    place = {one.entry.run_id: (track, at) for track in found.tracks for at, one in enumerate(track.runs)}
    series: dict[tuple[int, str, str, str, str], Series] = {}
    rows: Iterable[Any] = index.series().itertuples(index=False)
    for row in rows:
        run_id, params = str(row.run_id), str(row.params)
        key = str(row.scenario), str(row.target), params, str(row.metric)
        point = Point(_known(row.median), _known(row.ci_low), _known(row.ci_high), int(row.n), int(row.failures))
        if run_id in own:
            own[run_id].rows.append((*key, str(row.unit), point))
        if run_id in place:
            track, at = place[run_id]
            one = series.get((id(track), *key))
            if one is None:
                one = Series(SeriesName(track.host, track.suite, *key), track, str(row.unit))
                series[id(track), *key] = one
            one.points[at] = point
    order = {id(track): number for number, track in enumerate(found.tracks)}
    found.series = sorted(series.values(), key=lambda one: (order[id(one.track)], one.key))


def _known(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _acknowledge(found: Source) -> None:
    try:
        entries = acknowledged.load(found.results)
    except UsageError as error:
        found.notes.append(str(error))
        return
    by_key: dict[tuple[str, str, str, str], list[Acknowledgement]] = {}
    for entry in entries:
        by_key.setdefault(entry.key, []).append(entry)
    for one in found.series:
        one.acknowledged = tuple(entry for entry in by_key.get(one.key, ()) if entry.run in one.track.number)


def other_parameters(track: Track, place: int, newest: int) -> set[str]:
    """Return the scenarios that had other parameters in force in a run than in the newest one."""
    runs = track.runs[place].run, track.runs[newest].run
    return {parameters.scenario_of(one) for one in parameters.differing(*runs)}
