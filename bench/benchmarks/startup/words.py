"""The result of ``startup`` in sentences: how long targets take to be ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.core.model import NULL, SENTINEL, Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData

_LISTED = 4
"""Up to this many containers are listed; more are given as a range."""


def words(data: ScenarioData) -> str:
    """Compare the time to ready of every target with the baseline.

    ``data.meta`` is the scenario's object in ``run.json``. Only targets with an interval are compared; the others
    are named with the reason. With several params, only those of the baseline's first row are described.
    """
    rows = _rows(data.summaries, data.meta)
    baseline = next((row for row in rows if row.target == data.baseline), None)
    if baseline is None or baseline.median is None:
        name = data.meta.get("baseline", "none")
        return f"No comparison can be made: the baseline ({name}) has no measurement in this run."
    start = f"On {data.here} {_subject(baseline)} {_verb(baseline.metric)} {prose.value(baseline)}{_params(baseline)}"
    if baseline.ci is None:
        return f"{start}, in {prose.plural(baseline.n, 'block')}: too few for an interval, so nothing is compared."
    others = [row for row in rows if row.target not in (baseline.target, NULL, SENTINEL)]
    compared = [row for row in others if row.ratio is not None and row.ratio_ci is not None]
    sentences = [
        start,
        _sandboxes(compared),
        _containers(compared),
        _machines(compared),
        _not_compared(others, compared),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give the time to ready of the baseline, and of the quickest and the slowest container or, without any, the sandbox."""
    rows = _rows(data.summaries, data.meta)
    baseline = [row for row in rows if row.target == data.baseline]
    others = [row for row in rows if row.target not in (data.baseline, NULL, SENTINEL) and row.median is not None]
    containers = [row for row in others if _is_container(row)]
    names = prose.brief_names(data)
    parts = [prose.listed(data, baseline)] if baseline else []
    parts += [f"containers {prose.span(containers, names, 3)}"] if containers else []
    sandboxes = [row for row in others if row.engine == "sandbox" and not containers]
    parts += [prose.listed(data, sandboxes)] if sandboxes else []
    return f"ready: {'; '.join(parts)}" if parts else ""


def _rows(summaries: Sequence[Summary], meta: Mapping[str, Any]) -> list[Summary]:
    """Return the rows of one scenario, one metric and one set of params."""
    primary = tuple(meta.get("primary", ())) or ("startup.ready_s",)
    metric = "startup.ready_s" if "startup.ready_s" in primary else primary[0]
    rows = [row for row in summaries if row.metric == metric]
    # The scenario's name is not in its object: it is the one whose baseline this is, "startup" before any other.
    based = [row for row in rows if row.target == meta.get("baseline")]
    based.sort(key=lambda row: (row.scenario != "startup", row.median is None))
    return [row for row in rows if based and (row.scenario, row.params) == (based[0].scenario, based[0].params)]


def _subject(row: Summary) -> str:
    return "a bare process" if row.engine == "host" else row.target


def _verb(metric: str) -> str:
    return "is ready after" if metric == "startup.ready_s" else f"has a {metric} of"


def _params(row: Summary) -> str:
    return f" ({', '.join(f'{name}={value}' for name, value in row.params.items())})" if row.params else ""


def _is_machine(row: Summary) -> bool:
    return row.kind == "machine"


def _is_container(row: Summary) -> bool:
    return row.kind == "container"


def _named(rows: Sequence[Summary]) -> dict[str, str]:
    return {row.target: f"{row.target}, {significant(prose.ratio_of(row), 2)}×" for row in rows}


def _sandboxes(compared: Sequence[Summary]) -> str:
    found = [row for row in compared if row.engine == "sandbox"]
    if not found:
        return ""
    row = min(found, key=prose.ratio_of)
    return f"Namespaces alone make that {prose.ratio_with_interval(row)} ({prose.median_text(row)})"


def _containers(compared: Sequence[Summary]) -> str:
    found = [row for row in compared if _is_container(row)]
    return f"Containers are ready in {prose.span(found, _named(found), _LISTED)}" if found else ""


def _machines(compared: Sequence[Summary]) -> str:
    found = [row for row in compared if _is_machine(row)]
    if not found:
        return ""
    start = "The virtual machine is" if len(found) == 1 else "Virtual machines are"
    emulated = "; emulated (TCG), so this says nothing about KVM" if all("accel=tcg" in r.target for r in found) else ""
    return f"{start} ready in {prose.span(found, _named(found))}{emulated}"


def _not_compared(others: Sequence[Summary], compared: Sequence[Summary]) -> str:
    left = [row for row in others if row not in compared]
    if not left:
        return ""
    listed = ", ".join(f"{row.target} ({_why(row)})" for row in left)
    return f"Nothing is said about {listed}"


def _why(row: Summary) -> str:
    if not row.n:
        return f"{row.failures} of {row.attempts} invocations failed"
    if row.ratio is None:
        return "no ratio"
    return f"{row.ratio_n} blocks are too few for an interval"
