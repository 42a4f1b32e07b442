"""What a further instance weighs."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import format_value, significant
from bench.display.data import ScenarioData
from bench.display.prose import blocks, first_kind, joined, nothing, short, told

_DOUBT = 0.10
"""A larger unexplained share of what was taken is told."""


def words(data: ScenarioData) -> str:
    """Say what each further instance takes from MemAvailable, and how much of that nothing explains."""
    rows = told(data.summaries, "memory.slope_bytes", {"column": "available"})
    if not rows:
        return nothing("memory.slope_bytes")
    rows = sorted(first_kind(rows), key=lambda row: row.median or 0.0)
    baseline = next((row for row in rows if row.target == data.baseline), None)
    others = [row for row in rows if row is not baseline]
    start = f"Each further instance takes from the memory available here{_variant(rows[0])}: "
    told_of = [*([f"{_process(baseline)} {_value(baseline, data.summaries)}"] if baseline else []), *map(short, others)]
    sentences = [start + joined(told_of, 12) + blocks(rows), _rest(data.summaries, rows)]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _process(row: Summary) -> str:
    return "a bare process" if row.engine == "host" else row.target


def _value(row: Summary, summaries: Sequence[Summary]) -> str:
    """Write the slope with the fit's interval."""
    ends = [
        next(
            (one for one in told(summaries, f"memory.slope_{end}_bytes", row.params) if one.target == row.target), None
        )
        for end in ("low", "high")
    ]
    text = format_value(row.median, row.unit)
    low, high = (format_value(one.median, one.unit) if one else "" for one in ends)
    return f"{text} [{low}, {high}]" if low and high else text


def _variant(row: Summary) -> str:
    given = {name: value for name, value in row.params.items() if name not in ("column", "instances")}
    return f" ({', '.join(f'{name}={value}' for name, value in given.items())})" if given else ""


def _rest(summaries: Sequence[Summary], rows: Sequence[Summary]) -> str:
    """Say how much of what was taken is in no column, for the target where it is most."""
    given = {name: value for name, value in rows[0].params.items() if name != "column"}
    shares = told(summaries, "memory.unexplained_ratio", given)
    if not shares:
        return ""
    worst = max(shares, key=lambda row: abs(row.median or 0.0))
    share = worst.median or 0.0
    text = f"{significant(100 * share, 2)} % of what {worst.target} takes"
    if abs(share) > _DOUBT:
        return f"Not explained by any column: {text}, more than the {100 * _DOUBT:.0f} % that can be left to noise"
    return f"The unexplained rest is at most {text}"
