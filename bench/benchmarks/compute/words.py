"""The result of ``compute`` in sentences: how much slower work inside is."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData

_WORDS = {
    "compute.rounds_per_s": "The fixed computation",
    "compute.cpu_events_per_s": "sysbench's CPU test",
    "compute.memory_bytes_per_s": "sysbench's memory test",
}
_CALL = "compute.syscall_s"


def words(data: ScenarioData) -> str:
    """Compare the speed of each kind of work with the baseline, and name the system call that costs most."""
    calls = prose.with_values(data.summaries, _CALL)
    rows = [row for metric in (*_WORDS, _CALL) for row in prose.with_values(data.summaries, metric)]
    if not rows:
        return prose.no_values("compute metric")
    sentences = [_speed(data.summaries, metric, data.baseline) for metric in _WORDS]
    every = [*sentences, _calls(calls, data.baseline), prose.restriction(rows)]
    return prose.paragraph(f"{sentence[:1].upper()}{sentence[1:]}" for sentence in every if sentence)


def finding(data: ScenarioData) -> str:
    """Give the time of one system call on each target."""
    calls = prose.with_values(data.summaries, _CALL)
    chosen = _first(calls)
    rows = [row for row in calls if row.params.get("syscall") == chosen]
    return f"{chosen} {prose.listed(data, rows)}" if rows else ""


def _first(calls: Sequence[Summary]) -> str:
    """Return getpid, the system call that does least, or else the first one that was measured."""
    names = [str(row.params.get("syscall")) for row in calls]
    return "getpid" if "getpid" in names else next(iter(names), "")


def _speed(summaries: Sequence[Summary], metric: str, baseline: str) -> str:
    rows = [row for row in prose.with_values(summaries, metric) if row.ratio is not None and row.target != baseline]
    return f"{_WORDS[metric]} runs at {prose.ratio_span(rows)} the speed of {baseline}" if rows else ""


def _calls(calls: Sequence[Summary], baseline: str) -> str:
    others = [row for row in calls if row.ratio is not None and row.target != baseline]
    if not others:
        rows = [f"{row.params.get('syscall')} {prose.value(row)}" for row in calls]
        return f"System calls on {calls[0].target}: {', '.join(rows)}" if rows else ""
    most = max(others, key=prose.ratio_of)
    if prose.decided_above(most, others):
        return f"{most.params.get('syscall')} in {most.target} costs most: {prose.times_of(most, baseline)}"
    shown = most.params.get("syscall") if most.ratio_ci else _first(others)
    alike = [row for row in others if row.params.get("syscall") == shown]
    return f"{shown} takes {prose.ratio_span(alike)} the time of {baseline}"
