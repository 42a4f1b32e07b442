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
from bench.stats.exact import Floats, needed_for, signed_rank, theil_sen
from bench.stats.findings import Answer, Check, CheckName, answered
from bench.stats.samples import Samples
from bench.stats.series import Key, Series, counted, log_ratios
from bench.stats.shift import signed_rank_p

ERROR = 0.05
"""Accepted share of quiet runs in which an A/A control is called apart."""

DRIFT_LIMIT = 0.05
"""Drift of the sentinel over a run from which on the host counts as changing."""

FLAGGED_LIMIT = 0.1
"""Share of flagged invocations from which on the host counts as unquiet."""

_DRIFT_NEEDED = 5
"""Blocks that the interval of a slope needs at 95 % (:func:`bench.stats.exact.theil_sen`)."""

_MOST_KINDS = 3
"""Kinds of flag that are listed."""

_DRIFT_POINTS = 500
"""A longer sentinel series is thinned to medians of neighbours: slopes are counted in pairs."""


def checks(samples: Samples) -> list[Check]:
    """Return the checks of every scenario that was tried, in the order of the run's scenarios."""
    tried, scenarios = samples.tried, samples.scenarios
    if tried.empty:
        return []
    present = dict.fromkeys(tried["scenario"].unique())
    names = [name for name in scenarios if name in present] + [name for name in present if name not in scenarios]
    controls = {name: list(_controls(name, scenarios.get(name, {}), samples.series)) for name in names}
    family = sum(map(len, controls.values()))
    measured = {(key[0], key[3]) for key in samples.series}
    effects = {one: effect for one, effect in samples.effects.items() if one in measured}
    found: list[Check] = []
    for name in names:
        meta, mine = scenarios.get(name, {}), tried[tried["scenario"] == name]
        found += _null(name, meta, controls[name], family, mine)
        found += _sentinel(name, samples.blocks, mine)
        found += _position(name, meta, effects)
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
    centre, ci = signed_rank(one.logs, level)
    if ci is None:
        return None
    scaled, known = Interval(math.exp(ci.low), math.exp(ci.high), level), METRICS.get(one.metric)
    more = math.expm1(centre)
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


def _position(
    name: str, meta: Mapping[str, Any], effects: Mapping[tuple[str, str], findings.PositionEffect]
) -> Iterator[Check]:
    mine = tuple(effects[name, metric] for metric in meta.get("primary", ()) if (name, metric) in effects)
    if mine:
        answer = answered(doubt=any(effect.doubtful for effect in mine))
        yield Check(CheckName.POSITION, name, answer, findings.PositionFound(mine))


def _flags(name: str, tried: pd.DataFrame) -> Check:
    rows = [(flags, count) for flags, count in counted(tried["flags"]) if isinstance(flags, (list, tuple)) and flags]
    flagged, attempts = sum(count for _, count in rows), len(tried)
    kinds: Counter[str] = Counter()
    for flags, count in rows:
        for kind in dict.fromkeys(str(flag).split(":")[0] for flag in flags):
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
