"""The result of ``pull`` in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Say what share of the time to ready is the pull, and what more layers add."""
    rows = prose.with_values(data.summaries, "pull.share_ratio")
    if not rows:
        return prose.no_values("pull.share_ratio")
    sentences = [
        f"The pull is {_shares(rows)} of the time until ready",
        _deeper(data.summaries),
        prose.restriction(rows),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Say what share of the time to ready is the pull."""
    rows = prose.with_values(data.summaries, "pull.share_ratio")
    names = prose.brief_names(data)
    one = len({row.target for row in rows}) == 1
    whose = [_layers(row) if one else _layered(row, names.get(row.target, row.target)) for row in rows]
    texts = [f"{_percent(row)} ({who})" if who else _percent(row) for row, who in zip(rows, whose, strict=True)]
    return f"of a start: {', '.join(texts)}" if rows else ""


def _shares(rows: Sequence[Summary]) -> str:
    texts = [f"{_percent(row)} ({_layered(row, row.target)})" for row in rows]
    return prose.joined(texts)


def _percent(row: Summary) -> str:
    text = f"{100 * (row.median or 0.0):.0f} %"
    return text + (f" [{100 * row.ci.low:.0f}, {100 * row.ci.high:.0f}]" if row.ci else "")


def _layered(row: Summary, name: str) -> str:
    layers = _layers(row)
    return f"{name}, {layers}" if layers else name


def _layers(row: Summary) -> str:
    layers = row.params.get("layers")
    return "" if layers is None else prose.plural(float(layers), "layer")


def _deeper(summaries: Sequence[Summary]) -> str:
    """Compare the fewest with the most layers, on the target whose time grows most."""
    rows = prose.with_values(summaries, "pull.ready_s")
    layers = sorted({float(row.params.get("layers", 0)) for row in rows})
    if len(layers) < 2:
        return ""
    of = {(row.target, float(row.params.get("layers", 0))): row.median or 0.0 for row in rows}
    grown = [
        (of[target, layers[-1]] / of[target, layers[0]], target)
        for target in dict.fromkeys(row.target for row in rows)
        if of.get((target, layers[0])) and (target, layers[-1]) in of
    ]
    if not grown:
        return ""
    most, target = max(grown)
    few, many = (prose.plural(count, "layer") for count in (layers[0], layers[-1]))
    return (
        f"The same bytes in {many} instead of {few} take {significant(most)}× as long ({target}; ratio of the medians)"
    )
