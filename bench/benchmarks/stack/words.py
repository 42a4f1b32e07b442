"""The result of ``stack`` in sentences: what each layer adds."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.display import cells, prose
from bench.display.data import ScenarioData

ADDED = "stack.added_s"


def words(data: ScenarioData) -> str:
    """Name the layer that adds most to a whole life, in wall and CPU time, and list what the others add."""
    rows = prose.with_values(data.summaries, ADDED, {"phase": "total"})
    if not rows:
        return prose.no_values(f"{ADDED}: two neighbouring layers in one block")
    most = prose.highest(rows)
    others = [f"{row.target} {_signed(row)}" for row in rows if row is not most]
    sentences = [
        f"{most.target} adds most to a whole life: {_cost(most, data.summaries)}" if most else "",
        f"{'The others' if most else 'The layers'} add {prose.joined(others, 12)}" if others else "",
        _daemons(data.summaries),
        prose.restriction(rows),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give what each layer adds to a whole life."""
    rows = prose.with_values(data.summaries, ADDED, {"phase": "total"})
    names = prose.brief_names(data)
    most = prose.highest(rows)
    if most is None:
        return f"each layer adds: {prose.listed(data, rows, 3)}" if rows else ""
    others = [f"{names.get(row.target, row.target)} {_signed(row)}" for row in rows if row is not most]
    start = f"{names.get(most.target, most.target)} adds most to a life: {_signed(most)}"
    return "; ".join([start, *([prose.joined(others, 3)] if others else [])])


def _cost(row: Summary, summaries: Sequence[Summary]) -> str:
    """Write the wall and the CPU time that a layer adds."""
    found = prose.with_values(summaries, "stack.added_cpu_s", {"phase": "total"})
    cpu = next((one for one in found if one.target == row.target), None)
    text = f"{_signed(row)} of wall time"
    return f"{text} and {_signed(cpu)} of CPU time" if cpu else text


def _signed(row: Summary) -> str:
    return cells.minus(prose.value(row))


def _daemons(summaries: Sequence[Summary]) -> str:
    """Give the CPU time of the daemons for one life."""
    rows = prose.with_values(summaries, "stack.daemon_cpu_s")
    return f"CPU time of the daemons for one life: {prose.span(rows)}" if rows else ""
