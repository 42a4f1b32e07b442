"""The result of ``memory`` in sentences: how much memory each further instance takes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Interval, Summary
from bench.core.units import format_with_interval, significant
from bench.display import cells, fits, prose
from bench.display.data import ScenarioData

_DOUBT = 0.10
"""A larger unexplained share than this is pointed out."""


def words(data: ScenarioData) -> str:
    """Say how much each further instance takes from MemAvailable, and how much of it no column explains."""
    rows = prose.with_values(data.summaries, "memory.slope_bytes", {"column": "available"})
    if not rows:
        return prose.no_values("memory.slope_bytes")
    rows = sorted(prose.same_params_as_first(rows), key=lambda row: row.target != data.baseline)
    straight = [row for row in rows if not fits.is_wide(row.median, _fitted(row, data.summaries))]
    phrases = [f"{_process(row, data.baseline)} {_value(row, data.summaries)}" for row in straight]
    sentences = [
        f"Each further instance takes from the memory available{_variant(rows[0])}: {prose.joined(phrases, 12)}"
        if phrases
        else "",
        fits.left_out([row.target for row in rows if row not in straight]),
        _rest(data.summaries, rows),
        prose.restriction(rows),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give what each further instance takes, without the slopes that are no finding."""
    rows = prose.with_values(data.summaries, "memory.slope_bytes", {"column": "available"})
    rows = prose.same_params_as_first(rows) if rows else []
    straight = [row for row in rows if not fits.is_wide(row.median, _fitted(row, data.summaries))]
    names = prose.brief_names(data)
    texts = [f"{names.get(row.target, row.target)} {_value(row, data.summaries)}" for row in straight]
    return (
        f"each further instance: {prose.joined(texts, 5)}"
        if texts
        else "no number: the readings do not lie on a line" * bool(rows)
    )


def _process(row: Summary, baseline: str) -> str:
    return "a bare process" if row.engine == "host" and row.target == baseline else row.target


def _value(row: Summary, summaries: Sequence[Summary]) -> str:
    """Write the slope with the interval of the fit."""
    ci = _fitted(row, summaries)
    if ci is None or row.median is None:
        return prose.value(row)
    return cells.minus(format_with_interval(row.median, ci.low, ci.high, row.unit))


def _fitted(row: Summary, summaries: Sequence[Summary]) -> Interval | None:
    """Return the interval of the fit: the medians of its ends over the blocks."""
    ends = [
        one.median
        for end in ("low", "high")
        for one in prose.with_values(summaries, f"memory.slope_{end}_bytes", row.params)
        if one.target == row.target and one.median is not None
    ]
    return Interval(ends[0], ends[1], 0.95) if len(ends) == 2 else None


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
    text = f"{significant(100 * abs(share), 2)} %"
    if abs(share) <= _DOUBT:
        return f"At most {text} is unexplained ({worst.target})"
    more = "is in none of the columns" if share > 0 else "is counted twice"
    return f"Of what {worst.target} takes, {text} {more}; up to {100 * _DOUBT:.0f} % can be noise"
