"""The records of a site: runs, the tracks that they form, and the series of a track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from bench import store
from bench.compare import nights
from bench.compare.acknowledged import Acknowledgement
from bench.core.model import NULL, SENTINEL, RunState
from bench.index import Entry
from bench.site import names
from bench.site.files import digest
from bench.site.names import SeriesName

CONTROLS = (SENTINEL, NULL)
"""Targets that are part of the instrument."""


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
    def scenarios(self) -> Mapping[str, Mapping[str, Any]]:
        """The scenarios of ``run.json``."""
        found: Mapping[str, Mapping[str, Any]] = self.run.meta.get("scenarios", {})
        return found


def confirmed(run: Past) -> str:
    """Return the night whose regressions a run measured again on fresh blocks; empty for any other run."""
    return str(run.entry.tags.get(nights.AGAIN, ""))


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
