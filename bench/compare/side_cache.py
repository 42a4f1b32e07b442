"""Cached data for one side of a comparison: its series, its attempts, and the checks that make it doubtful.

The base may be several runs of one host. A series then has the blocks of all of them, and the median of each run shows how far
such runs lie apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from bench import store
from bench.compare import parameters
from bench.compare.sides import Side
from bench.core.errors import UsageError
from bench.core.model import NULL, SENTINEL, Status
from bench.stats import checks, samples
from bench.stats.exact import Floats
from bench.stats.findings import Check, CheckName
from bench.stats.series import Key, Series

POOL = 7
"""Runs that make a rolling base: a week of nights, so that each weekday counts once and their spread has 6 degrees of freedom."""


@dataclass(frozen=True)
class SideData:
    """The data of one side of a comparison.

    Attributes:
        side: The side itself; of several runs the newest.
        series: Its series; of several runs the blocks of all, one run after the other.
        tried: Its attempts.
        doubts: Scenario → the checks that raise a doubt about its numbers.
        timeouts: (scenario, target) → time-outs; of several runs their mean.
        sentinels: Run id → logarithms of the fixed host workload's times.
        medians: Series → the median of each run that is in it.
        parts: Series → ids of those runs, where the side is several.
    """

    side: Side
    series: Mapping[Key, Series]
    tried: pd.DataFrame
    doubts: Mapping[str, tuple[Check, ...]]
    timeouts: Mapping[tuple[str, str], float]
    sentinels: Mapping[str, Floats]
    medians: Mapping[Key, Floats] = field(default_factory=dict)
    parts: Mapping[Key, tuple[str, ...]] = field(default_factory=dict)

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids of all its runs, the newest first."""
        return tuple(self.sentinels)

    def sentinel(self, runs: Sequence[str]) -> Floats:
        """Return the logarithms of the fixed host workload's times in some of its runs."""
        return np.concatenate([self.sentinels[run] for run in runs]) if runs else np.empty(0)


def side_data(one: Side, *, paired: bool) -> SideData:
    """Read and compute one side; ``paired`` says whether a drift within the run moves both sides alike.

    Cached until a file of the run changes: a night and its fresh blocks are compared with the same earlier runs.
    """
    state = tuple(_changed(one.run.path / name) for name in ("run.json", store.MEASUREMENTS, store.OUTCOMES))
    return replace(_computed(one.run.path, state, paired), side=one)


def _changed(file: Path) -> int:
    """Return when a file changed last, 0 for one that is not there."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=4 * POOL)
def _computed(path: Path, _: tuple[int, ...], paired: bool) -> SideData:
    run = store.load(path)
    outcomes = store.outcomes(run)
    own = samples.of_frames(store.measurements(run, outcomes, coded=True), outcomes, run.meta["scenarios"])
    tried, series = own.tried, own.series
    # A drift within a run moves both sides of a pair; of two runs it moves one.
    deciding = {CheckName.NULL, CheckName.POSITION} | (set() if paired else {CheckName.SENTINEL})
    answered = checks.checks(own)
    doubts: dict[str, tuple[Check, ...]] = {}
    for check in answered:
        if not check.ok and check.name in deciding:
            doubts[check.scenario] = (*doubts.get(check.scenario, ()), check)
    over = tried[tried["status"] == Status.TIMEOUT] if len(tried) else tried
    counts = Counter(zip(map(str, over["scenario"]), map(str, over["target"]), strict=True))
    timeouts = {place: float(count) for place, count in counts.items()}
    return SideData(Side(run), series, tried, doubts, timeouts, {run.run_id: _sentinel(series)})


def _sentinel(series: Mapping[Key, Series]) -> Floats:
    values = [one.values for key, one in series.items() if key[1] == SENTINEL and key[3] == "sentinel.work_s"]
    whole = np.concatenate(values) if values else np.empty(0)
    logs: Floats = np.log(whole[whole > 0])
    return logs


def pooled(
    runs: Iterable[store.Run], new: store.Run, wanted: AbstractSet[Key], without: Mapping[str, AbstractSet[Key]]
) -> SideData | None:
    """Return several runs as one base of ``new``: for each wanted series the newest ``POOL`` runs that may stand for it.

    ``runs`` come the newest first and are read only as far as needed. A run is left out for the series of a scenario in doubt or
    with other parameters in force, for those that ``without`` lists under its id, and altogether if its lines are damaged.
    ``None`` when no run is left.

    Raises:
        UsageError: No run is left, and one is damaged.
    """
    taken: dict[Key, list[tuple[str, Series]]] = {}
    sides: list[SideData] = []
    damaged: UsageError | None = None
    for run in runs:
        open_ = {key for key in wanted if len(taken.get(key, ())) < POOL and key[1] not in (SENTINEL, NULL)}
        if not open_:
            break
        try:
            one = side_data(Side(run), paired=False)
        except UsageError as error:  # its lines are damaged: the older runs stand for it
            damaged = damaged or error
            continue
        barred = without.get(run.run_id, frozenset())
        unlike = {*one.doubts, *map(parameters.scenario_of, parameters.differing(run, new))}
        mine = [key for key in one.series if key in open_ and key[0] not in unlike and key not in barred]
        for key in mine:
            taken.setdefault(key, []).append((run.run_id, one.series[key]))
        if mine:
            sides.append(one)
    if damaged and not sides:
        raise damaged
    return _whole(sides, taken) if sides else None


def _whole(sides: Sequence[SideData], taken: Mapping[Key, Sequence[tuple[str, Series]]]) -> SideData:
    counted = sides[:POOL]  # failure rates are those of the newest runs, however far back a series has to go
    places = {place for one in counted for place in one.timeouts}
    tried = [one.tried for one in counted if len(one.tried)]
    return SideData(
        sides[0].side,
        {key: _joined([one for _, one in items]) for key, items in taken.items()},
        pd.concat(tried) if tried else sides[0].tried,
        {},
        {place: sum(one.timeouts.get(place, 0.0) for one in counted) / len(counted) for place in places},
        {run: logs for one in sides for run, logs in one.sentinels.items()},
        {key: np.array([np.median(one.values) for _, one in items]) for key, items in taken.items()},
        {key: tuple(run for run, _ in items) for key, items in taken.items()},
    )


def _joined(items: Sequence[Series]) -> Series:
    values = np.concatenate([one.values for one in items])
    return replace(items[0], blocks=np.arange(len(values), dtype=np.int64), values=values)
