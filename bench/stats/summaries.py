"""Samples to summaries, ratios and warnings: pure functions of a run's measurements.

One value a block is the unit of analysis; a target is compared with the baseline of the same block, as a log ratio, so
that a host that drifts moves both. Estimators are in ``_exact``, the run-level checks in ``_checks``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench.core import units
from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL, Interval, Summary
from bench.stats.alarms import is_noisy, is_stuck
from bench.stats.checks import percent, position_effect, position_sentence
from bench.stats.exact import Floats, hodges_lehmann, median_ci, needed_for, signed_rank_ci, wilson
from bench.stats.floor import floor_of
from bench.stats.layers import with_added
from bench.stats.series import Counts, Key, Series, block_values, counts, log_ratios, series_of, silent, usable

LEVEL = 0.95
"""Confidence level of every interval in a summary."""

_FASTER_LIMIT = 0.03
"""Being this much faster than the bare host is an alarm, not a result."""

_SPEED_UNITS = ("s", "1/s", "bytes/s")


@dataclass(frozen=True)
class _Ratio:
    """A series against its baseline; ``doubt`` says why there is no ratio or what it must not be used for."""

    value: float | None = None
    ci: Interval | None = None
    n: int = 0
    doubt: str = ""


def summarise(
    measurements: pd.DataFrame, outcomes: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]
) -> list[Summary]:
    """Summarise every series of one run, and every variant of which nothing came back.

    The frames are those of :mod:`bench.store`; ``scenarios`` is the object of that name in ``run.json``. Ordered by
    scenario, target as the scenario lists them (controls last), metric (primary ones first) and params.
    """
    good = with_added(usable(measurements, outcomes), scenarios)
    blocks = block_values(good)
    series, attempts = series_of(blocks), counts(good, outcomes)
    shown = {name: tuple(meta.get("primary", ())) for name, meta in scenarios.items()}
    every = [*series.values(), *silent(good, outcomes, shown)]
    effects = _position_warnings(blocks, scenarios)
    found = []
    for item in sorted(every, key=_order(scenarios)):
        baseline = scenarios.get(item.scenario, {}).get("baseline")
        ratio = _ratio(item, baseline, series)
        ended = attempts.get(item.key) or attempts.get((item.scenario, item.target, item.params)) or Counts()
        effect = effects.get((item.scenario, item.metric), "") if item.target == baseline else ""
        warnings = tuple(text for text in (*_warnings(item, ended, ratio, baseline), effect) if text)
        found.append(_summary(item, ended, ratio, warnings))
    return found


def precision(summary: Summary) -> float | None:
    """Return half the width of the median's interval relative to the median, ``None`` without an interval."""
    if summary.ci is None or not summary.median:
        return None
    return (summary.ci.high - summary.ci.low) / 2 / abs(summary.median)


def _summary(item: Series, ended: Counts, ratio: _Ratio, warnings: tuple[str, ...]) -> Summary:
    n, values = len(item.values), item.values
    known = METRICS.get(item.metric)
    return Summary(
        scenario=item.scenario,
        target=item.target,
        engine=item.engine,
        params=json.loads(item.params),
        metric=item.metric,
        unit=item.unit or (known.unit if known else ""),
        n=n,
        median=float(np.median(values)) if n else None,
        ci=median_ci(values, LEVEL),
        minimum=float(values.min()) if n else None,
        maximum=float(values.max()) if n else None,
        failures=ended.failures,
        attempts=ended.attempts,
        failure_ci=wilson(ended.failures, ended.attempts, LEVEL),
        ratio=ratio.value,
        ratio_ci=ratio.ci,
        ratio_n=ratio.n,
        warnings=warnings,
    )


def _ratio(item: Series, baseline: str | None, series: Mapping[Key, Series]) -> _Ratio:
    """Divide by the baseline's values of the same blocks and the same params."""
    if baseline is None or item.target == SENTINEL or not len(item.values):
        return _Ratio()
    if item.target == baseline:
        return _Ratio(1.0, None, len(item.values))
    base = series.get((item.scenario, baseline, item.params, item.metric))
    if base is None:
        return _Ratio()
    logs = log_ratios(item, base)
    doubt = _refusal(item.target, baseline, logs)
    if doubt or logs is None:
        return _Ratio(doubt=doubt)
    ci = signed_rank_ci(logs, LEVEL)
    scaled = Interval(math.exp(ci.low), math.exp(ci.high), ci.level) if ci else None
    return _Ratio(math.exp(hodges_lehmann(logs)), scaled, len(logs))


def _refusal(target: str, baseline: str, logs: Floats | None) -> str:
    """Say why there must be no ratio, or nothing."""
    mine, theirs = _accelerator(target), _accelerator(baseline)
    if mine and theirs and mine != theirs:
        return f"no ratio to {baseline}: {mine} against {theirs}; choose a baseline with the same accelerator"
    if logs is None:
        return f"no ratio to {baseline}: a value is zero or negative; compare the medians instead"
    if not len(logs):
        return f"no ratio to {baseline}: no block has both; run more blocks, or compare RUN@TARGET with RUN@TARGET"
    return ""


def _accelerator(target: str) -> str:
    """Return what a virtual machine runs on (``kvm``, ``tcg``), empty for anything else."""
    options = dict(pair.split("=", 1) for pair in target.partition(":")[2].split(",") if "=" in pair)
    return options.get("accel", "")


def _warnings(item: Series, ended: Counts, ratio: _Ratio, baseline: str | None) -> Iterator[str]:
    """Yield the sentences that must be shown with the numbers; empty ones stand for nothing to say."""
    yield _failure_warning(item, ended)
    yield _blocks_warning(item, ratio, baseline)
    yield _variance_warning(item)
    yield ratio.doubt
    yield _emulation_warning(item, ratio, baseline)
    yield _faster_warning(item, ratio, baseline)


def _failure_warning(item: Series, ended: Counts) -> str:
    if not len(item.values):
        if ended.failures == ended.attempts:
            return f"no value: all {ended.attempts} invocations failed; their reasons are in outcomes.jsonl"
        return f"no value: {ended.attempts - ended.failures} of {ended.attempts} invocations ended well but gave none"
    if not ended.failures:
        return ""
    ci = wilson(ended.failures, ended.attempts, LEVEL)
    rate = f"{percent(ended.failures / ended.attempts)} [{percent(ci.low)}, {percent(ci.high)}]" if ci else ""
    late = f", {ended.timeouts} of them by a time limit" if ended.timeouts else ""
    return (
        f"{ended.failures} of {ended.attempts} invocations failed{late} ({rate}): the numbers are those of the others; "
        "the reasons are in outcomes.jsonl"
    )


def _blocks_warning(item: Series, ratio: _Ratio, baseline: str | None) -> str:
    known, needed, n = METRICS.get(item.metric), needed_for(LEVEL), len(item.values)
    if not n or (known and known.exact):
        return ""
    if n < needed:
        return f"{_plural(n)} too few for an interval at {percent(LEVEL)}: use --blocks {needed} or more"
    if ratio.value is not None and ratio.n < needed:
        return f"{_plural(ratio.n)} shared with {baseline}: too few for an interval of the ratio, {needed} are needed"
    return ""


def _plural(n: int) -> str:
    return "1 block is" if n == 1 else f"{n} blocks are"


def _variance_warning(item: Series) -> str:
    known, n = METRICS.get(item.metric), len(item.values)
    if n < 3 or (known and not is_noisy(item.metric)) or not is_stuck(item):
        return ""
    value = units.format_value(float(item.values[0]), item.unit)
    return f"all {n} values are exactly {value}: no real measurement is; look at what the probe reads"


def _emulation_warning(item: Series, ratio: _Ratio, baseline: str | None) -> str:
    if item.target in (SENTINEL, NULL) or not len(item.values):
        return ""
    compared = (item.target, baseline or "") if ratio.value is not None else (item.target,)
    emulated = next((name for name in compared if _accelerator(name) == "tcg"), "")
    if not emulated:
        return ""
    return f"{emulated} is emulated (TCG): not comparable with KVM numbers; for those run on a host where KVM works"


def _faster_warning(item: Series, ratio: _Ratio, baseline: str | None) -> str:
    """Sound the alarm when something isolated beats the bare host: the work done cannot have been the same."""
    if ratio.value is None or ratio.ci is None or baseline is None or item.unit not in _SPEED_UNITS:
        return ""
    if baseline.partition(":")[0] != "host" or item.target in (NULL, SENTINEL):
        return ""
    known = METRICS.get(item.metric)
    if known and floor_of(item.target, item.metric, baseline) != baseline:
        return ""
    sign = 1 if (known.better == "lower" if known else item.unit == "s") else -1
    low, cost, high = sorted(factor**sign for factor in (ratio.value, ratio.ci.low, ratio.ci.high))
    if cost >= 1 - _FASTER_LIMIT or high >= 1:
        return ""
    return (
        f"{percent(1 - cost)} faster than {baseline} [{percent(1 - high)}, {percent(1 - low)}] over {ratio.n} blocks: "
        "isolation cannot make work faster; check the evidence in outcomes.jsonl, the caches and what really ran"
    )


def _position_warnings(blocks: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Return (scenario, primary metric) → sentence; shown once, with the baseline that the others are divided by."""
    found = {}
    for name, meta in scenarios.items():
        primary: Sequence[str] = tuple(meta.get("primary", ()))
        for metric in primary:
            effect = position_effect(blocks, name, metric, len(primary))
            if effect and effect.doubtful:
                found[name, metric] = position_sentence(metric, effect)
    return found


def _order(scenarios: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the sort key of the display order."""
    places = {name: place for place, name in enumerate(scenarios)}
    targets = {name: {_text(t): i for i, t in enumerate(meta.get("targets", ()))} for name, meta in scenarios.items()}
    metrics = {name: {m: i for i, m in enumerate(meta.get("primary", ()))} for name, meta in scenarios.items()}

    def key(item: Series) -> tuple[Any, ...]:
        name, last = item.scenario, len(scenarios)
        target = 10**6 + (item.target == SENTINEL) if item.target in (NULL, SENTINEL) else 10**5
        return (
            places.get(name, last),
            name,
            targets.get(name, {}).get(item.target, target),
            item.target,
            metrics.get(name, {}).get(item.metric, 10**6),
            item.metric,
            _params_order(item.params),
        )

    return key


def _text(target: Any) -> str:
    """Return a target's spelling: run.json has it as text, or as an object with ``text``."""
    return str(target["text"]) if isinstance(target, Mapping) else str(target)


def _params_order(params: str) -> list[tuple[str, int, float, str]]:
    """Sort numbers as numbers and before text: 2 before 10 before cold."""
    found = []
    for name, value in json.loads(params).items():
        number = isinstance(value, (int, float))
        found.append((name, 0 if number else 1, float(value) if number else 0.0, str(value)))
    return found
