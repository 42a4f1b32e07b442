"""The rule for "faster than the host": which targets are certain to beat the bare host, although they do the same work.

Used by the alarms of a run and by the warnings beside single series, so that the two never disagree.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bench.core.metrics import METRICS, Metric
from bench.core.model import NULL, SENTINEL, Interval
from bench.stats.exact import Floats, needed_for, signed_rank
from bench.stats.findings import Excess, SeriesName
from bench.stats.floor import floor_of
from bench.stats.series import Key, Series, log_ratios

LEVEL = 0.95
"""Confidence level of the interval that decides."""

LIMIT = 1.03
"""How many times as fast as the host a container may be; more is an alarm, not a result."""

GUEST_LIMIT = 1.0
"""The same for a virtual machine."""

GROSS = 4.0
"""How many times as fast in every common block is an alarm with any number of blocks, where an interval cannot decide."""

_SPEED_UNITS = ("s", "1/s", "bytes/s")


def is_guest(item: Series) -> bool:
    """Say whether a series is of a virtual machine."""
    return item.kind == "machine"


def limit_of(item: Series) -> float:
    """Return how many times as fast as its floor a series may be."""
    return GUEST_LIMIT if is_guest(item) else LIMIT


def floor_series(item: Series, series: Mapping[Key, Series], baseline: str) -> Series | None:
    """Return the series of the host that ``item`` cannot beat, ``None`` when there is none."""
    floor = _floor_of(item, baseline)
    return series.get((item.scenario, floor, item.params, item.metric)) if floor else None


def _floor_of(item: Series, baseline: str) -> str:
    known = METRICS.get(item.metric)
    if known is not None:
        return floor_of(item.target, item.metric, baseline) if _is_bound(known, item.params) else ""
    # A metric of a benchmark that is not installed here: what its unit says must do.
    isolated = item.target not in (NULL, SENTINEL) and item.engine != "host"
    return baseline if isolated and item.unit in _SPEED_UNITS and baseline.partition(":")[0] == "host" else ""


def _is_bound(known: Metric, params: str) -> bool:
    """Say whether the host bounds series with these parameters, given as JSON text."""
    if not known.bound_where and not known.unbound_where:
        return True
    given = json.loads(params)
    unbound = known.unbound_where and all(given.get(name) == value for name, value in known.unbound_where.items())
    return not unbound and all(given.get(name) == value for name, value in known.bound_where.items())


def speeds(item: Series, floor: Series) -> Floats | None:
    """Return log(how many times as fast as its floor) of each common block, ``None`` for too few or no speed."""
    logs = _logs(item, floor)
    return None if logs is None or len(logs) < needed_for(LEVEL) else logs


def _logs(item: Series, floor: Series) -> Floats | None:
    logs, known = log_ratios(item, floor), METRICS.get(item.metric)
    if logs is None or (known and known.better in ("one", "zero")):
        return None
    higher = known.better == "higher" if known else item.unit != "s"
    return logs if higher else -logs


def faster(item: Series, floor: Series) -> Excess | None:
    """Return by how much a series is faster than its floor, ``None`` when it is not certain to be faster than it may be.

    A difference that the metric never calls a change is none. With too few blocks for an interval it is certain if
    each of them is more than ``GROSS`` times as fast.
    """
    logs = _logs(item, floor)
    if logs is None or not len(logs):
        return None
    known = METRICS.get(item.metric)
    difference = abs(float(np.median(item.values) - np.median(floor.values)))
    if difference < (known.floor if known else 0.0):
        return None
    if len(logs) >= needed_for(LEVEL):
        found = excess(item, logs, limit_of(item))
        return replace(found, than=floor.target) if found else None
    if float(logs.min()) <= math.log(GROSS):
        return None
    name = SeriesName(item.target, item.metric, item.params)
    return Excess(name, math.exp(float(np.median(logs))), None, len(logs), floor.target)


def excess(item: Series, logs: Floats, limit: float) -> Excess | None:
    """Return the estimate of a series whose ratios have these logarithms, ``None`` when it is not certain to exceed the limit."""
    above = logs - math.log(limit)
    ordered = above[np.argsort(np.abs(above))]
    positive = int((np.flatnonzero(ordered > 0) + 1).sum())
    if 4 * positive <= len(above) * (len(above) + 1):
        return None  # the estimate itself is not above it (Wilcoxon's W+): no need for all pairs of a long run
    centre, ci = signed_rank(logs, LEVEL)
    if ci is None or ci.low <= math.log(limit):
        return None
    scaled = Interval(math.exp(ci.low), math.exp(ci.high), LEVEL)
    return Excess(SeriesName(item.target, item.metric, item.params), math.exp(centre), scaled, len(logs))
