"""The result of ``pull`` in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData
from bench.display.lookup import first_and_last


def words(data: ScenarioData) -> str:
    """Say what share of the time to ready is the pull, and what more layers add."""
    rows = sorted(prose.with_values(data.summaries, "pull.share_ratio"), key=prose.median_of)
    if not rows:
        return prose.no_values("pull.share_ratio")
    ends = first_and_last(rows)
    texts = [f"{100 * (row.median or 0.0):.0f} % ({_layered(row)})" for row in ends]
    sentences = [
        f"The pull is {' to '.join(texts)} of the time until ready{prose.too_few_blocks(rows)}",
        _deeper(data.summaries),
    ]
    return prose.paragraph(sentences)


def _layered(row: Summary) -> str:
    layers = row.params.get("layers")
    return row.target if layers is None else f"{row.target}, {prose.plural(float(layers), 'layer')}"


def _deeper(summaries: Sequence[Summary]) -> str:
    """Name the target that slows down most between the fewest and the most layers."""
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
    return f"The same bytes in {many} instead of {few} take up to {significant(most)}× as long ({target})"
