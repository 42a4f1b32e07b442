"""Whether work inside is slower."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import format_value, significant
from bench.display.data import ScenarioData
from bench.display.prose import TIMES, blocks, nothing, told

_WORDS = {
    "compute.rounds_per_s": "The fixed computation",
    "compute.cpu_events_per_s": "sysbench's CPU test",
    "compute.memory_bytes_per_s": "sysbench's memory test",
}


def words(data: ScenarioData) -> str:
    """Say how fast each kind of work is, in multiples of the baseline, from the slowest target to the fastest."""
    baseline = data.baseline
    sentences = [sentence for metric in _WORDS if (sentence := _speed(data.summaries, metric, baseline))]
    calls = told(data.summaries, "compute.syscall_s")
    if not sentences and not calls:
        return nothing("compute metric")
    return " ".join(
        f"{sentence[:1].upper()}{sentence[1:]}." for sentence in [*sentences, _calls(calls, baseline)] if sentence
    )


def _speed(summaries: Sequence[Summary], metric: str, baseline: str) -> str:
    rows = [row for row in told(summaries, metric) if row.ratio is not None and row.target != baseline]
    if not rows:
        return ""
    rows.sort(key=lambda row: row.ratio or 0.0)
    ends = [_short(row) for row in (rows if len(rows) < 2 else [rows[0], rows[-1]])]
    return f"{_WORDS[metric]} runs at {' to '.join(ends)} the speed of {baseline}{blocks(rows)}"


def _short(row: Summary) -> str:
    return f"{significant(row.ratio or 0.0)}{TIMES} ({row.target}{', emulated' * ('accel=tcg' in row.target)})"


def _calls(calls: Sequence[Summary], baseline: str) -> str:
    others = [row for row in calls if row.ratio is not None and row.target != baseline]
    if not others:
        rows = [f"{row.params.get('syscall')} {format_value(row.median, row.unit)}" for row in calls]
        return f"System calls on {calls[0].target}: {', '.join(rows)}" if rows else ""
    most = max(others, key=lambda row: row.ratio or 0.0)
    return (
        f"The dearest system call is {most.params.get('syscall')} in {most.target}: {format_value(most.median, most.unit)}, "
        f"{significant(most.ratio or 0.0)}{TIMES} that of {baseline}"
    )
