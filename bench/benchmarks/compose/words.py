"""The result of ``compose`` in sentences: whether the order is kept, what clients add to the API, and what they leave."""

from __future__ import annotations

from bench.benchmarks.compose import rows
from bench.display import lookup, paired, prose
from bench.display.data import ScenarioData, Variant

VIOLATIONS, LEFTOVERS = "compose.violations", "compose.leftovers"
_CHANGES, _LOST, _UNSCALED = "compose.noop_changes", "compose.lost_lines", "compose.unscaled"


def words(data: ScenarioData) -> str:
    """Say who breaks the order, what each client takes beside the API, and who leaves what."""
    found = prose.with_values(data.summaries, rows.READY.metric)
    if not found:
        return prose.no_values(rows.READY.metric)
    sentences = [
        _order(data),
        *_times(data),
        _left(data),
        _faults(data, _CHANGES, "Up with nothing to do changes containers"),
        _faults(data, _LOST, "Lines are missing in the logs"),
        _faults(data, _UNSCALED, "Containers are missing after scale"),
        prose.restriction(found),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Return the largest multiple of the API's time, and who breaks the order or leaves something."""
    ratios = [(times.ratio, row) for row in rows.ordered(data) if (times := rows.over_api(data, row, rows.READY))]
    if not ratios:
        found = prose.with_values(data.summaries, rows.READY.metric)
        return f"all ready {prose.span(found)}" if found else ""
    most, row = max(ratios, key=lambda pair: pair[0])
    bad = list(dict.fromkeys(rows.named(one) for one in rows.ordered(data) if _wrong(data, one)))
    text = f"all ready {most:.2g}× the API's time ({rows.named(row)})"
    return text + (f"; order or leftovers wrong: {prose.joined(bad, 2)}" if bad else "; order kept, nothing left")


def _wrong(data: ScenarioData, row: Variant) -> bool:
    return any(data.median(row, metric) for metric in (VIOLATIONS, LEFTOVERS))


def _order(data: ScenarioData) -> str:
    judged = [row for row in rows.ordered(data) if data.summary(row, VIOLATIONS)]
    broken = [row for row in judged if data.median(row, VIOLATIONS)]
    if not judged:
        return ""
    if not broken:
        return "Every client starts each service after those that it needs"
    said = [f"{_who(row)} ({lookup.most_frequent(lookup.notes_of(data, row).get('order'))})" for row in broken]
    return f"Start order not kept: {prose.joined(said)}"


def _times(data: ScenarioData) -> list[str]:
    """Return a sentence a project: the API's time, and the others as multiples of it."""
    found = []
    for project in rows.projects(data):
        mine = [row for row in rows.ordered(data) if rows.project_of(row) == project]
        floors = [(row, one) for row in mine if rows.client_of(row) == rows.FLOOR and (one := rows.READY.of(data, row))]
        others = [(row, times) for row in mine if (times := rows.over_api(data, row, rows.READY))]
        if not floors:
            continue
        text = prose.joined([f"{prose.value(one)} ({row.target})" for row, one in floors])
        beside = prose.joined([f"{paired.text(times)} of that by {rows.client_of(row)}" for row, times in others])
        found.append(
            f"Through the API, all services of {project} are ready after {text}" + (f", {beside}" if beside else "")
        )
    return found


def _left(data: ScenarioData) -> str:
    counted = [row for row in rows.ordered(data) if data.summary(row, LEFTOVERS)]
    leaving: dict[str, str] = {}
    for row in counted:
        if data.median(row, LEFTOVERS):
            leaving.setdefault(rows.named(row), lookup.most_frequent(lookup.notes_of(data, row).get("left")))
    if leaving:
        said = [f"{name} ({what})" for name, what in leaving.items()]
        return f"Left over after down with volumes: {prose.joined(said)}"
    return "No client leaves anything after down with volumes" if counted else ""


def _faults(data: ScenarioData, metric: str, sentence: str) -> str:
    wrong = [f"{_who(row)} ({data.median(row, metric):g})" for row in rows.ordered(data) if data.median(row, metric)]
    return f"{sentence}: {prose.joined(wrong)}" if wrong else ""


def _who(row: Variant) -> str:
    return f"{rows.named(row)} in {rows.project_of(row)}"
