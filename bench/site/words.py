"""Texts of the site's pages: names of series, numbers, dates, and sentences on what was compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from bench.core.model import Interval, RunState
from bench.core.units import format_value, significant
from bench.display.data import metric_title, params_text
from bench.display.table import NONE, Cell, interval_text, ratio_text
from bench.site.changes import Change, Changes, Why
from bench.site.history import Kind, Mark
from bench.site.records import Past, Point, Series, confirmed

LEVEL = 0.95
"""Confidence level of all intervals of the site."""


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 run``, ``3 series``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}".replace(",", "\u202f")


def quantity(series: Series) -> str:
    """Return what a series is a figure of, with its parameters."""
    return figure_of(series.name.metric, series.name.params)


def figure_of(metric: str, params: str) -> str:
    """Return what a number is a figure of: the metric's title, and the parameters."""
    return " · ".join(filter(None, (metric_title(metric), params_text(params))))


def history(series: Series, steps: Sequence[Mark]) -> str:
    """Return what the runs of a series show: its newest value, and its lasting steps."""
    lasting = "no lasting step" if not steps else count(len(steps), "lasting step")
    return f"{_newest(series)}, {lasting}" if series.measured else "No run has a value"


def steadiness(series: Series) -> str:
    """Return what the runs of the fixed host workload show: its newest value, and its range."""
    values = [one.median for one in series.points.values() if one.median is not None]
    low, high = (format_value(end, series.unit) for end in (min(values), max(values)))
    return f"Sentinel: {_newest(series)}; the lowest is {low}, the highest {high}"


def _newest(series: Series) -> str:
    newest = format_value(series.points[series.measured[-1]].median, series.unit)
    return f"{newest} in the newest of {count(len(series.measured), 'run')}"


def name(text: str) -> str:
    """Return a name for the middle of a sentence: marks for right-to-left text in it turn nothing else."""
    return text if text.isascii() else f"\u2068{text}\u2069"


def sentence(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def value(point: Point | None, unit: str) -> Cell:
    """Return a median with its interval."""
    if point is None or point.median is None:
        return Cell(NONE)
    ends = Interval(point.low, point.high, LEVEL) if point.low is not None and point.high is not None else None
    return Cell(format_value(point.median, unit), interval_text(ends, unit) if ends else "")


def ratio(record: Mapping[str, Any]) -> Cell:
    """Return how a series changed: the ratio with its interval, or the difference where there is no ratio."""
    if record["ratio"] is None:
        if record["base"] is None or record["new"] is None:
            return Cell(NONE)
        difference = record["new"] - record["base"]
        return Cell(f"{'+' if difference > 0 else ''}{format_value(difference, record['unit'])}")
    low, high = record["ci_low"], record["ci_high"]
    return Cell(
        ratio_text(record["ratio"]), interval_text(Interval(low, high, LEVEL), "ratio") if low is not None else ""
    )


def threshold(one: Change) -> str:
    """Return the smallest change that counts and would have been found."""
    if one.threshold is None:
        return NONE
    return f"±{significant(100 * one.threshold, 2)} %" if one.threshold else "any"


def times(one: Change) -> str:
    """Return a change in multiples of its threshold."""
    if one.times is None:
        return NONE
    return "any counts" if math.isinf(one.times) else significant(one.times, 2)


def base(found: Changes) -> str:
    """Say what the newest run of a track was compared with, or why with nothing."""
    newest = name(found.new.run_id) if found.new else ""
    if found.why is Why.TAGGED:
        return f"{newest} against {name(found.base[0])}, which is tagged baseline=main"
    if found.why is Why.ROLLING:
        runs = count(len(found.base), "earlier run")
        return f"{newest} against {runs} of its epoch: each series against the newest run in which it had not regressed"
    return {
        Why.UNFINISHED: "no run is complete, so nothing is compared",
        Why.FIRST: f"{newest} is the first complete run of its epoch, so there is nothing to compare it with",
        Why.NOTHING: f"{newest} has no series in common with an earlier run of its epoch that is not in doubt",
        Why.DAMAGED: f"{newest} cannot be compared: {found.detail}",
    }[found.why]


def state(one: Past) -> str:
    """Return what is special about a run; empty for one that is complete, with values, and no copy."""
    if one.entry.copy_of:
        return f"a copy of {one.entry.copy_of}"
    night = confirmed(one)
    said = [f"fresh blocks of {night}"] if night else []
    states: Mapping[str, str] = {RunState.RUNNING: "running, or killed", RunState.COMPLETE: ""}
    said.append(states.get(one.entry.state, one.entry.state))
    if not one.entry.readable:
        said.append("its lines cannot be read")
    elif one.entry.invocations and one.entry.failed == one.entry.invocations:
        said.append("every invocation failed")
    elif not any(point.median is not None for *_, point in one.rows):
        said.append("no value")
    return ", ".join(filter(None, said))


def mark(one: Mark, unit: str) -> tuple[str, str]:
    """Return the title of a mark, and what it says."""
    if one.kind is Kind.STEP and one.step:
        step = one.step
        change = ratio_text(step["ratio"]) if step["ratio"] else format_value(step["after"] - step["before"], unit)
        ends = Interval(step["ci_low"], step["ci_high"], LEVEL) if step["ci_low"] is not None else None
        values = f"{format_value(step['before'], unit)} before, {format_value(step['after'], unit)} after"
        between = f" ({interval_text(ends, 'ratio')})" if ends else ""
        return f"Lasting step, {'worse' if step['worse'] else 'better'}", f"{change}{between}: {values}"
    if one.kind is Kind.ACKNOWLEDGED and one.entry:
        return "Acknowledged", f"{one.entry['reason']} (until {one.entry['until']})"
    title = "New epoch" if one.kind is Kind.EPOCH else "Version"
    return title, "; ".join(one.facts)


def acknowledged(series: Series, new: Past) -> str:
    """Return the acknowledgement of a series that is in force on the day of a run; empty without one."""
    today = new.entry.started_at[:10]
    return next(
        (f"acknowledged until {one.until}: {one.reason}" for one in series.acknowledged if today <= one.until), ""
    )


def changed(changes: Sequence[Changes]) -> str:
    """Return what changed since last good, in one sentence."""
    compared = [one for one in changes if one.every]
    every = sum(len(one.every) for one in compared)
    if not compared:
        return "Nothing can be compared yet: it takes two complete runs of one host under the same conditions."
    worse = sum(one.worse for found in compared for one in found.significant)
    better = sum(len(one.significant) for one in compared) - worse
    hosts = count(len({one.track.host for one in compared}), "host")
    if not worse and not better:
        return f"Nothing changed since last good: {count(every, 'series', 'series')} compared on {hosts}."
    parts = [f"{number} got {word}" for number, word in ((worse, "worse"), (better, "better")) if number]
    return f"Of {count(every, 'series', 'series')} {' and '.join(parts)} since last good, on {hosts}."
