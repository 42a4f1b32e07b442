"""Numbers, counts and lists as sentences write them; used by the words, titles and captions of every benchmark."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from bench.core.model import NULL, SENTINEL, Interval, ParamValue, Summary
from bench.core.units import format_value, significant
from bench.display.data import ScenarioData, Variant
from bench.display.lookup import first_and_last

DIRECT: Mapping[str, ParamValue] = {"pattern": "sequential", "cache": "direct"}
"""Params of the fio jobs that sentences quote: sequential, past the page cache."""


def with_values(
    summaries: Sequence[Summary], metric: str, params: Mapping[str, ParamValue] | None = None
) -> list[Summary]:
    """Return a metric's series that have a median and at least these params; the null control and the sentinel are left out."""
    wanted = (params or {}).items()
    rows = [row for row in summaries if row.metric == metric and wanted <= row.params.items()]
    return [row for row in rows if row.median is not None and row.target not in (NULL, SENTINEL)]


def same_params_as_first(rows: Sequence[Summary]) -> list[Summary]:
    """Return the rows whose params equal those of the first row."""
    return [row for row in rows if row.params == rows[0].params]


def median_of(row: Summary) -> float:
    """Return the median as a sort key; 0 without one."""
    return row.median or 0.0


def ratio_of(row: Summary) -> float:
    """Return the ratio to the baseline as a sort key; 0 without one."""
    return row.ratio or 0.0


def median_text(row: Summary) -> str:
    """Write the median with its unit: ``0.52 ms``."""
    return format_value(row.median, row.unit)


def value(row: Summary) -> str:
    """Write the median with its interval: ``0.52 ms [0.50 ms, 0.55 ms]``."""
    if row.ci is None:
        return median_text(row)
    low, high = format_value(row.ci.low, row.unit), format_value(row.ci.high, row.unit)
    return f"{median_text(row)} [{low}, {high}]"


def target_and_median(row: Summary) -> str:
    """Write the target and its median: ``docker 3.20 MiB``."""
    return f"{row.target} {median_text(row)}"


def ratio_with_interval(row: Summary) -> str:
    """Write the ratio to the baseline with two significant digits: ``5.4× [5.1, 5.8]``; empty without an interval."""
    if row.ratio is None or row.ratio_ci is None:
        return ""
    low, high = significant(row.ratio_ci.low, 2), significant(row.ratio_ci.high, 2)
    return f"{significant(row.ratio, 2)}× [{low}, {high}]"


def plural(count: float, noun: str) -> str:
    """Write a whole number with its noun: ``1 block``, ``6 blocks``."""
    return f"{count:.0f} {noun}{'' if count == 1 else 's'}"


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
    """Join at least one name: ``a``, ``a and b``, ``a, b and 3 more``."""
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def paragraph(sentences: Iterable[str]) -> str:
    """Join sentences, each given without its full stop; empty ones are left out."""
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def no_values(metric: str) -> str:
    """Say that the run has no value of a metric."""
    return f"Nothing can be said: no invocation of this run ended with a {metric}."


def too_few_blocks(rows: Iterable[Summary]) -> str:
    """Return a remark in brackets when a row has too few blocks for an interval; otherwise empty."""
    fewest = min((row.n for row in rows if row.ci is None), default=0)
    return f" ({plural(fewest, 'block')}, too few for an interval)" if fewest else ""


def block_counts(counts: Iterable[int]) -> str:
    """Write how many blocks the values of a caption come from: ``n = 6 to 8 blocks``, with a full stop."""
    found = sorted(set(counts))
    if not found:
        return "No values."
    if len(found) == 1:
        return f"n\u00a0=\u00a0{plural(found[0], 'block')}."
    return f"n\u00a0=\u00a0{found[0]} to {found[-1]} blocks."


def block_counts_by_target(data: ScenarioData, variants: Sequence[Variant], metric: str) -> str:
    """Do the same for one metric, naming the variants that have fewer blocks than the others."""
    counts = {item.text: found.n for item in variants if (found := data.summary(item, metric))}
    if not counts:
        return "No values."
    most = max(counts.values())
    fewer = [f"{count} for {name}" for name, count in counts.items() if count < most]
    exceptions = f" ({', '.join(fewer[:4])}{', …' if len(fewer) > 4 else ''})" if fewer else ""
    return f"n\u00a0=\u00a0{plural(most, 'block')} a target{exceptions}."


def lowest_to_highest(rows: Sequence[Summary]) -> str:
    """Write the smallest and the largest median with their targets: ``1.2 ms (host) to 3.4 ms (runc)``."""
    ends = first_and_last(sorted(rows, key=median_of))
    return " to ".join(f"{median_text(row)} ({row.target})" for row in ends)


def speed_range(
    summaries: Sequence[Summary], metric: str, baseline: str, verb: str, params: Mapping[str, ParamValue]
) -> str:
    """Write the lowest and the highest ratio to the baseline, or the medians where the baseline has no value."""
    others = [row for row in with_values(summaries, metric, params) if row.target != baseline]
    rows = sorted((row for row in others if row.ratio is not None), key=ratio_of)
    if not rows:
        return f"{verb} at {lowest_to_highest(others)}{too_few_blocks(others)}" if others else ""
    texts = [f"{significant(ratio_of(row))}× ({row.target})" for row in first_and_last(rows)]
    return f"{verb} at {' to '.join(texts)} the speed of {baseline}{too_few_blocks(rows)}"
