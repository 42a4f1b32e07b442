"""The runs of one host over time: the history that is judged, the epochs beside it, and what happened between the runs.

:mod:`bench.compare.trend` looks for steps within one epoch. Here the runs before it stand beside it, with the marks that explain
a step: another epoch, another version of an engine, an acknowledgement, a time without runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from bench import store
from bench.compare import acknowledged, epochs, past, trend
from bench.compare.epochs import Apart
from bench.compare.past import Past
from bench.compare.sides import FINGERPRINT, PAYLOAD, differences, engine_differences
from bench.compare.trend import ChangePoint, History
from bench.compare.verdicts import Difference
from bench.stats.series import Key

_GAP = 2.5
"""A time without runs of so many usual intervals is a gap."""
_BESIDE = (Apart.FINGERPRINT, Apart.PAYLOAD, Apart.INSTRUMENT)
"""Why a run of the same host and suite belongs to another epoch."""


class Happened(StrEnum):
    """What can happen between two runs."""

    EPOCH = "another epoch"
    VERSION = "another version"
    GAP = "no runs"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True)
class Event:
    """Something between two runs.

    Attributes:
        kind: What it is.
        place: Place of the first run after it; of an acknowledgement, of the run that it names.
        text: What exactly.
        series: The series that it concerns; ``None`` for all.
    """

    kind: Happened
    place: int
    text: str
    series: Key | None = None


@dataclass(frozen=True)
class Point:
    """One run: its id, when it began, the number of its epoch from 0, and whether it is of the history that is judged."""

    run: str
    at: str
    epoch: int
    judged: bool


@dataclass(frozen=True)
class Course:
    """The runs of one host and suite, the oldest first.

    Attributes:
        host: The host.
        points: The runs.
        values: Series → place of a run → its median.
        steps: Series → place of the first run after a step → the step; only within the newest run's epoch.
        events: What happened, in the order of the runs.
        sentinel: Place of a run → median of the fixed host workload.
        factors: Two epochs, the earlier one first → the facts in which they differ, which a comparison must be told.
        notes: What was left out and why.
    """

    host: str
    points: tuple[Point, ...]
    values: Mapping[Key, Mapping[int, float]]
    steps: Mapping[Key, Mapping[int, ChangePoint]]
    events: tuple[Event, ...]
    sentinel: Mapping[int, float]
    factors: Mapping[tuple[int, int], tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def of(self, kind: Happened, series: Key | None = None) -> list[Event]:
        """Return the events of a kind that concern a series."""
        return [one for one in self.events if one.kind is kind and one.series in (None, series)]


def course(
    results: Past,
    found: History,
    steps: Sequence[ChangePoint],
    *,
    metric: str | None = None,
    target: str | None = None,
) -> Course:
    """Return the runs around a history of at least one run; ``metric`` and ``target`` as for the history.

    Raises:
        UsageError: The file of acknowledgements is damaged.
    """
    runs = _runs(results, found)
    places = {run.run_id: place for place, run in enumerate(runs)}
    beside = History()
    for run in runs:
        if run.run_id not in found.runs:
            trend.take(beside, run, partial(past.medians, results, metric=metric, target=target))
    values: dict[Key, dict[int, float]] = {}
    sentinel: dict[int, float] = {}
    for part in (beside, found):
        sentinel |= {places[part.runs[at]]: value for at, value in part.sentinel.items()}
        for key, many in part.series.items():
            values.setdefault(key, {}).update({places[part.runs[at]]: value for at, value in many.items()})
    of: dict[Key, dict[int, ChangePoint]] = {}
    for step in steps:
        of.setdefault(trend.key_of(step), {})[places[step.at_run]] = step
    points = tuple(_points(runs, set(found.runs)))
    events = [*_between(runs), *_gaps(points), *_acknowledged(past.folder_of(results), places)]
    events.sort(key=lambda one: one.place)
    host = str(runs[-1].meta.get("host", ""))
    return Course(host, points, values, of, tuple(events), sentinel, _factors(runs, points), tuple(found.notes))


def _runs(results: Past, found: History) -> list[store.Run]:
    """Return the runs of the history and those of the same host and suite in other epochs, the oldest first, each once."""
    every = {run.run_id: run for run in trend.complete(results, [])}
    newest = every[found.runs[-1]]
    kept = [run for run in every.values() if run.run_id in found.runs or epochs.apart(run, newest) in _BESIDE]
    return sorted(kept, key=lambda run: (str(run.meta.get("started_at", "")), run.run_id))


def _points(runs: Sequence[store.Run], judged: AbstractSet[str]) -> Iterator[Point]:
    epoch = 0
    for place, run in enumerate(runs):
        epoch += bool(place and differences(runs[place - 1], run))
        yield Point(run.run_id, str(run.meta.get("started_at", "")), epoch, run.run_id in judged)


def _factors(runs: Sequence[store.Run], points: Sequence[Point]) -> dict[tuple[int, int], tuple[str, ...]]:
    """Return in what each two epochs differ, from the first run of each."""
    first = {point.epoch: run for point, run in reversed(list(zip(points, runs, strict=True)))}
    pairs = [(one, other) for one in first for other in first if one < other]
    return {(one, other): tuple(each.name for each in differences(first[one], first[other])) for one, other in pairs}


def _between(runs: Sequence[store.Run]) -> Iterator[Event]:
    for place in range(1, len(runs)):
        before, after = runs[place - 1], runs[place]
        if apart := differences(before, after):
            yield Event(Happened.EPOCH, place, "; ".join(map(_text, apart)))
        versions = list(engine_differences(before, after))
        tare = [str(run.meta.get("tare_version", "")) for run in (before, after)]
        if all(tare) and tare[0] != tare[1]:
            versions.append(Difference("Tare", *tare))
        if versions:
            yield Event(Happened.VERSION, place, "; ".join(map(_text, versions)))


def _text(one: Difference) -> str:
    if one.name == FINGERPRINT:
        return "another fingerprint of the host"
    if one.name == PAYLOAD:
        return "another build of the workload"
    return f"{one.name}: {one.base} → {one.new}"


def _gaps(points: Sequence[Point]) -> Iterator[Event]:
    """Yield the times without runs that are much longer than usual."""
    dates = [_date(one.at) for one in points]
    lengths = [after - before for before, after in pairwise(dates) if before and after]
    if len(lengths) < 2:
        return
    usual = timedelta(seconds=median(one.total_seconds() for one in lengths))
    for place in range(1, len(points)):
        before, after = dates[place - 1], dates[place]
        if before and after and after - before > max(_GAP * usual, timedelta(hours=1)):
            yield Event(Happened.GAP, place, f"{_length(after - before)} without a run")


def _date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=None)


def _length(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours"


def _acknowledged(results: Path, places: Mapping[str, int]) -> Iterator[Event]:
    for one in acknowledged.load(results):
        if one.run in places:
            yield Event(Happened.ACKNOWLEDGED, places[one.run], f"until {one.until}: {one.reason}", one.key)
