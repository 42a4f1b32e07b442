"""The result of ``isolation`` in sentences: which target keeps a victim from its neighbour, by resource."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.isolation import slowdowns
from bench.benchmarks.isolation.slowdowns import OUTSIDE, P50, UNLIMITED, Cell, Ranked
from bench.core.model import Status
from bench.core.units import significant
from bench.display import lookup, paired, prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Give the order of the targets by resource, the placebo, and what did not finish."""
    cells = slowdowns.grouped(data)
    rows = prose.with_values(data.summaries, P50.metric)
    if not rows:
        return prose.no_values(P50.metric)
    orders = [_order(name, slowdowns.ranked(data, cells, name)) for name in slowdowns.neighbours(cells)]
    return prose.paragraph(
        [
            *(*orders, _placebo(data, cells), _outside(data)),
            *(_unfinished(data), _emulated(data, cells), prose.restriction(rows)),
        ]
    )


def finding(data: ScenarioData) -> str:
    """Return the largest slowdown of a tail, with its interval."""
    cells = slowdowns.grouped(data)
    found = [one for name in slowdowns.neighbours(cells) for one in slowdowns.ranked(data, cells, name)]
    worst = max(found, key=lambda one: one.slowdown.ratio, default=None)
    if worst is None:
        return ""
    return f"{worst.what.title} beside {worst.cell.neighbour}: up to {paired.text(worst.slowdown)} ({worst.cell.target.text})"


def _order(name: str, order: Sequence[Ranked]) -> str:
    """Say which target isolates better beside a neighbour, where the intervals decide it."""
    if len(order) < 2:
        return ""
    groups = slowdowns.tiers(order)
    if len(groups) == 1:
        return f"Beside {name} no target isolates measurably better: {_listed(order)}"
    first, second, *others = map(_listed, groups)
    return f"Beside {name} {', and that stronger than '.join([f'{first} isolates stronger than {second}', *others])}"


def _listed(found: Sequence[Ranked]) -> str:
    return prose.joined([f"{one.cell.target.text} ({paired.text(one.slowdown)})" for one in found])


def _placebo(data: ScenarioData, cells: Sequence[Cell]) -> str:
    within, of = slowdowns.placebo_within(data, cells)
    return f"An idle neighbour leaves the victim's median within 5 % in {within} of {of} cells" if of else ""


def _outside(data: ScenarioData) -> str:
    """Say how usable the host stays in the worst case."""
    found = prose.with_values(data.summaries, OUTSIDE.metric)
    if not found:
        return ""
    worst = max(found, key=prose.median_of)
    where = f"{worst.target}, {worst.params.get('neighbour', '')} {worst.params.get('arm', '')}".rstrip()
    return f"A process outside the lab wakes at most {prose.value(worst)} times as late as on the idle host ({where})"


def _unfinished(data: ScenarioData) -> str:
    """Name the arms in which the victim did not finish before its deadline."""
    found = []
    for row in lookup.without_control(data):
        ended = lookup.outcomes_of(data, row)
        late = int(((ended["status"] == Status.TIMEOUT) & ended["reason"].str.startswith("did not finish")).sum())
        if late:
            found.append(f"{row.text} ({late} of {len(ended)})")
    return f"The victim did not finish before its deadline: {prose.joined(found)}" if found else ""


def _emulated(data: ScenarioData, cells: Sequence[Cell]) -> str:
    """Give what an emulated machine showed, without judging machines by it."""
    found = [(cell, times) for cell in cells if not cell.judged if (times := cell.slowdown(data, UNLIMITED, P50))]
    texts = [f"{significant(times.ratio, 2)}× the median beside {cell.neighbour}" for cell, times in found]
    return f"The emulated machine ({prose.joined(texts)}) does not count as a machine in any order" if texts else ""
