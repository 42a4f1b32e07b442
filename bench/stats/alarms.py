"""Sanity alarms: numbers of a run that cannot be right, or that ask for an explanation before anybody believes them (pure).

They raise a doubt and change nothing: no value is dropped. A series has a floor, the bare host, where the host does the same
work without the isolation (``_floor``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.core import units
from bench.core.metrics import METRICS, metric_named
from bench.core.model import NULL, SENTINEL, Status
from bench.stats import checks
from bench.stats.checks import Check, named, percent
from bench.stats.exact import Floats, hodges_lehmann, needed_for, signed_rank_ci, wilson
from bench.stats.floor import floor_of
from bench.stats.series import Key, Series, attempted, block_values, log_ratios, series_of, usable

LEVEL = 0.95
"""Confidence level of every interval here."""

FASTER_LIMIT = 1.03
"""As fast as this, in multiples of the host, a container is faster than it can be; a guest is from 1 on."""

SCALING_LIMIT = 1.1
"""From this multiple of N times one of them on, N together do more than they can."""

SAME_BLOCKS = 4
"""Blocks of which noise cannot give the same value in all."""

_GUESTS = ("libvirt",)

_COUNTS = ("streams", "workers")
"""Params that say how many do the same thing at once, 1 being one of them."""

_WHY_GUEST = (
    "may mean that a cache of the host answered for a disk, that the guest's kernel does less (mitigations, a shorter path), or "
    "that its clock was used; look at the evidence in outcomes.jsonl, and repeat it with the caches off"
)
_WHY_FASTER = (
    "isolation cannot make work faster: may mean another path, another cache or less work than on the host; look at what really "
    "ran (evidence in outcomes.jsonl) before believing any ratio of this target"
)
_WHY_SAME = (
    "no real measurement is that steady: look at what the probe reads, and whether it reads it again in each block"
)
_WHY_MODE = (
    "nothing of these invocations is counted; look up the option in the engine's version, or leave the target out"
)
_WHY_SCALING = (
    "may mean that the single one did not run at full speed (a sleeping CPU, a late begin), or that several were counted over "
    "another time; repeat the single one for longer and look at the raw output"
)


@dataclass(frozen=True)
class _Excess:
    """One series that is more than it should be: how many times (best estimate), from where to where, over n blocks."""

    label: str
    times: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        numbers = [units.significant(value) for value in (self.times, self.low, self.high)]
        return f"{self.label} {numbers[0]} × [{numbers[1]}, {numbers[2]}]"


def check_run(
    measurements: pd.DataFrame, outcomes: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]
) -> list[Check]:
    """Return the checks of :mod:`bench.stats.checks` and, after them, the alarms of every scenario that was tried."""
    found = checks.checks(measurements, outcomes, scenarios)
    tried = attempted(outcomes)
    if tried.empty:
        return found
    series = series_of(block_values(usable(measurements, outcomes)))
    for name in dict.fromkeys(check.scenario for check in found):
        mine = {key: item for key, item in series.items() if key[0] == name and key[1] not in (NULL, SENTINEL)}
        found += alarms(name, str(scenarios.get(name, {}).get("baseline", "")), mine, tried[tried["scenario"] == name])
    return found


def alarms(scenario: str, baseline: str, series: Mapping[Key, Series], tried: pd.DataFrame) -> Iterator[Check]:
    """Yield the alarms of one scenario; what could not be asked of it (no guest in it …) is left out."""
    guests = {key: item for key, item in series.items() if item.engine in _GUESTS}
    others = {key: item for key, item in series.items() if item.engine not in _GUESTS}
    yield from _faster("guest", scenario, _over_floor(guests, series, baseline), 1.0, _WHY_GUEST)
    yield from _faster("faster", scenario, _over_floor(others, series, baseline), FASTER_LIMIT, _WHY_FASTER)
    yield from _same(scenario, series)
    yield from _mode(scenario, tried)
    yield from _scaling(scenario, series)


def _over_floor(
    items: Mapping[Key, Series], series: Mapping[Key, Series], baseline: str
) -> list[tuple[Series, Series]]:
    """Return the series that have a floor, each with it."""
    found = []
    for (scenario, target, params, metric), item in items.items():
        floor = series.get((scenario, floor_of(target, metric, baseline), params, metric))
        if floor is not None:
            found.append((item, floor))
    return found


def _faster(name: str, scenario: str, pairs: list[tuple[Series, Series]], limit: float, why: str) -> Iterator[Check]:
    """Ask whether any series is certain to be faster than ``limit`` times its floor."""
    asked = [(item, floor, logs) for item, floor in pairs if (logs := _speeds(item, floor)) is not None]
    who, title = ("guest", "Guest") if name == "guest" else ("container", "Container")
    of = f"{title} against host"
    if not asked:
        if pairs:
            yield Check(name, True, f"{of}: not decided, {needed_for(LEVEL)} common blocks are needed.", scenario)
        return
    sure = [_excess(item, logs, limit) for item, floor, logs in asked if _counts(item, floor)]
    fast = [excess for excess in sure if excess]
    than = "the host" if limit == 1 else f"{units.significant(limit)} × the host"
    if fast:
        sentence = f"{_of(len(fast), len(asked))} faster than {than}: {_listed(fast)}; {why}"
    else:
        sentence = f"no {who} is certain to be faster than {than} in any of {len(asked)} series"
    yield Check(name, not fast, f"{of}: {sentence}.", scenario)


def _speeds(item: Series, floor: Series) -> Floats | None:
    """Return log(how many times as fast as its floor) of each common block, ``None`` when there are too few."""
    logs = log_ratios(item, floor)
    if logs is None or len(logs) < needed_for(LEVEL):
        return None
    return logs if metric_named(item.metric).better == "higher" else -logs


def _excess(item: Series, logs: Floats, limit: float) -> _Excess | None:
    """Return by how much a series is above the limit, ``None`` when that is not certain."""
    above = logs - math.log(limit)
    ranks = np.argsort(np.argsort(np.abs(above))) + 1
    if 4 * int(ranks[above > 0].sum()) <= len(above) * (len(above) + 1):
        return None  # the estimate itself is not above it (Wilcoxon's W+): no need for all pairs of a long run
    ci = signed_rank_ci(logs, LEVEL)
    if ci is None or ci.low <= math.log(limit):
        return None
    low, times, high = (math.exp(log) for log in (ci.low, hodges_lehmann(logs), ci.high))
    return _Excess(_label(item), times, low, high, len(logs))


def _counts(item: Series, floor: Series) -> bool:
    """Say whether the difference is larger than what the metric never calls a change."""
    return abs(float(np.median(item.values) - np.median(floor.values))) >= metric_named(item.metric).floor


def _same(scenario: str, series: Mapping[Key, Series]) -> Iterator[Check]:
    """Look for a duration or rate that is the same in every block."""
    noisy = [item for item in series.values() if len(item.values) >= SAME_BLOCKS and is_noisy(item.metric)]
    still = [item for item in noisy if is_stuck(item)]
    texts = [
        f"{_label(item)} is exactly "
        f"{units.format_value(float(item.values[0]), item.unit)} in all {len(item.values)} blocks"
        for item in still
    ]
    if still:
        yield Check("variance", False, f"Variance: {_some(texts)}; {_WHY_SAME}.", scenario)
    elif noisy:
        yield Check("variance", True, f"Variance: each of {len(noisy)} noisy series varies.", scenario)


def is_stuck(item: Series) -> bool:
    """Say whether all values are the same one, which is not the 0 of a phase that there was not."""
    known = METRICS.get(item.metric)
    plausible = known is not None and known.may_be_zero and item.values[0] == 0
    return float(np.ptp(item.values)) == 0 and not plausible


def is_noisy(metric: str) -> bool:
    """Say whether a metric cannot be the same number again: a duration or a rate, while bytes and counts may well be."""
    known = METRICS.get(metric)
    return known is not None and not known.exact and known.unit in ("s", "1/s", "bytes/s") and not known.stepped


def _mode(scenario: str, tried: pd.DataFrame) -> Iterator[Check]:
    """Look for invocations in which something else ran than was asked for (``_life.check_evidence``)."""
    reasons = tried["reason"].fillna("").astype(str)
    wrong = tried[
        (tried["status"] == Status.FAILED)
        & reasons.str.startswith("asked for ")
        & reasons.str.contains("but the live instance has", regex=False)
    ]
    proved = int(tried["evidence"].map(bool).sum())
    if wrong.empty:
        if proved:
            sentence = f"what was asked for is what ran in each of {proved} invocations that were read back"
            yield Check("mode", True, f"Mode: {sentence}.", scenario)
        return
    attempts = tried["target"].value_counts()
    fates = wrong.groupby(["target", "reason"], sort=False, as_index=False).size()
    texts = [
        f"{target}, {_rate(count, int(attempts[target]))}: {str(reason).rstrip('.')}"
        for target, reason, count in fates.itertuples(index=False)
    ]
    yield Check("mode", False, f"Mode: {_some(texts)}; {_WHY_MODE}.", scenario)


def _rate(count: int, attempts: int) -> str:
    ci = wilson(count, attempts)
    interval = f" [{percent(ci.low)}, {percent(ci.high)}]" if ci else ""
    return f"{count} of {attempts} invocations ({percent(count / attempts)}{interval})"


def _scaling(scenario: str, series: Mapping[Key, Series]) -> Iterator[Check]:
    """Compare the rate of N at once with N times the rate of one."""
    pairs = [(item, *one) for item in series.values() if (one := _single(item, series))]
    asked = [(item, logs) for item, one, count in pairs if (logs := _shares(item, one, count)) is not None]
    if not asked:
        return
    limit = units.significant(SCALING_LIMIT, 2)
    much = [excess for item, logs in asked if (excess := _excess(item, logs, SCALING_LIMIT))]
    if much:
        sentence = f"{_of(len(much), len(asked))} more than {limit} × N times one: {_listed(much)}; {_WHY_SCALING}"
    else:
        sentence = f"none of {len(asked)} series is certain to do more than {limit} × N times one"
    yield Check("scaling", not much, f"Scaling: {sentence}.", scenario)


def _single(item: Series, series: Mapping[Key, Series]) -> tuple[Series, float] | None:
    """Return the same series for one at a time, and how many there are in ``item``; ``None`` when it is no such rate."""
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
    return None if logs is None or len(logs) < needed_for(LEVEL) else logs - math.log(count)


def _label(item: Series) -> str:
    return f"{item.target}, {named(item.metric, item.params)}"


def _of(count: int, asked: int) -> str:
    """Say how many of how many, and how many chance alone would give of targets that are equal."""
    chance = math.ceil((1 - LEVEL) / 2 * asked)
    return f"{count} of {asked} series (chance alone gives up to {chance}) {'is' if count == 1 else 'are'}"


def _listed(found: list[_Excess]) -> str:
    ordered = sorted(found, key=lambda excess: -excess.low)
    return _some([f"{excess} over {excess.n} blocks" for excess in ordered])


def _some(texts: list[str], most: int = 3) -> str:
    return "; ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
