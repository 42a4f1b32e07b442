"""The result of ``instructions`` in sentences: which instructions add a layer, by builder."""

from __future__ import annotations

from bench.benchmarks.instructions import tables
from bench.benchmarks.instructions.measure import INSTRUCTIONS
from bench.display import lookup, prose
from bench.display.data import ScenarioData, Variant


def words(data: ScenarioData) -> str:
    """Say of each builder which instructions add a layer, and which of these layers are empty."""
    said = []
    for row in lookup.without_control(data):
        counts = _counts(data, row)
        if counts:
            added = [name for name, count in counts.items() if count]
            empty = [name for name in added if not tables.layers(data, row, name, "filled_layers")]
            said.append(
                f"{row.text}: {len(added)} of {len(counts)} instructions add a layer, {prose.joined(added, 12)}"
            )
            said.append(f"Empty layers: {prose.joined(empty, 12)}" if empty else "")
    said += [text.removesuffix(".") for text in tables.deviations(data)]
    return prose.paragraph(said) or prose.no_values("instruction.layers")


def finding(data: ScenarioData) -> str:
    """Count the instructions that add a layer, by builder."""
    every = {row.text: _counts(data, row) for row in lookup.without_control(data)}
    return "; ".join(
        f"{name}: {sum(map(bool, counts.values()))} of {len(counts)} instructions add a layer"
        for name, counts in every.items()
        if counts
    )


def _counts(data: ScenarioData, row: Variant) -> dict[str, int]:
    found = {name: tables.layers(data, row, name) for name in INSTRUCTIONS}
    return {name: count for name, count in found.items() if count is not None}
