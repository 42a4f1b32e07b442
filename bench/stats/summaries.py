"""Samples to summaries, ratios and warnings: pure functions of a run's measurements.

The unit of analysis is one value a block. A target is compared with the baseline of the same block, as a log ratio, so
that a drift of the host moves both. Estimators are in :mod:`bench.stats.exact`, run-level checks in :mod:`bench.stats.checks`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.core import summary_warnings as warned
from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL, Interval, Summary
from bench.core.summary_warnings import NoRatio, NoRatioReason, SummaryWarning
from bench.stats import faster
from bench.stats.alarms import is_noisy, is_stuck
from bench.stats.exact import Floats, median_ci, needed_for, signed_rank, wilson
from bench.stats.findings import PositionEffect
from bench.stats.samples import Samples
from bench.stats.series import Counts, Key, Series, counts, log_ratios, silent

LEVEL = 0.95
"""Confidence level of every interval in a summary."""


@dataclass(frozen=True)
class _Ratio:
    """A series against its baseline; ``missing`` says why there is no ratio where there should be one."""

    value: float | None = None
    ci: Interval | None = None
    n: int = 0
    missing: NoRatio | None = None


def summarise(samples: Samples) -> list[Summary]:
    """Summarise every series of one run, and every variant of which nothing came back.

    Ordered by scenario, target as the scenario lists them (controls last), metric (primary ones first) and params.
    """
    whole, scenarios = samples.layered, samples.scenarios
    series, attempts = whole.series, counts(whole.values, samples.tried)
    shown = {name: tuple(meta.get("primary", ())) for name, meta in scenarios.items()}
    every = [*series.values(), *silent(whole.values, samples.tried, shown)]
    effects = {one: _position(effect) for one, effect in samples.effects.items() if effect.doubtful}
    found = []
    for item in sorted(every, key=_order(scenarios)):
        baseline = scenarios.get(item.scenario, {}).get("baseline")
        ratio = _ratio(item, baseline, series)
        ended = attempts.get(item.key) or attempts.get((item.scenario, item.target, item.params)) or Counts()
        effect = effects.get((item.scenario, item.metric)) if item.target == baseline else None
        beaten = _faster(item, baseline, series)
        every_warning = (*_warnings(item, ended, ratio, baseline), beaten, effect)
        warnings = tuple(one for one in every_warning if one is not None)
        found.append(_summary(item, ended, ratio, warnings))
    return found


def precision(summary: Summary) -> float | None:
    """Return half the width of the median's interval relative to the median, ``None`` without an interval."""
    if summary.ci is None or not summary.median:
        return None
    return (summary.ci.high - summary.ci.low) / 2 / abs(summary.median)


def _summary(item: Series, ended: Counts, ratio: _Ratio, warnings: tuple[SummaryWarning, ...]) -> Summary:
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
        kind=item.kind,
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
    missing = _refusal(item.target, baseline, logs)
    if missing or logs is None:
        return _Ratio(missing=missing)
    centre, ci = signed_rank(logs, LEVEL)
    scaled = Interval(math.exp(ci.low), math.exp(ci.high), ci.level) if ci else None
    return _Ratio(math.exp(centre), scaled, len(logs))


def _refusal(target: str, baseline: str, logs: Floats | None) -> NoRatio | None:
    """Return why there must be no ratio, ``None`` when there may be one."""
    mine, theirs = _accelerator(target), _accelerator(baseline)
    if mine and theirs and mine != theirs:
        return NoRatio(baseline, NoRatioReason.ACCELERATOR, (mine, theirs))
    if logs is None:
        return NoRatio(baseline, NoRatioReason.NOT_POSITIVE)
    return None if len(logs) else NoRatio(baseline, NoRatioReason.NO_COMMON_BLOCK)


def _accelerator(target: str) -> str:
    """Return what a virtual machine runs on (``kvm``, ``tcg``), empty for anything else."""
    options = dict(pair.split("=", 1) for pair in target.partition(":")[2].split(",") if "=" in pair)
    return options.get("accel", "")


def _warnings(item: Series, ended: Counts, ratio: _Ratio, baseline: str | None) -> Iterator[SummaryWarning | None]:
    """Yield what must be shown with the numbers of a series, ``None`` where a question raises no doubt."""
    yield _failures(item, ended)
    yield _too_few(item, ratio, baseline)
    yield _no_variance(item)
    yield ratio.missing
    yield _emulated(item, ratio, baseline)


def _failures(item: Series, ended: Counts) -> warned.NoValue | warned.SomeFailed | None:
    if not len(item.values):
        return warned.NoValue(ended.failures, ended.attempts, ended.disturbed)
    if not ended.failures:
        return None
    ci = wilson(ended.failures, ended.attempts, LEVEL)
    return warned.SomeFailed(ended.failures, ended.attempts, ended.timeouts, ci)


def _too_few(item: Series, ratio: _Ratio, baseline: str | None) -> warned.TooFewBlocks | warned.TooFewShared | None:
    known, needed, n = METRICS.get(item.metric), needed_for(LEVEL), len(item.values)
    if not n or (known and known.exact):
        return None
    if n < needed:
        return warned.TooFewBlocks(n, needed, LEVEL)
    few = ratio.value is not None and ratio.n < needed
    return warned.TooFewShared(ratio.n, needed, str(baseline)) if few else None


def _no_variance(item: Series) -> warned.NoVariance | None:
    known, n = METRICS.get(item.metric), len(item.values)
    if n < 3 or (known and not is_noisy(item.metric)) or not is_stuck(item):
        return None
    return warned.NoVariance(n, float(item.values[0]), item.unit)


def _emulated(item: Series, ratio: _Ratio, baseline: str | None) -> warned.Emulated | None:
    if item.target in (SENTINEL, NULL) or not len(item.values):
        return None
    compared = (item.target, baseline or "") if ratio.value is not None else (item.target,)
    emulated = next((name for name in compared if _accelerator(name) == "tcg"), "")
    return warned.Emulated(emulated) if emulated else None


def _faster(item: Series, baseline: str | None, series: Mapping[Key, Series]) -> warned.FasterThanHost | None:
    """Return the alarm that something isolated beats the baseline, where that is its floor: the bare host."""
    floor = faster.floor_series(item, series, baseline) if baseline else None
    if floor is None or floor.target != baseline:
        return None
    found = faster.faster(item, floor)
    return warned.FasterThanHost(baseline, found.times, found.ci, found.n) if found else None


def _position(effect: PositionEffect) -> warned.PositionMatters:
    """Return the warning about the place within a block; it is shown once, with the baseline."""
    return warned.PositionMatters(effect.metric, effect.shift, effect.p)


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
