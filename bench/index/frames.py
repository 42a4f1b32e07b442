"""The same rows as :mod:`bench.index.values`, by DataFrames: for large runs, and for metrics that are computed from others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench import store
from bench.core.metrics import METRICS
from bench.core.model import FAILED_STATUSES, SENTINEL
from bench.index.values import LEVEL, Key, Row, Values, is_plain, silent
from bench.stats import samples
from bench.stats.exact import median_ci
from bench.stats.series import KEYS, VARIANT, Counts, Series, counts


def of_run(run: store.Run) -> Values:
    """Read a run's lines and return its series.

    Raises:
        UsageError: The lines cannot be read, or one is invalid.
    """
    outcomes = store.outcomes(run)
    own = samples.of_frames(store.measurements(run, outcomes, coded=True), outcomes, run.meta["scenarios"])
    whole, good, tried = own.layered, own.values, own.tried
    values: dict[Key, float] = {}
    if len(good):
        medians = good.groupby(KEYS, observed=True, sort=False)["value"].median()
        keys = zip(*(medians.index.get_level_values(name).astype(str) for name in KEYS), strict=True)
        values = dict(zip(keys, medians.to_numpy(dtype=np.float64).tolist(), strict=True))
    blocks, ended = whole.series, counts(whole.values, tried)
    every = dict.fromkeys([*values, *blocks])
    rows = {key: _row(key, blocks.get(key), values.get(key, math.nan), ended) for key in every}
    variants = tried[["scenario", "target", "params"]].drop_duplicates().itertuples(index=False, name=None)
    gave = set(whole.values[VARIANT].drop_duplicates().itertuples(index=False, name=None))
    failures = {key: one.failures for key, one in ended.items() if len(key) == 3}
    rows |= dict(silent(run, variants, gave, failures))
    failed = int(outcomes["status"].isin(FAILED_STATUSES).sum())
    of_sentinel = good.loc[good["target"] == SENTINEL, "value"].to_numpy() if len(good) else np.empty(0)
    middle = float(np.median(of_sentinel)) if len(of_sentinel) else math.nan
    return Values(rows, middle, len(outcomes), failed, is_plain(values))


def _row(key: Key, series: Series | None, of_values: float, ended: Mapping[Any, Counts]) -> Row:
    failures = (ended.get(key) or Counts()).failures
    if series is None:
        known = METRICS.get(key[3])
        return Row(known.unit if known else "", 0, failures, math.nan, math.nan, math.nan, of_values)
    ci = median_ci(series.values, LEVEL)
    ends = (ci.low, ci.high) if ci else (math.nan, math.nan)
    return Row(series.unit, len(series.values), failures, float(np.median(series.values)), *ends, of_values)
