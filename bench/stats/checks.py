"""Run-level checks: can the numbers of a run be believed at all?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.core.metrics import METRICS
from bench.core.model import FAILED_STATUSES, NULL, SENTINEL, Interval, Status
from bench.stats import findings
from bench.stats.exact import Floats, hodges_lehmann, needed_for, signed_rank_ci, theil_sen
from bench.stats.findings import Answer, Check, CheckName, PositionEffect, answered
from bench.stats.series import KEYS, Key, Series, attempted, block_values, counted, log_ratios, series_of, usable
from bench.stats.shift import signed_rank_p

ERROR = 0.05
"""Accepted share of quiet runs in which an A/A control is called apart."""

DRIFT_LIMIT = 0.05
"""Drift of the sentinel over a run from which on the host counts as changing."""

FLAGGED_LIMIT = 0.1
"""Share of flagged invocations from which on the host counts as unquiet."""

POSITION_P = 0.01
"""p value below which the place within a block counts as an influence, divided by the number of metrics that a run asks about."""

_DRIFT_NEEDED = 5
"""Blocks that the interval of a slope needs at 95 % (:func:`bench.stats.exact.theil_sen`)."""

_MOST_KINDS = 3
"""Kinds of flag that are listed."""

_DRIFT_POINTS = 500
"""A longer sentinel series is thinned to medians of neighbours: slopes are counted in pairs."""


def checks(
    measurements: pd.DataFrame, outcomes: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]
) -> list[Check]:
    """Return the checks of every scenario that was tried, scenarios in the order of ``scenarios``."""
    tried = attempted(outcomes)
    return [] if tried.empty else of_blocks(block_values(usable(measurements, outcomes)), tried, scenarios)


def of_blocks(blocks: pd.DataFrame, tried: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]) -> list[Check]:
    """Return the same from the frames of :func:`bench.stats.series.block_values` and :func:`bench.stats.series.attempted`."""
    if tried.empty:
        return []
    series = series_of(blocks)
    present = dict.fromkeys(tried["scenario"].unique())
    names = [name for name in scenarios if name in present] + [name for name in present if name not in scenarios]
    controls = {name: list(_controls(name, scenarios.get(name, {}), series)) for name in names}
    family, tests = sum(map(len, controls.values())), position_tests(scenarios)
    found: list[Check] = []
    for name in names:
        meta, mine = scenarios.get(name, {}), tried[tried["scenario"] == name]
        found += _null(name, meta, controls[name], family, mine)
        found += _sentinel(name, blocks, mine)
        found += _position(name, meta, blocks, tests)
        found += [_flags(name, mine), _failures(name, mine), *_disturbed(name, mine)]
    return found


def _null(
    name: str, meta: Mapping[str, Any], controls: Sequence[_Control], family: int, tried: pd.DataFrame
) -> Iterator[Check]:
    """Compare the baseline with itself.

    Intervals are corrected over the scenario's series (Bonferroni). A control is apart only if it also differs after the
    correction over the ``family`` of all controls of the run, so that at most 5 % of quiet runs have one that is.
    """
    if NULL not in tried["target"].unique():
        return
    level = 1 - ERROR / max(len(controls), 1)
    pairs = tuple(pair for one in controls if (pair := _null_pair(one, level, ERROR / max(family, 1))))
    found = findings.NullFound(
        baseline=str(meta.get("baseline", "")),
        level=level,
        series=len(controls),
        family=family,
        blocks=min((len(one.logs) for one in controls), default=0),
        needed=needed_for(level),
        pairs=pairs,
    )
    yield Check(CheckName.NULL, name, _null_answer(pairs), found)


def _null_answer(pairs: Sequence[findings.NullPair]) -> Answer:
    if any(pair.apart for pair in pairs):
        return Answer.DOUBT
    return Answer.UNDECIDED if not pairs or any(pair.differs for pair in pairs) else Answer.FINE


def _null_pair(one: _Control, level: float, error: float) -> findings.NullPair | None:
    """Return one series of the control, ``None`` with too few blocks."""
    ci = signed_rank_ci(one.logs, level)
    if ci is None:
        return None
    scaled, known = Interval(math.exp(ci.low), math.exp(ci.high), level), METRICS.get(one.metric)
    more = math.expm1(hodges_lehmann(one.logs))
    counts = known is None or (abs(more) >= known.min_effect and abs(more) * one.base >= known.floor)
    differs = counts and (ci.low > 0 or ci.high < 0)
    apart = differs and signed_rank_p(one.logs) <= error
    return findings.NullPair(one.metric, one.params, 1 + more, scaled, differs, apart)


@dataclass(frozen=True)
class _Control:
    """One primary series that the baseline and its repetition have: log(control / baseline), and the baseline's median."""

    metric: str
    params: str
    logs: Floats
    base: float


def _controls(name: str, meta: Mapping[str, Any], series: Mapping[Key, Series]) -> Iterator[_Control]:
    """Yield the control of each primary series of a scenario."""
    primary = meta.get("primary", ())
    for (scenario, target, params, metric), item in series.items():
        if scenario != name or target != NULL or metric not in primary:
            continue
        base = series.get((name, str(meta.get("baseline")), params, metric))
        logs = log_ratios(item, base) if base else None
        if base is not None and logs is not None and len(logs):
            yield _Control(metric, params, logs, float(np.median(base.values)))


def _sentinel(name: str, blocks: pd.DataFrame, tried: pd.DataFrame) -> Iterator[Check]:
    """Estimate how the time of the fixed host workload drifts over the run."""
    if SENTINEL not in tried["target"].unique():
        return
    mine = blocks[(blocks["scenario"] == name) & (blocks["target"] == SENTINEL)]
    values = mine[mine["value"] > 0].groupby("block")["value"].median()
    at, logs = values.index.to_numpy(dtype=np.float64), np.log(values.to_numpy(dtype=np.float64))
    if len(logs) > _DRIFT_POINTS:
        at, logs = (np.array([np.median(p) for p in np.array_split(a, _DRIFT_POINTS)]) for a in (at, logs))
    slope, ci = theil_sen(at, logs) if len(logs) > 1 else (0.0, None)
    if ci is None:
        yield Check(CheckName.SENTINEL, name, Answer.UNDECIDED, findings.SentinelFound(len(logs), _DRIFT_NEEDED))
        return
    drift, low, high = (math.expm1(value * (at[-1] - at[0])) for value in (slope, ci.low, ci.high))
    doubtful = abs(drift) > DRIFT_LIMIT and (low > 0 or high < 0)
    found = findings.SentinelFound(len(values), _DRIFT_NEEDED, drift, Interval(low, high, ci.level))
    yield Check(CheckName.SENTINEL, name, answered(doubt=doubtful), found)


def position_effect(blocks: pd.DataFrame, scenario: str, metric: str, tests: int = 1) -> PositionEffect | None:
    """Return how the place within a block shifts log(value / the variant's own median).

    ``None`` when it cannot be said. A regression on the place, centred within each block; p from the permutation
    distribution of the places within blocks, whose variance is known in closed form (Hoeffding, 1951). ``tests`` is
    how many metrics are asked about (Bonferroni).
    """
    mine = blocks[(blocks["scenario"] == scenario) & (blocks["metric"] == metric) & (blocks["target"] != SENTINEL)]
    lowest = mine.groupby(KEYS, observed=True)["value"].transform("min")
    repeated = (
        mine.groupby(KEYS, observed=True)["value"].transform("size") > 2
    )  # a lone value is its own median and says nothing
    mine = mine[(lowest > 0) & repeated]
    if mine.empty:
        return None
    logs = np.log(mine["value"]) - np.log(mine.groupby(KEYS, observed=True)["value"].transform("median"))
    # Series of one invocation (components of a sum) share its place: they are one observation.
    places = mine.assign(log=logs).groupby(["block", "order"], as_index=False)["log"].mean()
    grouped = places.groupby("block")
    x = (places["order"] - grouped["order"].transform("mean")).to_numpy(dtype=np.float64)
    y = (places["log"] - grouped["log"].transform("mean")).to_numpy(dtype=np.float64)
    squares = places.assign(x=x * x, y=y * y, n=1.0).groupby("block")[["x", "y", "n"]].sum()
    squares = squares[squares["n"] > 1]
    variance = float((squares["x"] * squares["y"] / (squares["n"] - 1)).sum())
    if variance <= 0:
        return None
    total, span = float(x @ y), float(places["order"].max() - places["order"].min())
    p = math.erfc(abs(total) / math.sqrt(2 * variance))
    shift = math.expm1(total / float(x @ x) * span)
    known = METRICS.get(metric)
    worth = (known.min_effect if known else 0.05) / 2
    return PositionEffect(metric, shift, p, p < POSITION_P / max(tests, 1) and abs(shift) > worth)


def position_tests(scenarios: Mapping[str, Mapping[str, Any]]) -> int:
    """Return how many effects of the position a run is asked about: one for each primary metric of each scenario."""
    return sum(len(meta.get("primary", ())) for meta in scenarios.values())


def _position(name: str, meta: Mapping[str, Any], blocks: pd.DataFrame, tests: int) -> Iterator[Check]:
    primary = tuple(meta.get("primary", ()))
    effects = tuple(effect for m in primary if (effect := position_effect(blocks, name, m, tests)))
    if effects:
        answer = answered(doubt=any(effect.doubtful for effect in effects))
        yield Check(CheckName.POSITION, name, answer, findings.PositionFound(effects))


def _flags(name: str, tried: pd.DataFrame) -> Check:
    rows = [(flags, count) for flags, count in counted(tried["flags"]) if isinstance(flags, (list, tuple)) and flags]
    flagged, attempts = sum(count for _, count in rows), len(tried)
    kinds: Counter[str] = Counter()
    for flags, count in rows:
        for kind in {str(flag).split(":")[0] for flag in flags}:
            kinds[kind] += count
    # Removed groups that the kernel still holds take memory, not time: no reason to doubt a duration.
    disturbed = sum(count for flags, count in rows if any(not str(flag).startswith("held") for flag in flags))
    commonest = sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))  # ties by name, not by hash
    found = findings.FlagsFound(flagged, attempts, tuple(commonest[:_MOST_KINDS]))
    return Check(CheckName.FLAGS, name, answered(doubt=disturbed / attempts > FLAGGED_LIMIT), found)


def _failures(name: str, tried: pd.DataFrame) -> Check:
    failed = tried[tried["status"].isin(FAILED_STATUSES)]
    targets = tuple((str(target), int(count)) for target, count in failed["target"].value_counts(sort=False).items())
    reason = next((str(text) for text in failed["reason"] if text), "")
    found = findings.FailuresFound(len(failed), len(tried), targets, reason)
    return Check(CheckName.FAILURES, name, answered(doubt=not failed.empty), found)


def _disturbed(name: str, tried: pd.DataFrame) -> Iterator[Check]:
    """Count the attempts that other programs disturbed; without one the question does not arise."""
    rows = counted(tried["disturbed"]) if "disturbed" in tried else ()
    attempts = [one for row, count in rows if isinstance(row, (list, tuple)) for one in row * count]
    if not attempts:
        return
    worst = max(attempts, key=lambda one: one["moved_bytes"] / max(1.0, one["own_bytes"]))
    lost = tried[tried["status"] == Status.DISTURBED]["target"].value_counts(sort=False)
    targets = tuple((str(target), int(count)) for target, count in lost.items())
    source, moved, own = str(worst["source"]), float(worst["moved_bytes"]), float(worst["own_bytes"])
    found = findings.DisturbedFound(len(attempts), len(tried), targets, source, moved, own)
    yield Check(CheckName.DISTURBED, name, Answer.UNDECIDED if targets else Answer.FINE, found)
