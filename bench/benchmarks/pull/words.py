"""Say the result of ``pull``."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import significant
from bench.display.data import ScenarioData
from bench.display.prose import TIMES, blocks, nothing, told


def words(data: ScenarioData) -> str:
    """Say what share of the time to ready the pull has, and what many layers add."""
    rows = sorted(told(data.summaries, "pull.share_ratio"), key=lambda row: row.median or 0.0)
    if not rows:
        return nothing("pull.share_ratio")
    ends = rows if len(rows) < 2 else [rows[0], rows[-1]]
    texts = [f"{100 * (row.median or 0.0):.0f} % ({_layered(row)})" for row in ends]
    sentences = [f"The pull is {' to '.join(texts)} of the time until ready{blocks(rows)}", _deeper(data.summaries)]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _layered(row: Summary) -> str:
    layers = row.params.get("layers")
    return row.target if layers is None else f"{row.target}, {layers} {'layer' if layers == 1 else 'layers'}"


def _deeper(summaries: Sequence[Summary]) -> str:
    """Tell of the target where the most layers cost most over the fewest."""
    rows = told(summaries, "pull.ready_s")
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
    few = "1 layer" if layers[0] == 1 else f"{layers[0]:.0f} layers"
    return f"The same bytes in {layers[-1]:.0f} layers instead of {few} take up to {significant(most)}{TIMES} as long ({target})"
