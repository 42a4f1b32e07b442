"""What a site is made of: the runs of a results folder, the tracks that they form, and the series of each track."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bench import store
from bench.compare import acknowledged, boots, epochs, nights, parameters
from bench.compare.acknowledged import Acknowledgement
from bench.core.errors import UsageError
from bench.core.model import NULL, SENTINEL, RunState
from bench.index import Entry
from bench.site import names
from bench.site.files import digest
from bench.site.names import SeriesName

CONTROLS = (SENTINEL, NULL)
"""Targets that are part of the instrument."""


class Index(Protocol):
    """What the site asks of :class:`bench.index.Index`."""

    @property
    def notes(self) -> Sequence[str]:
        """What was rebuilt, left out or is damaged."""

    @property
    def entries(self) -> Sequence[Entry]:
        """The runs, the oldest first."""

    def each(self) -> Iterable[store.Run | str]:
        """Yield each run, or why it is left out."""

    def series(self) -> Any:
        """Return a frame with one row a series of a run."""


class Point(NamedTuple):
    """The numbers of a series in one run; those that it lacks are ``None``."""

    median: float | None
    low: float | None
    high: float | None
    n: int
    failures: int


@dataclass(frozen=True, eq=False)
class Past:
    """A run of the folder.

    Attributes:
        entry: What the index knows of it.
        run: Its folder and ``run.json``.
        rows: Its series: scenario, target, params, metric, unit and numbers.
    """

    entry: Entry
    run: store.Run
    rows: list[tuple[str, str, str, str, str, Point]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host's name, with the guest if the whole run was in one."""
        inside = str(self.run.meta.get("inside", ""))
        name = self.entry.host or "unknown host"
        return f"{name}, in the guest {inside}" if inside else name

    @property
    def run_id(self) -> str:
        """The run's id; of a copy, the name of its folder."""
        return self.entry.folder if self.entry.copy_of else self.entry.run_id

    @cached_property
    def day(self) -> str:
        """The day on which it began."""
        return _date(self.entry.started_at, "%Y-%m-%d")

    @cached_property
    def when(self) -> str:
        """When it began: ``2026-11-01 08:15 UTC``."""
        return _date(self.entry.started_at, "%Y-%m-%d %H:%M UTC")

    @cached_property
    def page(self) -> str:
        """The path of its page."""
        return names.run(self.run_id)

    @cached_property
    def state(self) -> str:
        """A digest of what the index knows of its lines."""
        return digest(self.entry.invocations, self.entry.failed, self.entry.state, self.rows)

    @property
    def complete(self) -> bool:
        """Whether the run is complete."""
        return self.entry.state == RunState.COMPLETE

    @property
    def confirms(self) -> str:
        """The night whose regressions it measured again on fresh blocks; empty for any other run."""
        return str(self.entry.tags.get(nights.AGAIN, ""))

    @property
    def scenarios(self) -> Mapping[str, Mapping[str, Any]]:
        """The scenarios of ``run.json``."""
        found: Mapping[str, Mapping[str, Any]] = self.run.meta.get("scenarios", {})
        return found


def _date(text: str, form: str) -> str:
    try:
        return datetime.fromisoformat(text).strftime(form)
    except ValueError:
        return text[:20] or "no date"


@dataclass(eq=False)
class Track:
    """The runs that have series in common: those of one host, by hand or as the nights of one suite.

    Attributes:
        host: The host.
        suite: The suite; empty for runs by hand.
        runs: Its runs, the oldest first.
        kinds: For each run, the number of its epoch: runs of one epoch are alike and can be compared.
    """

    host: str
    suite: str
    runs: list[Past] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its name for people."""
        return f"{self.host}, nights of {self.suite}" if self.suite else self.host

    @cached_property
    def places(self) -> Mapping[str, list[int]]:
        """Scenario → places of the runs that have it."""
        found: dict[str, list[int]] = {}
        for place, one in enumerate(self.runs):
            for scenario in one.scenarios:
                found.setdefault(scenario, []).append(place)
        return found

    @cached_property
    def number(self) -> Mapping[str, int]:
        """Run id → place."""
        return {one.run_id: place for place, one in enumerate(self.runs)}

    @cached_property
    def newest(self) -> int | None:
        """The place of its newest complete run."""
        return next((place for place in reversed(range(len(self.runs))) if self.runs[place].complete), None)

    def alike(self, place: int) -> list[int]:
        """Return the places of the complete runs of the epoch of a run."""
        return [at for at, one in enumerate(self.runs) if one.complete and self.kinds[at] == self.kinds[place]]


@dataclass(eq=False)
class Series:
    """One series over the runs of a track.

    Attributes:
        name: Its name.
        track: The track.
        unit: Unit of its values.
        points: Place of a run → its numbers.
        acknowledged: The acknowledgements of its regressions.
    """

    name: SeriesName
    track: Track
    unit: str
    points: dict[int, Point] = field(default_factory=dict)
    acknowledged: tuple[Acknowledgement, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Scenario, target, params and metric."""
        return self.name.scenario, self.name.target, self.name.params, self.name.metric

    @property
    def places(self) -> list[int]:
        """The places of the runs that have its scenario or a value of it."""
        return sorted({*self.track.places.get(self.name.scenario, ()), *self.points})

    @cached_property
    def measured(self) -> list[int]:
        """The places of the runs that have a value of it."""
        return sorted(at for at, one in self.points.items() if one.median is not None)

    @property
    def control(self) -> bool:
        """Whether it belongs to the instrument."""
        return self.name.target in CONTROLS


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

    def of_host(self, host: str) -> list[Track]:
        """Return the tracks of a host."""
        return [one for one in self.tracks if one.host == host]


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
        if not one.entry.copy_of and not one.confirms:
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
    for row in index.series().itertuples(index=False):
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
