"""Numbers and lists as sentences have them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bench.core.model import NULL, SENTINEL, Interval, ParamValue, Summary
from bench.core.units import format_value, significant

TIMES = "\N{MULTIPLICATION SIGN}"


def value(row: Summary) -> str:
    """Write ``0.52 ms [0.50 ms, 0.55 ms]``."""
    if row.ci is None:
        return format_value(row.median, row.unit)
    low, high = format_value(row.ci.low, row.unit), format_value(row.ci.high, row.unit)
    return f"{format_value(row.median, row.unit)} [{low}, {high}]"


def short(row: Summary) -> str:
    """Write ``docker 3.20 MiB``."""
    return f"{row.target} {format_value(row.median, row.unit)}"


def factor(row: Summary) -> str:
    """Write the ratio and its interval with fewer digits than a table has: these are sentences."""
    if row.ratio is None or row.ratio_ci is None:
        return ""
    low, high = significant(row.ratio_ci.low, 2), significant(row.ratio_ci.high, 2)
    return f"{significant(row.ratio, 2)}{TIMES} [{low}, {high}]"


def blocks(rows: Sequence[Summary]) -> str:
    """Say how many blocks stand behind the numbers when they are too few for an interval, else nothing."""
    fewest = min((row.n for row in rows if row.ci is None), default=0)
    return f" ({fewest} {'block' if fewest == 1 else 'blocks'}, too few for an interval)" if fewest else ""


def percent(share: float) -> str:
    """Write a share with two significant digits: ``3.2 %``."""
    return f"{significant(100 * share, 2)} %"


def rate(count: int, attempts: int, ci: Interval | None) -> str:
    """Write a rate with its interval: ``40 % [12 %, 77 %]``; nothing without attempts."""
    if not attempts:
        return ""
    return percent(count / attempts) + (f" [{percent(ci.low)}, {percent(ci.high)}]" if ci else "")


def chance(p: float) -> str:
    """Write a p value: ``p = 0.012``."""
    return "p < 0.001" if p < 0.001 else f"p = {significant(p, 2)}"


def series(metric: str, params: str) -> str:
    """Write a series: the metric, and its params, given as JSON text, in brackets."""
    given = ", ".join(f"{name}={value}" for name, value in json.loads(params).items())
    return f"{metric} ({given})" if given else metric


def joined(names: Sequence[str], most: int = 4) -> str:
    """Join names: ``a``, ``a and b``, ``a, b and c``."""
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def told(summaries: Sequence[Summary], metric: str, params: Mapping[str, ParamValue] | None = None) -> list[Summary]:
    """Return the series of a metric that have a value and no control's name, with at least these params."""
    wanted = (params or {}).items()
    rows = [row for row in summaries if row.metric == metric and wanted <= row.params.items()]
    return [row for row in rows if row.median is not None and row.target not in (NULL, SENTINEL)]


def first_kind(rows: Sequence[Summary]) -> list[Summary]:
    """Return the rows with the same params as the first one: one sentence tells of one variant."""
    return [row for row in rows if row.params == rows[0].params]


def nothing(metric: str) -> str:
    """Say that there is no value to tell of."""
    return f"Nothing can be said: no invocation of this run ended with a {metric}."


DIRECT: Mapping[str, ParamValue] = {"pattern": "sequential", "cache": "direct"}
"""Params of the fio jobs that sentences tell of: sequential, past the page cache."""


def ends(summaries: Sequence[Summary], metric: str, baseline: str, verb: str, params: Mapping[str, ParamValue]) -> str:
    """Tell of the slowest and the fastest in multiples of the baseline, or in their own unit where it has no value."""
    every = [row for row in told(summaries, metric, params) if row.target != baseline]
    rows = [row for row in every if row.ratio is not None]
    if not rows:
        return f"{verb} at {lowest_to_highest(every)}{blocks(every)}" if every else ""
    rows.sort(key=lambda row: row.ratio or 0.0)
    ends = rows if len(rows) < 2 else [rows[0], rows[-1]]
    texts = [f"{significant(row.ratio or 0.0)}{TIMES} ({row.target})" for row in ends]
    return f"{verb} at {' to '.join(texts)} the speed of {baseline}{blocks(rows)}"


def lowest_to_highest(rows: Sequence[Summary]) -> str:
    """Write the smallest and the largest value with their targets."""
    ordered = sorted(rows, key=lambda row: row.median or 0.0)
    ends = ordered if len(ordered) < 2 else [ordered[0], ordered[-1]]
    return " to ".join(f"{format_value(row.median, row.unit)} ({row.target})" for row in ends)
