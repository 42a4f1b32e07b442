"""The result of ``usage`` in sentences: whether what is reported is what the control group counts, and what a poll costs."""

from __future__ import annotations

from bench.benchmarks.usage.tables import FIGURES
from bench.core.model import NULL, SENTINEL, Summary
from bench.core.units import significant
from bench.display import lookup, prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Say which engine reports something else than the control group counts, and how long a poll takes."""
    rows = _ratios(data)
    polls = prose.with_values(data.summaries, "usage.poll_s")
    if not rows:
        return prose.no_values("usage.cpu_ratio")
    off = [row for row in rows if row.median != 1]
    said = [f"{len(rows) - len(off)} of {len(rows)} numbers are exactly those of the control group"]
    said += [f"{_version(data, row)} reports {significant(row.median or 0.0)}× the {_what(row)}" for row in off]
    said.append(f"A poll takes {prose.span(polls)}" if polls else "")
    return prose.paragraph(said)


def finding(data: ScenarioData) -> str:
    """Count the numbers that are exactly those of the control group."""
    rows = _ratios(data)
    exact = sum(row.median == 1 for row in rows)
    return f"{exact} of {len(rows)} reported numbers are exactly the control group's" if rows else ""


def _ratios(data: ScenarioData) -> list[Summary]:
    found = [
        row for name in ("usage.cpu_ratio", "usage.memory_ratio") for row in prose.with_values(data.summaries, name)
    ]
    return [row for row in found if row.target not in (NULL, SENTINEL)]


def _what(row: Summary) -> str:
    return FIGURES[str(row.params["figure"])] if "figure" in row.params else "CPU time"


def _version(data: ScenarioData, row: Summary) -> str:
    """Return the target with the version of its engine."""
    mine = [one for one in data.invoked if one.target == row.target]
    version = lookup.most_frequent(lookup.notes_of(data, mine[0]).get("version")) if mine else ""
    return f"{row.target} ({version})" if version else row.target
