"""The result of ``compute`` in sentences: how much slower work inside is."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData
from bench.display.lookup import first_and_last

_WORDS = {
    "compute.rounds_per_s": "The fixed computation",
    "compute.cpu_events_per_s": "sysbench's CPU test",
    "compute.memory_bytes_per_s": "sysbench's memory test",
}


def words(data: ScenarioData) -> str:
    """Compare the speed of each kind of work with the baseline, slowest and fastest target, and name the dearest system call."""
    baseline = data.baseline
    sentences = [sentence for metric in _WORDS if (sentence := _speed(data.summaries, metric, baseline))]
    calls = prose.with_values(data.summaries, "compute.syscall_s")
    if not sentences and not calls:
        return prose.no_values("compute metric")
    every = [*sentences, _calls(calls, baseline)]
    return prose.paragraph(f"{sentence[:1].upper()}{sentence[1:]}" for sentence in every if sentence)


def _speed(summaries: Sequence[Summary], metric: str, baseline: str) -> str:
    rows = [row for row in prose.with_values(summaries, metric) if row.ratio is not None and row.target != baseline]
    if not rows:
        return ""
    rows.sort(key=prose.ratio_of)
    ends = [_short(row) for row in (first_and_last(rows))]
    return f"{_WORDS[metric]} runs at {' to '.join(ends)} the speed of {baseline}{prose.too_few_blocks(rows)}"


def _short(row: Summary) -> str:
    return f"{significant(prose.ratio_of(row))}× ({row.target}{', emulated' * ('accel=tcg' in row.target)})"


def _calls(calls: Sequence[Summary], baseline: str) -> str:
    others = [row for row in calls if row.ratio is not None and row.target != baseline]
    if not others:
        rows = [f"{row.params.get('syscall')} {prose.median_text(row)}" for row in calls]
        return f"System calls on {calls[0].target}: {', '.join(rows)}" if rows else ""
    most = max(others, key=prose.ratio_of)
    return (
        f"The dearest system call is {most.params.get('syscall')} in {most.target}: {prose.median_text(most)}, "
        f"{significant(prose.ratio_of(most))}× that of {baseline}"
    )
