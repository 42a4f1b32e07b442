"""Sanity alarms: numbers of a run that cannot be right, or that ask for an explanation before anybody believes them.

They raise a doubt and change nothing: no value is dropped.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL
from bench.stats import agreement, checks, faster
from bench.stats.exact import Floats, needed_for, wilson
from bench.stats.findings import (
    Answer,
    Check,
    CheckName,
    Excess,
    ExcessFound,
    Mismatch,
    ModeFound,
    SeriesName,
    Stuck,
    VarianceFound,
    answered,
)
from bench.stats.samples import Samples
from bench.stats.series import Key, Series, counted, log_ratios

SCALING_LIMIT = 1.1
"""How many times as much as N times a single one N together may do."""

SAME_BLOCKS = 4
"""Blocks in which noise cannot give the same value every time."""

_COUNTS = ("streams", "workers")
"""Params that say how many do the same thing at once; 1 is a single one."""


def check_run(samples: Samples) -> list[Check]:
    """Return the checks of :mod:`bench.stats.checks` and then the alarms of every scenario that was tried."""
    tried, series, scenarios = samples.tried, samples.series, samples.scenarios
    if tried.empty:
        return []
    found = checks.checks(samples)
    names = list(dict.fromkeys(check.scenario for check in found))
    for name in names:
        mine = {key: item for key, item in series.items() if key[0] == name and key[1] not in (NULL, SENTINEL)}
        found += alarms(name, str(scenarios.get(name, {}).get("baseline", "")), mine, tried[tried["scenario"] == name])
    return [*found, *agreement.agreement(series, tried, names)]


def alarms(scenario: str, baseline: str, series: Mapping[Key, Series], tried: pd.DataFrame) -> Iterator[Check]:
    """Yield the alarms of one scenario; a question that does not arise (no guest in it …) is left out."""
    pairs = [(item, floor) for item in series.values() if (floor := faster.floor_series(item, series, baseline))]
    guests, others = ([pair for pair in pairs if faster.is_guest(pair[0]) is guest] for guest in (True, False))
    known = _Evidence(tried)
    yield from _faster(CheckName.GUEST, scenario, guests, faster.GUEST_LIMIT, known)
    yield from _faster(CheckName.FASTER, scenario, others, faster.LIMIT, known)
    yield from _variance(scenario, series)
    yield from _mode(scenario, tried)
    yield from _scaling(scenario, series)


class _Evidence:
    """What the live instances of a scenario's targets were."""

    def __init__(self, tried: pd.DataFrame) -> None:
        self._found: dict[str, dict[str, set[str]]] = {}
        for target, column in tried.groupby("target", observed=True, sort=False)["evidence"]:
            for evidence, _ in counted(column):
                for name, value in (evidence if isinstance(evidence, Mapping) else {}).items():
                    self._found.setdefault(str(target), {}).setdefault(str(name), set()).add(str(value))

    def explained(self, one: Excess) -> Excess:
        """Return the finding with the evidence that explains it: what the metric names and is not the same on both sides."""
        known = METRICS.get(one.series.metric)
        mine, other = (self._found.get(target, {}) for target in (one.series.target, one.than))
        differs = tuple(
            (name, ", ".join(sorted(other[name])), ", ".join(sorted(mine[name])))
            for name in (known.explained_by if known else ())
            if name in mine and name in other and mine[name] != other[name]
        )
        return replace(one, differs=differs)


def _faster(
    name: CheckName, scenario: str, pairs: Sequence[tuple[Series, Series]], limit: float, known: _Evidence
) -> Iterator[Check]:
    """Check whether any series is certain to be faster than it may be, each paired with its floor."""
    if not pairs:
        return
    asked = [pair for pair in pairs if faster.speeds(*pair) is not None]
    beaten = [known.explained(one) for pair in pairs if (one := faster.faster(*pair))]
    found = _excesses(limit, len(asked), beaten)
    answer = answered(doubt=bool(beaten)) if asked or beaten else Answer.UNDECIDED
    yield Check(name, scenario, answer, found)


def _excesses(limit: float, asked: int, found: Sequence[Excess]) -> ExcessFound:
    chance = math.ceil((1 - faster.LEVEL) / 2 * asked)
    ordered = tuple(sorted(found, key=lambda one: -(one.ci.low if one.ci else one.times)))
    return ExcessFound(limit, asked, chance, needed_for(faster.LEVEL), ordered)


def _variance(scenario: str, series: Mapping[Key, Series]) -> Iterator[Check]:
    """Look for a duration or rate that is the same in every block."""
    noisy = [item for item in series.values() if len(item.values) >= SAME_BLOCKS and is_noisy(item.metric)]
    if noisy:
        stuck = tuple(_stuck(item) for item in noisy if is_stuck(item))
        yield Check(CheckName.VARIANCE, scenario, answered(doubt=bool(stuck)), VarianceFound(len(noisy), stuck))


def _stuck(item: Series) -> Stuck:
    name = SeriesName(item.target, item.metric, item.params)
    return Stuck(name, float(item.values[0]), item.unit, len(item.values))


def is_stuck(item: Series) -> bool:
    """Say whether all values are the same, other than the 0 of a phase that the target does not have."""
    known = METRICS.get(item.metric)
    plausible = known is not None and known.may_be_zero and item.values[0] == 0
    return float(np.ptp(item.values)) == 0 and not plausible


def is_noisy(metric: str) -> bool:
    """Say whether a metric is a duration or a rate, which never repeats exactly; bytes and counts may."""
    known = METRICS.get(metric)
    return known is not None and not known.exact and known.unit in ("s", "s/GB", "1/s", "bytes/s") and not known.stepped


def _mode(scenario: str, tried: pd.DataFrame) -> Iterator[Check]:
    """Look for invocations in which something else ran than was asked for."""
    proved = sum(map(bool, tried["evidence"].tolist()))
    said = [bool(mismatch) and isinstance(mismatch, Mapping) for mismatch in tried["mismatch"].tolist()]
    wrong = tried[np.array(said, dtype=bool)]
    if wrong.empty and not proved:
        return
    mismatches = tuple(_mismatches(wrong, Counter(map(str, tried["target"].tolist()))))
    yield Check(CheckName.MODE, scenario, answered(doubt=bool(mismatches)), ModeFound(proved, mismatches))


def _mismatches(wrong: pd.DataFrame, attempts: Mapping[str, int]) -> Iterator[Mismatch]:
    counts: dict[tuple[str, str, str, str], int] = {}
    for target, mismatch in wrong[["target", "mismatch"]].itertuples(index=False):
        option, asked, found = (str(mismatch.get(name, "")) for name in ("option", "asked", "found"))
        key = (str(target), option, asked, found)
        counts[key] = counts.get(key, 0) + 1
    for (target, option, asked, found), count in counts.items():
        of = attempts[target]
        yield Mismatch(target, option, asked, found, count, of, wilson(count, of))


def _scaling(scenario: str, series: Mapping[Key, Series]) -> Iterator[Check]:
    """Compare the rate of N at once with N times the rate of one."""
    pairs = [(item, *one) for item in series.values() if (one := _single(item, series))]
    asked = [(item, logs) for item, one, count in pairs if (logs := _shares(item, one, count)) is not None]
    if asked:
        much = [more for item, logs in asked if (more := faster.excess(item, logs, SCALING_LIMIT))]
        found = _excesses(SCALING_LIMIT, len(asked), much)
        yield Check(CheckName.SCALING, scenario, answered(doubt=bool(much)), found)


def _single(item: Series, series: Mapping[Key, Series]) -> tuple[Series, float] | None:
    """Return the same series for one at a time, and how many ``item`` is of; ``None`` when it is no such rate."""
    params = json.loads(item.params)
    known = METRICS.get(item.metric)
    if known is None or known.better != "higher" or known.unit not in ("1/s", "bytes/s"):
        return None
    for name in _COUNTS:
        count = params.get(name)
        if isinstance(count, int | float) and count > 1:
            for single in (1, 1.0):
                alone = json.dumps({**params, name: single}, sort_keys=True)
                if one := series.get((item.scenario, item.target, alone, item.metric)):
                    return one, float(count)
    return None


def _shares(item: Series, one: Series, count: float) -> Floats | None:
    """Return log(rate of ``count`` at once / ``count`` times the rate of one), ``None`` when there are too few blocks."""
    logs = log_ratios(item, one)
    return None if logs is None or len(logs) < needed_for(faster.LEVEL) else logs - math.log(count)
