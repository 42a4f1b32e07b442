"""Numbers, counts and lists as sentences write them; used by the words, titles and captions of every benchmark."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL, Interval, ParamValue, Summary
from bench.core.units import format_value, format_with_interval, significant
from bench.display.data import ScenarioData, Variant
from bench.stats.exact import needed_for

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
    """Write the median with its interval, unless that is a point: ``0.52 ms [0.50, 0.55]``."""
    if row.ci is None or row.median is None or row.ci.low == row.ci.high:
        return median_text(row)
    return format_with_interval(row.median, row.ci.low, row.ci.high, row.unit)


def is_decided(row: Summary) -> bool:
    """Say whether a series has an interval, or a number without noise, so that it can be ordered."""
    return row.ci is not None or (row.metric in METRICS and METRICS[row.metric].exact)


def mostly_decided(rows: Sequence[Summary]) -> bool:
    """Say whether more than half of the series can be ordered."""
    return 2 * sum(map(is_decided, rows)) > len(rows)


def all_decided(rows: Iterable[Summary | None]) -> bool:
    """Say whether there are series and each of them can be ordered."""
    found = [row for row in rows if row is not None]
    return bool(found) and all(map(is_decided, found))


def highest(rows: Sequence[Summary]) -> Summary | None:
    """Return the series that is certain to be above all others; ``None`` if that is not decided."""
    most = max(rows, key=median_of, default=None)
    return most if most and all(apart(row, most) for row in rows if row is not most) else None


def lowest(rows: Sequence[Summary]) -> Summary | None:
    """Return the series that is certain to be below all others; ``None`` if that is not decided."""
    least = min(rows, key=median_of, default=None)
    return least if least and all(apart(least, row) for row in rows if row is not least) else None


def apart(low: Summary, high: Summary) -> bool:
    """Say whether the intervals of two series do not overlap; never without an interval."""
    if not (is_decided(low) and is_decided(high)):
        return False
    return (low.ci.high if low.ci else median_of(low)) < (high.ci.low if high.ci else median_of(high))


def span(rows: Sequence[Summary], names: Mapping[str, str] | None = None, most: int = 4) -> str:
    """Write the smallest and the largest series if their intervals are apart; else list the series in display order.

    Args:
        rows: Series of one metric.
        names: Target → name; by default the target itself.
        most: How many series are listed; the others are counted.
    """
    named = names or {}
    ordered = sorted(rows, key=median_of)
    texts = {id(row): f"{value(row)} ({named.get(row.target, row.target)})" for row in rows}
    if len(rows) > 1 and apart(ordered[0], ordered[-1]):
        return f"{texts[id(ordered[0])]} to {texts[id(ordered[-1])]}"
    return joined([texts[id(row)] for row in rows], most)


def brief_names(data: ScenarioData) -> dict[str, str]:
    """Return short names of the targets: the engine, with the options that tell it from the engine's other targets."""
    targets = list(dict.fromkeys(row.target for row in data.variants))
    return {target: _brief(target, targets) for target in targets}


def _brief(target: str, targets: Sequence[str]) -> str:
    engine, _, options = target.partition(":")
    alike = [other.partition(":")[2].split(",") for other in targets if other.partition(":")[0] == engine]
    own = [one for one in options.split(",") if one and not all(one in other for other in alike)]
    emulated = ["emulated"] if "accel=tcg" in target else []
    kept = [one.partition("=")[2] or one for one in own if one != "accel=tcg"]
    return " ".join([engine, *kept, *emulated])


def listed(data: ScenarioData, rows: Sequence[Summary], most: int = 5) -> str:
    """List series with short names, the baseline last: ``runc 105 ns [104, 107], host 104 ns [103, 105]``."""
    names = brief_names(data)
    rows = sorted(rows, key=lambda row: row.target == data.baseline)
    return ", ".join(
        [f"{names.get(row.target, row.target)} {value(row)}" for row in rows[:most]]
        + ([f"{len(rows) - most} more"] if len(rows) > most else [])
    )


def decided_above(most: Summary, rows: Sequence[Summary]) -> bool:
    """Say whether a ratio's interval lies above those of all other series."""
    others = [row.ratio_ci for row in rows if row is not most]
    return most.ratio_ci is not None and all(ci and ci.high < most.ratio_ci.low for ci in others)


def times_of(row: Summary, baseline: str) -> str:
    """Write the median and the ratio to the baseline: ``38.7 µs [37.9, 39.1], 370× [340, 390] that of host``."""
    times = ratio_with_interval(row) or (ratio_alone(row) if row.ratio is not None else "")
    return f"{value(row)}, {times} that of {baseline}" if times and row.target != baseline else value(row)


def restriction(rows: Sequence[Summary]) -> str:
    """Return the sentence that most or some series have too few blocks for an interval and are not ordered; otherwise empty."""
    few = [row.n for row in rows if not is_decided(row) and row.n]
    if not few:
        return ""
    if mostly_decided(rows):
        return f"{len(few)} of {len(rows)} series {'has' if len(few) == 1 else 'have'} too few blocks for an interval"
    return f"Only hints: {plural(min(few), 'block')}, too few for an interval"


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


def blocks_have(count: int) -> str:
    """Write a number of blocks with the verb: ``1 block has``, ``6 blocks have``."""
    return f"{plural(count, 'block')} {'has' if count == 1 else 'have'}"


def no_values(metric: str) -> str:
    """Say that the run has no value of a metric."""
    return f"Nothing can be said: no invocation of this run ended with a {metric}."


def block_counts(counts: Iterable[int], *, exact: bool = False) -> str:
    """Write how many blocks the values of a caption come from: ``n = 6 to 8 blocks``, with a full stop.

    Values that are ``exact`` need no interval.
    """
    found = sorted(set(counts))
    if not found:
        return "No values."
    few = "" if exact else _without_interval(found[0])
    if len(found) == 1:
        return f"n\u00a0=\u00a0{plural(found[0], 'block')}{few}."
    return f"n\u00a0=\u00a0{found[0]} to {found[-1]} blocks{few}."


def if_decided(counts: Iterable[int], text: str = ", with 95\u00a0% intervals") -> str:
    """Return the words of a caption about intervals; empty where all values come from too few blocks for one."""
    return text if max(counts, default=0) >= needed_for() else ""


def _without_interval(fewest: int) -> str:
    """Say that a caption's intervals are missing where there are too few blocks for one."""
    needed = needed_for()
    return f"; an interval needs {needed}, and what has fewer is drawn without" if fewest < needed else ""


def block_counts_by_target(data: ScenarioData, variants: Sequence[Variant], metric: str) -> str:
    """Do the same for one metric, naming the variants that have fewer blocks than the others."""
    counts = {item.text: found.n for item in variants if (found := data.summary(item, metric))}
    if not counts:
        return "No values."
    most = max(counts.values())
    fewer = [f"{count} for {name}" for name, count in counts.items() if count < most]
    exceptions = f" ({', '.join(fewer[:4])}{', …' if len(fewer) > 4 else ''})" if fewer else ""
    few = _without_interval(min(counts.values()))
    return f"n\u00a0=\u00a0{plural(most, 'block')} a target{exceptions}{few}."


def ratio_span(rows: Sequence[Summary], most: int = 4) -> str:
    """Write the lowest and the highest ratio to the baseline if their intervals are apart; else list them in display order."""
    ordered = sorted(rows, key=ratio_of)
    texts = {id(row): f"{ratio_with_interval(row) or ratio_alone(row)} ({row.target}{emulation(row)})" for row in rows}
    ends = [row.ratio_ci for row in (ordered[0], ordered[-1])]
    if len(rows) > 1 and ends[0] and ends[1] and ends[0].high < ends[1].low:
        return f"{texts[id(ordered[0])]} to {texts[id(ordered[-1])]}"
    return joined([texts[id(row)] for row in rows], most)


def ratio_alone(row: Summary) -> str:
    """Write the ratio to the baseline with two significant digits and without its interval."""
    return f"{significant(ratio_of(row), 2)}×"


def emulation(row: Summary) -> str:
    """Return ``, emulated`` for a machine that QEMU emulates; otherwise empty."""
    return ", emulated" * ("accel=tcg" in row.target)


def speed_range(
    summaries: Sequence[Summary], metric: str, baseline: str, verb: str, params: Mapping[str, ParamValue]
) -> str:
    """Write the ratios to the baseline, or the medians where the baseline has no value."""
    others = [row for row in with_values(summaries, metric, params) if row.target != baseline]
    rows = [row for row in others if row.ratio is not None]
    if not rows:
        return f"{verb} at {span(others)}" if others else ""
    return f"{verb} at {ratio_span(rows)} the speed of {baseline}"
