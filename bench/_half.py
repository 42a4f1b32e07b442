"""What is computed once of one side of a comparison: its series, its attempts, what makes it doubtful.

The base may be several runs of one host: then a series has the blocks of all of them, and each run's own median says how far
such runs lie apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from bench import stats, store
from bench._exact import Floats
from bench._series import SENTINEL, Key, Series, attempted, block_values, series_of, usable
from bench._sides import Side
from bench.model import Status

POOL = 7
"""Runs that make a rolling base: a week of nights, so that each weekday has its part, and their spread six degrees of freedom."""


@dataclass(frozen=True)
class Half:
    """One side of a comparison, computed.

    Attributes:
        side: The side itself; of several runs the newest.
        series: Its series; of several runs the blocks of all, one run after the other.
        tried: Its attempts.
        doubts: Scenario → why its numbers are in doubt.
        late: (scenario, target) → time-outs; of several runs their mean.
        medians: Series → the median of each run that is in it.
        runs: Ids of the runs that are in it, the newest first.
    """

    side: Side
    series: Mapping[Key, Series]
    tried: pd.DataFrame
    doubts: Mapping[str, str]
    late: Mapping[tuple[str, str], float]
    medians: Mapping[Key, Floats] = field(default_factory=dict)
    runs: Sequence[str] = ()

    def sentinel(self) -> Floats:
        """Return the logarithms of the fixed host workload's times."""
        values = [one.values for key, one in self.series.items() if key[1] == SENTINEL and key[3] == "sentinel.work_s"]
        whole = np.concatenate(values) if values else np.empty(0)
        logs: Floats = np.log(whole[whole > 0])
        return logs


def half(one: Side, *, paired: bool) -> Half:
    """Read and compute one side; ``paired`` says whether a drift within the run moves both sides alike."""
    measurements, outcomes = store.measurements(one.run), store.outcomes(one.run)
    # A drift within a run moves both halves of a pair; of two runs it moves one.
    deciding = {"null", "position"} | (set() if paired else {"sentinel"})
    checks = stats.checks(measurements, outcomes, one.run.meta["scenarios"])
    doubts = {check.scenario: check.sentence for check in checks if not check.ok and check.name in deciding}
    tried = attempted(outcomes)
    over = tried[tried["status"] == Status.TIMEOUT] if len(tried) else tried
    late = Counter(zip(map(str, over["scenario"]), map(str, over["target"]), strict=True))
    series = series_of(block_values(usable(measurements, outcomes)))
    return Half(
        one, series, tried, doubts, {place: float(count) for place, count in late.items()}, {}, [one.run.run_id]
    )


def pooled(runs: Iterable[store.Run], wanted: AbstractSet[Key], without: Mapping[str, AbstractSet[Key]]) -> Half | None:
    """Return several runs as one base: for each wanted series the newest ``POOL`` runs that may stand for it.

    ``runs`` come the newest first and are read only as far as needed. A run does not stand for a series of a scenario that is in
    doubt, nor for those that ``without`` names by its id. ``None`` when no run is left.
    """
    taken: dict[Key, list[Series]] = {}
    halves: list[Half] = []
    for run in runs:
        open_ = {key for key in wanted if len(taken.get(key, ())) < POOL}
        if not open_:
            break
        one = half(Side(run), paired=False)
        barred = without.get(run.run_id, frozenset())
        mine = [key for key in one.series if key in open_ and key[0] not in one.doubts and key not in barred]
        for key in mine:
            taken.setdefault(key, []).append(one.series[key])
        if mine:
            halves.append(one)
    if not halves:
        return None
    counted = halves[:POOL]  # rates of failure are the newest runs', whatever a series has to go back to
    places = {place for one in counted for place in one.late}
    late = {place: sum(one.late.get(place, 0.0) for one in counted) / len(counted) for place in places}
    tried = [one.tried for one in counted if len(one.tried)]
    return Half(
        halves[0].side,
        {key: _joined(items) for key, items in taken.items()},
        pd.concat(tried) if tried else halves[0].tried,
        {},
        late,
        {key: np.array([np.median(one.values) for one in items]) for key, items in taken.items()},
        [one.side.run.run_id for one in halves],
    )


def _joined(items: Sequence[Series]) -> Series:
    values = np.concatenate([one.values for one in items])
    return replace(items[0], blocks=np.arange(len(values), dtype=np.int64), values=values)
