"""The result of ``isolation`` in sentences: which target keeps a victim from its neighbour, by resource."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.isolation import slowdowns
from bench.benchmarks.isolation.kinds import NEIGHBOURS
from bench.benchmarks.isolation.slowdowns import OUTSIDE, P50, P99, UNLIMITED, Cell, Ranked
from bench.core.model import Status
from bench.core.units import significant
from bench.display import lookup, paired, prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Say for each neighbour how late the slowest operations are beside it and alone, and which target isolates better."""
    cells = slowdowns.grouped(data)
    rows = prose.with_values(data.summaries, P50.metric)
    if not rows:
        return prose.no_values(P50.metric)
    told = [_beside(data, name, slowdowns.ranked(data, cells, name)) for name in slowdowns.neighbours(cells)]
    return prose.paragraph(
        [
            *(sentence for pair in told for sentence in pair),
            paired.NOTE.rstrip(".") if any(sentence for sentence, _ in told) else "",
            *(_placebo(data, cells), _outside(data)),
            *(_unfinished(data), _emulated(data, cells), prose.restriction(rows)),
        ]
    )


def finding(data: ScenarioData) -> str:
    """Give the largest slowdown: how long the slowest operations take beside the neighbour and alone, with the interval."""
    cells = slowdowns.grouped(data)
    found = [one for name in slowdowns.neighbours(cells) for one in slowdowns.ranked(data, cells, name)]
    worst = max(found, key=lambda one: one.slowdown.ratio, default=None)
    if worst is None:
        return ""
    beside, alone = worst.what.of(data, worst.cell.arms.get(UNLIMITED)), worst.cell.alone(data, worst.what)
    which = f"for the {'slowest of 100' if worst.what == P99 else 'median'} on {worst.cell.target.text}"
    noun, times = NEIGHBOURS[worst.cell.neighbour].called, f"{paired.text(worst.slowdown)} {which}"
    if beside is None or alone is None:
        return f"Operations take {times} beside {noun}"
    return f"Operations take {prose.median_text(beside)} beside {noun} and {prose.median_text(alone)} alone ({times})"


def _beside(data: ScenarioData, name: str, order: Sequence[Ranked]) -> tuple[str, str]:
    """Return the times beside a neighbour, and which target isolates better where the intervals decide it."""
    if not order:
        return "", ""
    operations, times = _operations(order[0]), prose.joined([_times(data, one) for one in order])
    start = f"Beside a neighbour that {NEIGHBOURS[name].does} ({name}) {operations[:1].lower()}{operations[1:]}"
    return f"{start} {times}", _better(order)


def _operations(one: Ranked) -> str:
    """Say in plain words which quantile a time is."""
    return "The slowest of 100 operations takes" if one.what == P99 else "Half of the operations take at least"


def _times(data: ScenarioData, one: Ranked) -> str:
    """Write the time beside the neighbour, in brackets the time alone and the ratio with its interval."""
    beside, alone = one.what.of(data, one.cell.arms.get(UNLIMITED)), one.cell.alone(data, one.what)
    values = f"{prose.median_text(beside)} on " if beside else ""
    without = f"{prose.median_text(alone)} alone, " if alone else ""
    return f"{values}{one.cell.target.text} ({without}{paired.text(one.slowdown)})"


def _better(order: Sequence[Ranked]) -> str:
    """Say which targets isolate better than which."""
    if len(order) < 2:
        return ""
    tiers = [[one.cell.target.text for one in group] for group in slowdowns.tiers(order)]
    if len(tiers) == 1:
        return "No target isolates measurably better"
    first, second, *others = map(prose.joined, tiers)
    verb = "isolates" if len(tiers[0]) == 1 else "isolate"
    return f"{first} {verb} better than {', which in turn isolates better than '.join([second, *others])}"


def _placebo(data: ScenarioData, cells: Sequence[Cell]) -> str:
    within, of = slowdowns.placebo_within(data, cells)
    return f"An idle neighbour leaves the median time within 5 % of that alone in {within} of {of} cells" if of else ""


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
