"""The result of ``memory`` in sentences: how much memory each further instance takes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData

_DOUBT = 0.10
"""A larger unexplained share than this is pointed out."""


def words(data: ScenarioData) -> str:
    """Say how much each further instance takes from MemAvailable, and how much of it no column explains."""
    rows = prose.with_values(data.summaries, "memory.slope_bytes", {"column": "available"})
    if not rows:
        return prose.no_values("memory.slope_bytes")
    rows = sorted(prose.same_params_as_first(rows), key=prose.median_of)
    baseline = next((row for row in rows if row.target == data.baseline), None)
    others = [row for row in rows if row is not baseline]
    start = f"Each further instance takes from the memory available here{_variant(rows[0])}: "
    phrases = [
        *([f"{_process(baseline)} {_value(baseline, data.summaries)}"] if baseline else []),
        *map(prose.target_and_median, others),
    ]
    sentences = [start + prose.joined(phrases, 12) + prose.too_few_blocks(rows), _rest(data.summaries, rows)]
    return prose.paragraph(sentences)


def _process(row: Summary) -> str:
    return "a bare process" if row.engine == "host" else row.target


def _value(row: Summary, summaries: Sequence[Summary]) -> str:
    """Write the slope with the interval of the fit."""
    ends = [
        next(
            (
                one
                for one in prose.with_values(summaries, f"memory.slope_{end}_bytes", row.params)
                if one.target == row.target
            ),
            None,
        )
        for end in ("low", "high")
    ]
    text = prose.median_text(row)
    low, high = (prose.median_text(one) if one else "" for one in ends)
    return f"{text} [{low}, {high}]" if low and high else text


def _variant(row: Summary) -> str:
    given = {name: value for name, value in row.params.items() if name not in ("column", "instances")}
    return f" ({', '.join(f'{name}={value}' for name, value in given.items())})" if given else ""


def _rest(summaries: Sequence[Summary], rows: Sequence[Summary]) -> str:
    """Give the largest unexplained share of all targets."""
    given = {name: value for name, value in rows[0].params.items() if name != "column"}
    shares = prose.with_values(summaries, "memory.unexplained_ratio", given)
    if not shares:
        return ""
    worst = max(shares, key=lambda row: abs(row.median or 0.0))
    share = worst.median or 0.0
    text = f"{significant(100 * share, 2)} % of what {worst.target} takes"
    if abs(share) > _DOUBT:
        return f"Not explained by any column: {text}, more than the {100 * _DOUBT:.0f} % that can be left to noise"
    return f"The unexplained rest is at most {text}"
