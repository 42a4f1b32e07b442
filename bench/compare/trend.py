"""Find lasting changes in the history of one host, with the run on either side and the size of the step.

Only complete runs that are alike form a history (:mod:`bench.compare.epochs`): a changed host is a new epoch, not a regression,
and two hosts of one model are not alike (Duplyakin et al., CCGrid 2020). The host's own changes, which the sentinel shows, are
removed to the extent that a series has followed them; never by plain division, which distorts a series that follows them only
in part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from bench import store
from bench.compare import epochs, instrument, nights, parameters, past
from bench.compare.judge import distances
from bench.compare.past import Past
from bench.compare.verdicts import Difference
from bench.core.errors import UsageError, unknown
from bench.core.metrics import METRICS, Metric
from bench.core.model import NULL, SENTINEL, RunState
from bench.stats import steps
from bench.stats.exact import Floats
from bench.stats.series import Key
from bench.store.lines import without_gc

_STRONGEST = 1.2
"""Largest sensitivity with which a series follows the host (docs/method.md)."""

LEAST = 2 * steps.LEAST
"""Fewest runs in which a series can have a step."""

_NEEDED = 8
"""Fewest nights from which the sensitivity of a series to the sentinel can be estimated."""

_PAIRED = 200
"""Nights used for that estimate, which looks at all pairs."""


@dataclass(frozen=True)
class ChangePoint:
    """A lasting step of one series.

    Attributes:
        before_run: The last run before it.
        at_run: The first run after it; ``at`` is when that began.
        before: Median of the runs before it, as measured: at most 30, back to the previous step.
        after: The same after it.
        ratio: After ÷ before, without the host's own changes; ``None`` where one of them is not above 0.
        ci_low: Lower end of its 95 % interval; ``ci_high`` is the upper end. ``None`` for too few runs, and for a
            series with values not above 0, whose steps are differences.
        worse: Whether the metric got worse.
    """

    scenario: str
    target: str
    params: Mapping[str, Any]
    metric: str
    before_run: str
    at_run: str
    at: str
    before: float
    after: float
    ratio: float | None
    ci_low: float | None
    ci_high: float | None
    worse: bool


@dataclass
class History:
    """The runs of one host and one fingerprint.

    Attributes:
        runs: Run ids, the oldest first; ``at`` is when each began.
        series: Series → run's place → its median.
        sentinel: Run's place → median of the fixed host workload.
        notes: What was left out and why, for people.
    """

    runs: list[str] = field(default_factory=list)
    at: list[str] = field(default_factory=list)
    series: dict[Key, dict[int, float]] = field(default_factory=dict)
    sentinel: dict[int, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def history(
    results: Past, *, metric: str | None = None, target: str | None = None, suite: str | None = None
) -> History:
    """Read the complete runs that are of one history with the newest one, of a folder or of the index over it.

    ``suite`` chooses the nights of a suite, ``-`` the runs that are no nights. ``None``: the nights of the newest night's suite,
    or all runs where there is no night.

    Raises:
        UsageError: There are no such runs, no such metric, or no run has a value of the metric or target asked for.
    """
    if metric is not None and metric not in METRICS:
        raise UsageError(unknown("metric", metric, METRICS))
    found = History()
    with without_gc():
        runs = sorted(complete(results, found.notes), key=lambda run: str(run.meta.get("started_at", "")))
    newest = epochs.newest_of(runs, suite)
    if newest is None:
        raise UsageError(_nothing(results, suite, found.notes))
    _gather(found, runs, newest, partial(past.medians, results, metric=metric, target=target))
    if not found.series and (metric or target):
        asked = " and ".join(f"{kind} '{name}'" for kind, name in (("metric", metric), ("target", target)) if name)
        where = f"no run in '{past.folder_of(results)}' has a value of {asked} (looked at: {len(found.runs)})"
        msg = f"{where}; 'tare show RUN' lists what one has"
        raise UsageError(msg)
    return found


def _nothing(results: Past, suite: str | None, notes: Sequence[str]) -> str:
    said = f" ({notes[0]})" if notes else ""
    what = {None: "run", epochs.BY_HAND: "run that is not a night"}.get(suite, f"night of the suite '{suite}'")
    where = f"no complete {what} in '{past.folder_of(results)}'{said}"
    return f"{where}; make one with 'tare run nightly', or name another with --results DIR"


Read = Callable[[store.Run], tuple[Mapping[Key, float], float | None]]
"""Gives the medians of a run's series, and that of the fixed host workload's times."""


def _gather(found: History, runs: Sequence[store.Run], newest: store.Run, read: Read) -> None:
    """Add the runs that are of one history with the newest one, and notes on the others."""
    others: dict[tuple[epochs.Apart, str], list[str]] = {}
    changed: dict[Difference, list[str]] = {}
    ours: dict[str, store.Run] = {}
    for run, apart in epochs.members(runs, newest):
        if apart:
            others.setdefault((apart, epochs.what(apart, run)), []).append(run.run_id)
        elif run.run_id in ours:
            found.notes.append(f"{run.path.name} is a copy of the run {run.run_id}, left out")
        else:
            ours[run.run_id] = run
            unlike = list(parameters.differing(run, newest))
            for one in unlike:
                changed.setdefault(one, []).append(run.run_id)
            take(found, run, read, {parameters.scenario_of(one) for one in unlike})
    found.notes[:0] = [epochs.left_out(apart, what, newest, names) for (apart, what), names in others.items()]
    found.notes += [_changed(one, names) for one, names in changed.items()]
    found.notes += [*epochs.clocks(list(ours.values())), *_unstamped(instrument.unrecorded(*ours.values()))]


def _changed(one: Difference, names: Sequence[str]) -> str:
    count = "1 run" if len(names) == 1 else f"{len(names)} runs"
    scenario = parameters.scenario_of(one)
    return f"{count} with another parameter {one.name} ('{one.base}', now '{one.new}'): {scenario} left out"


def _unstamped(ids: Sequence[str]) -> list[str]:
    """Write the note on runs of the history whose stamps may not be like the others'."""
    who = f"{ids[0]} does" if len(ids) == 1 else f"{len(ids)} runs do"
    return [f"unknown whether events were stamped in the same way: {who} not record how"] if ids else []


def complete(results: Past, notes: list[str]) -> Iterator[store.Run]:
    """Yield the complete runs except the fresh blocks of a night; note the damaged ones, which are left out."""
    for run in past.each(results):
        if isinstance(run, str):
            notes.append(f"left out: {run}")
        elif run.meta.get("state") != RunState.COMPLETE:
            notes.append(f"{run.run_id} did not finish (state: {run.meta.get('state')}), left out")
        elif nights.AGAIN not in run.meta.get("tags", {}):
            yield run


def take(found: History, run: store.Run, read: Read, without: AbstractSet[str] = frozenset()) -> None:
    """Add a run to a history, but not the series of the scenarios ``without``."""
    try:
        medians, sentinel = read(run)
    except UsageError as error:
        found.notes.append(f"left out: {error}")
        return
    place = len(found.runs)
    found.runs.append(run.run_id)
    found.at.append(str(run.meta.get("started_at", "")))
    found.notes += [f"{run.run_id}: {text}" for text in run.warnings]
    if sentinel is not None:
        found.sentinel[place] = sentinel
    for key, value in medians.items():
        if key[1] not in (SENTINEL, NULL) and key[0] not in without:
            found.series.setdefault(key, {})[place] = value


def key_of(one: ChangePoint) -> Key:
    """Return the series of a step."""
    return one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric


def change_points(found: History) -> list[ChangePoint]:
    """Return the lasting steps that are as large as their metric demands, the worst first."""
    made = [one for key, values in found.series.items() for one in _changes(found, key, values)]
    return sorted(made, key=lambda one: (not one.worse, -abs(math.log(one.ratio)) if one.ratio else -math.inf))


def _changes(found: History, key: Key, values: Mapping[int, float]) -> Iterator[ChangePoint]:
    known = METRICS.get(key[3])
    places = sorted(values)
    if known is None or len(places) < LEAST:
        return
    raw = np.array([values[place] for place in places])
    relative = bool(raw.min() > 0)
    edges = (
        _relative(raw, [found.sentinel.get(place) for place in places], known) if relative else _absolute(raw, known)
    )
    for low, one, high in zip([0, *(e.at for e in edges)], edges, [*(e.at for e in edges[1:]), len(raw)], strict=False):
        before, after = float(np.median(raw[low : one.at])), float(np.median(raw[one.at : high]))
        if abs(after - before) < known.floor:
            continue
        logs = relative and known.better != "one"  # the step of a distance from 1 is no ratio
        ci = one.ci if logs else None
        yield ChangePoint(
            *(key[0], key[1], json.loads(key[2]), key[3]),
            before_run=found.runs[places[one.at - 1]],
            at_run=found.runs[places[one.at]],
            at=found.at[places[one.at]],
            before=before,
            after=after,
            ratio=math.exp(one.shift) if logs else after / before if min(before, after) > 0 else None,
            ci_low=math.exp(ci.low) if ci else None,
            ci_high=math.exp(ci.high) if ci else None,
            worse=(one.shift > 0) == (known.better != "higher"),
        )


def _relative(raw: Floats, sentinel: Sequence[float | None], known: Metric) -> list[steps.Step]:
    logs = _without_host(np.log(raw), sentinel)
    return steps.steps(distances(logs, known, relative=True), math.log1p(known.min_effect))


def _absolute(raw: Floats, known: Metric) -> list[steps.Step]:
    """Find the steps of a series that is not all above 0, by differences instead of logarithms.

    The smallest step that counts is the metric's floor, or its smallest effect times the median distance from 0. The host's own
    changes, which are factors, are not removed.
    """
    raw = distances(raw, known, relative=False)
    return steps.steps(raw, max(known.floor, known.min_effect * float(np.median(np.abs(raw)))))


def _without_host(logs: Floats, sentinel: Sequence[float | None]) -> Floats:
    """Remove the host's own changes: the sentinel's logarithm times the slope with which the series has followed it.

    The slope is the median of the pairwise slopes between first differences, clipped to 0 to 1.2. First differences are used
    because a trend that both happen to have is no dependence. If any night lacks a sentinel, nothing is removed.
    """
    if len(logs) < _NEEDED or not all(value and value > 0 for value in sentinel):
        return logs
    host = np.log(np.array(sentinel, dtype=np.float64))
    x, y = np.diff(host)[-_PAIRED:], np.diff(logs)[-_PAIRED:]
    first, second = np.triu_indices(len(x), 1)
    apart = np.abs(x[second] - x[first]) > 1e-9
    if not apart.any():
        return logs
    slopes = (y[second] - y[first])[apart] / (x[second] - x[first])[apart]
    beta = float(np.clip(np.median(slopes), 0.0, _STRONGEST))
    adjusted: Floats = logs - beta * (host - np.median(host))
    return adjusted
