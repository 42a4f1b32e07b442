"""Run-level checks: whether the numbers of a run can be believed at all, each answered in one sentence."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.core import units
from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL, Interval, Status
from bench.stats.exact import Floats, hodges_lehmann, needed_for, signed_rank_ci, theil_sen
from bench.stats.series import KEYS, Key, Series, attempted, block_values, log_ratios, series_of, usable

DRIFT_LIMIT = 0.05
"""Drift of the sentinel over a run from which on the host counts as changing."""

FLAGGED_LIMIT = 0.1
"""Share of flagged invocations from which on the host counts as unquiet."""

POSITION_P = 0.01
"""p value below which the place within a block counts as an influence."""

_DRIFT_POINTS = 500
"""A longer sentinel series is thinned to medians of neighbours: slopes are counted in pairs."""


@dataclass(frozen=True)
class Check:
    """One answered question about a run.

    Attributes:
        name: ``null``, ``sentinel``, ``position``, ``flags`` or ``failures``; of an alarm ``guest``, ``faster``,
            ``variance``, ``mode`` or ``scaling``.
        ok: False when it raises a doubt; a check that could not be made is no doubt, its sentence says so.
        sentence: The answer, with its numbers and the next step.
        scenario: Which scenario it is about.
    """

    name: str
    ok: bool
    sentence: str
    scenario: str = ""


@dataclass(frozen=True)
class PositionEffect:
    """How much the last place of a block changes a value against the first.

    Attributes:
        shift: Relative change from the first place to the last (0.05: 5 % more).
        p: Two-sided permutation p value.
        doubtful: Whether it is both unlikely by chance and larger than half the smallest effect worth reporting.
    """

    shift: float
    p: float
    doubtful: bool


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
    present = dict.fromkeys(tried["scenario"])
    names = [name for name in scenarios if name in present] + [name for name in present if name not in scenarios]
    found: list[Check] = []
    for name in names:
        meta, mine = scenarios.get(name, {}), tried[tried["scenario"] == name]
        found += _null(name, meta, series, mine)
        found += _sentinel(name, blocks, mine)
        found += _position(name, meta, blocks)
        found += [_flags(name, mine), _failures(name, mine)]
    return found


def _null(name: str, meta: Mapping[str, Any], series: Mapping[Key, Series], tried: pd.DataFrame) -> Iterator[Check]:
    """Compare the baseline with itself; Bonferroni over the pairs keeps the family's error at 5 %."""
    if NULL not in set(tried["target"]):
        return
    pairs = list(_null_pairs(name, meta, series))
    level = 1 - 0.05 / max(len(pairs), 1)
    decided = [(label, logs, ci) for label, logs in pairs if (ci := signed_rank_ci(logs, level))]
    texts = [f"{label} {_ratio_text(logs, ci)}" for label, logs, ci in decided]
    apart = [text for text, (_, _, ci) in zip(texts, decided, strict=True) if ci.low > 0 or ci.high < 0]
    baseline, certain = meta.get("baseline", "the baseline"), f"{100 * level:.3g} %"
    fewest = min((len(logs) for _, logs in pairs), default=0)
    if apart:
        sentence = (
            f"the same target under two names differs: {NULL} / {baseline} is {'; '.join(apart)} at {certain} "
            "confidence; do not believe differences of this size, quieten the host and run again"
        )
    elif texts:
        sentence = f"{baseline} and its repetition agree: {texts[0]}, {fewest} blocks, {len(pairs)} series at {certain}"
    else:
        sentence = f"not decided: {fewest} blocks have both {NULL} and {baseline}, {needed_for(level)} are needed"
    yield Check("null", not apart, f"A/A: {sentence}.", name)


def _null_pairs(name: str, meta: Mapping[str, Any], series: Mapping[Key, Series]) -> Iterator[tuple[str, Floats]]:
    primary = meta.get("primary", ())
    for (scenario, target, params, metric), item in series.items():
        if scenario != name or target != NULL or metric not in primary:
            continue
        base = series.get((name, str(meta.get("baseline")), params, metric))
        logs = log_ratios(item, base) if base else None
        if logs is not None and len(logs):
            yield named(metric, params), logs


def _sentinel(name: str, blocks: pd.DataFrame, tried: pd.DataFrame) -> Iterator[Check]:
    if SENTINEL not in set(tried["target"]):
        return
    mine = blocks[(blocks["scenario"] == name) & (blocks["target"] == SENTINEL)]
    values = mine[mine["value"] > 0].groupby("block")["value"].median()
    at, logs = values.index.to_numpy(dtype=np.float64), np.log(values.to_numpy(dtype=np.float64))
    if len(logs) > _DRIFT_POINTS:
        at, logs = (np.array([np.median(p) for p in np.array_split(a, _DRIFT_POINTS)]) for a in (at, logs))
    slope, ci = theil_sen(at, logs) if len(logs) > 1 else (0.0, None)
    if ci is None:
        yield Check("sentinel", True, f"Sentinel: not decided, {len(logs)} blocks have it and 5 are needed.", name)
        return
    drift, low, high = (math.expm1(value * (at[-1] - at[0])) for value in (slope, ci.low, ci.high))
    doubtful = abs(drift) > DRIFT_LIMIT and (low > 0 or high < 0)
    sentence = (
        f"the fixed host workload took {percent(abs(drift))} {'more' if drift > 0 else 'less'} time at the end of the "
        f"run than at its start [{percent(low)}, {percent(high)}] over {len(values)} blocks"
    )
    advice = "; the host drifted, compare within blocks only and run again on a quieter host" if doubtful else ""
    yield Check("sentinel", not doubtful, f"Sentinel: {sentence}{advice}.", name)


def position_effect(blocks: pd.DataFrame, scenario: str, metric: str, tests: int = 1) -> PositionEffect | None:
    """Return how the place within a block shifts log(value / the variant's own median).

    ``None`` when it cannot be said. A regression on the place, centred within each block; p from the permutation
    distribution of the places within blocks, whose variance is known in closed form (Hoeffding, 1951). ``tests`` is
    how many metrics are asked about (Bonferroni).
    """
    mine = blocks[(blocks["scenario"] == scenario) & (blocks["metric"] == metric) & (blocks["target"] != SENTINEL)]
    lowest = mine.groupby(KEYS)["value"].transform("min")
    repeated = mine.groupby(KEYS)["value"].transform("size") > 2  # a lone value is its own median and says nothing
    mine = mine[(lowest > 0) & repeated]
    if mine.empty:
        return None
    logs = np.log(mine["value"]) - np.log(mine.groupby(KEYS)["value"].transform("median"))
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
    return PositionEffect(shift, p, p < POSITION_P / max(tests, 1) and abs(shift) > worth)


def position_sentence(metric: str, effect: PositionEffect) -> str:
    """Say it: which metric, how much, how surely, and what to do."""
    return (
        f"{metric} is {percent(abs(effect.shift))} {'higher' if effect.shift > 0 else 'lower'} in the last place of a "
        f"block than in the first ({_chance(effect.p)}): what ran before leaves something behind; "
        "lengthen the barriers, or trust only differences that are larger"
    )


def _position(name: str, meta: Mapping[str, Any], blocks: pd.DataFrame) -> Iterator[Check]:
    primary = tuple(meta.get("primary", ()))
    found = [(m, effect) for m in primary if (effect := position_effect(blocks, name, m, len(primary)))]
    doubts = [position_sentence(m, effect) for m, effect in found if effect.doubtful]
    if doubts:
        yield Check("position", False, f"Position: {'; '.join(doubts)}.", name)
    elif found:
        metric, effect = min(found, key=lambda pair: pair[1].p)
        sentence = (
            f"the place within a block makes no difference that counts (strongest: {metric}, {percent(effect.shift)} "
            f"from the first to the last, {_chance(effect.p)})"
        )
        yield Check("position", True, f"Position: {sentence}.", name)


def _flags(name: str, tried: pd.DataFrame) -> Check:
    flags = tried["flags"].map(lambda value: tuple(value) if isinstance(value, (list, tuple)) else ())
    flagged, attempts = int(flags.map(bool).sum()), len(tried)
    if not flagged:
        return Check("flags", True, f"Flags: none of {attempts} invocations is flagged.", name)
    kinds = Counter(str(flag).split(":")[0] for row in flags for flag in set(row))
    listed = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common(3))
    # Removed groups that the kernel still holds take memory, not time: told, but no reason to doubt a duration.
    disturbed = int(flags.map(lambda row: any(not str(flag).startswith("held") for flag in row)).sum())
    doubtful = disturbed / attempts > FLAGGED_LIMIT
    advice = "; find out what else uses the host ('tare doctor') before believing small differences" if doubtful else ""
    sentence = f"{flagged} of {attempts} invocations are flagged ({percent(flagged / attempts)}: {listed}){advice}"
    return Check("flags", not doubtful, f"Flags: {sentence}.", name)


def _failures(name: str, tried: pd.DataFrame) -> Check:
    failed = tried[tried["status"] != Status.OK]
    if failed.empty:
        return Check("failures", True, f"Failures: none of {len(tried)} invocations failed.", name)
    listed = ", ".join(f"{target} {count}" for target, count in failed["target"].value_counts(sort=False).items())
    reason = next((str(text).rstrip(".") for text in failed["reason"] if text), "")
    first = f"; the first reason: {reason}" if reason else ""
    sentence = f"{len(failed)} of {len(tried)} invocations failed ({listed}){first}; all reasons are in outcomes.jsonl"
    return Check("failures", False, f"Failures: {sentence}.", name)


def named(metric: str, params: str) -> str:
    """Write a series for people: the metric, and its params in brackets."""
    given = ", ".join(f"{name}={value}" for name, value in json.loads(params).items())
    return f"{metric} ({given})" if given else metric


def percent(share: float) -> str:
    """Write a share for people: two significant digits, ``3.2 %``."""
    return f"{units.significant(100 * share, 2)} %"


def _ratio_text(logs: Floats, ci: Interval) -> str:
    ratio, low, high = (units.significant(math.exp(log), 4) for log in (hodges_lehmann(logs), ci.low, ci.high))
    return f"{ratio} [{low}, {high}]"


def _chance(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {units.significant(p, 2)}"
