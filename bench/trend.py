"""A history of one host: where a series changed for good, with the run on either side and the size of the step.

Only complete runs of one fingerprint are one history: a changed host is a new epoch, not a regression. What the sentinel says of
the host is taken out as far as the series has followed it; never by plain division, which harms a series that follows it only in
part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import _lines, _steps, store, units
from bench._exact import Floats
from bench._series import NULL, SENTINEL, Key
from bench.errors import UsageError, unknown
from bench.model import Measurement, Outcome, RunState, Status

_STRONGEST = 1.2
"""A series follows the host with a sensitivity of 0 to this (docs/method.md)."""

_NEEDED = 8
"""Nights from which on it can be told how far a series follows the sentinel."""

_PAIRED = 200
"""Nights of which this is told: slopes are counted in pairs."""


@dataclass(frozen=True)
class ChangePoint:
    """A step of one series that lasted.

    Attributes:
        before_run: The last run before it.
        at_run: The first run after it; ``at`` is when that began.
        before: Median of the runs before it, up to 30 and to the step before, as measured.
        after: The same after it.
        ratio: After ÷ before, what the host did taken out.
        ci_low: Lower end of its 95 % interval; ``ci_high`` the upper end. ``None`` for too few runs.
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
    ratio: float
    ci_low: float | None
    ci_high: float | None
    worse: bool


@dataclass
class History:
    """The runs of one fingerprint.

    Attributes:
        runs: Run ids, the oldest first; ``at`` is when each began.
        series: Series → run's place → its median.
        sentinel: Run's place → median of the fixed host workload.
        notes: What was left out, and why.
    """

    runs: list[str] = field(default_factory=list)
    at: list[str] = field(default_factory=list)
    series: dict[Key, dict[int, float]] = field(default_factory=dict)
    sentinel: dict[int, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def history(results: Path, *, metric: str | None = None, target: str | None = None) -> History:
    """Read the complete runs that have the fingerprint of the newest one.

    Raises:
        UsageError: There are no such runs, or no such metric.
    """
    if metric is not None and metric not in units.METRICS:
        raise UsageError(unknown("metric", metric, units.METRICS))
    found = History()
    runs = sorted(_complete(results, found.notes), key=lambda run: str(run.meta.get("started_at", "")))
    if not runs:
        said = f" ({found.notes[0]})" if found.notes else ""
        msg = f"no complete run in '{results}'{said}; make one with 'tare run nightly', or name another with --results DIR"
        raise UsageError(msg)
    newest = runs[-1].meta.get("fingerprint")
    seen: set[str] = set()
    for run in runs:
        if run.meta.get("fingerprint") != newest:
            found.notes.append(f"{run.run_id} has another fingerprint: an epoch of its own, left out")
        elif run.run_id in seen:
            found.notes.append(f"{run.path.name} is a copy of the run {run.run_id}, left out")
        else:
            seen.add(run.run_id)
            _take(found, run, metric, target)
    return found


def _complete(results: Path, notes: list[str]) -> Iterator[store.Run]:
    """Yield the complete runs but fresh blocks of a night, which are no night; say of what is damaged that it is left out."""
    for path in sorted(results.glob("*/run.json")):
        try:
            run = store.load(path.parent)
        except UsageError as error:
            notes.append(f"left out: {error}")
            continue
        if run.meta.get("state") == RunState.COMPLETE and "confirms" not in run.meta.get("tags", {}):
            yield run


def _take(found: History, run: store.Run, metric: str | None, target: str | None) -> None:
    try:
        values = _values(run, metric, target)
    except UsageError as error:
        found.notes.append(f"left out: {error}")
        return
    place = len(found.runs)
    found.runs.append(run.run_id)
    found.at.append(str(run.meta.get("started_at", "")))
    found.notes += [f"{run.run_id}: {text}" for text in run.warnings]
    of_sentinel = [value for key, many in values.items() if key[1] == SENTINEL for value in many]
    if of_sentinel:
        found.sentinel[place] = float(np.median(of_sentinel))
    for key, many in values.items():
        if key[1] not in (SENTINEL, NULL):
            found.series.setdefault(key, {})[place] = float(np.median(many))


def _values(run: store.Run, metric: str | None, target: str | None) -> dict[Key, list[float]]:
    """Return the finite values of the invocations that ended well, by series; of one metric only its lines are parsed."""
    ended = _lines.lines(run.path / store.OUTCOMES, Outcome)
    well = {one["invocation"] for one in ended if one["status"] == Status.OK and not one["warmup"]}
    only = () if metric is None else (f'"metric": "{metric}"'.encode(), b'"metric": "sentinel.work_s"')
    values: dict[Key, list[float]] = {}
    for record in _lines.lines(run.path / store.MEASUREMENTS, Measurement, only):
        name = str(record["target"])
        wanted = record["invocation"] in well and (target is None or name in (target, SENTINEL))
        if wanted and math.isfinite(value := float(record["value"])):
            params = json.dumps(record["params"] or {}, sort_keys=True)
            values.setdefault((str(record["scenario"]), name, params, str(record["metric"])), []).append(value)
    return values


def change_points(found: History) -> list[ChangePoint]:
    """Return the lasting steps of every series that is as large as its metric says, the worst first."""
    made = [one for key, values in found.series.items() for one in _changes(found, key, values)]
    return sorted(made, key=lambda one: (not one.worse, -abs(math.log(one.ratio))))


def _changes(found: History, key: Key, values: Mapping[int, float]) -> Iterator[ChangePoint]:
    known = units.METRICS.get(key[3])
    places = [place for place in sorted(values) if values[place] > 0]
    if known is None or len(places) < 2 * _steps.LEAST:
        return
    raw = np.array([values[place] for place in places])
    adjusted = _without_host(np.log(raw), [found.sentinel.get(place) for place in places])
    edges = _steps.steps(adjusted, math.log1p(known.min_effect))
    for number, one in enumerate(edges):
        low = edges[number - 1].at if number else 0
        high = edges[number + 1].at if number + 1 < len(edges) else len(raw)
        before, after = float(np.median(raw[low : one.at])), float(np.median(raw[one.at : high]))
        if abs(after - before) < known.floor:
            continue
        yield ChangePoint(
            *(key[0], key[1], json.loads(key[2]), key[3]),
            before_run=found.runs[places[one.at - 1]],
            at_run=found.runs[places[one.at]],
            at=found.at[places[one.at]],
            before=before,
            after=after,
            ratio=math.exp(one.shift),
            ci_low=math.exp(one.ci.low) if one.ci else None,
            ci_high=math.exp(one.ci.high) if one.ci else None,
            worse=(one.shift > 0) == (known.better == "lower"),
        )


def _without_host(logs: Floats, sentinel: Sequence[float | None]) -> Floats:
    """Subtract what the host did: the sentinel's logarithm times the slope with which the series has followed it.

    The slope is the median of pairwise slopes between first differences, clipped to 0 and 1.2: differences, since a trend that
    both happen to have is no dependence. Nights without a sentinel are left as they are when any lacks one.
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
