"""The table of ``instructions``: the layers that each instruction adds, by builder; and what deviates from the documentation."""

from __future__ import annotations

from bench.benchmarks.instructions.measure import DOCUMENTED, INSTRUCTIONS
from bench.core.model import Status
from bench.display import cells, lookup
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid

_NOTE = (
    "Layers of the image that its base does not have. “Empty” is a layer with nothing in it. Documented: RUN, COPY and ADD add a "
    "layer, all others none."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return one row an instruction, one column a builder."""
    targets = lookup.without_control(data)
    rows: list[tuple[Row, list[Cell]]] = []
    for name, line in INSTRUCTIONS.items():
        found = [_cell(data, row, name) for row in targets]
        if any(cell.text != NONE for cell in found):
            rows.append((Label(line), found))
    heads = [Column(row.text, numeric=False) for row in targets]
    return cells.filled([cells.grid("What each instruction adds", heads, rows, first="Instruction", note=_NOTE)])


def notes(data: ScenarioData) -> list[str]:
    """Say what is not as documented, and what was skipped."""
    said = [*deviations(data)]
    for row in data.invoked:
        mine = lookup.outcomes_of(data, row)
        reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
        said += [f"{row.text}: {reasons[0]}."] if reasons and len(reasons) == len(mine) else []
    return said


def layers(data: ScenarioData, row: Variant, name: str, metric: str = "layers") -> int | None:
    """Return how many layers an instruction adds; ``None`` without a number."""
    found = data.summary(row, f"instruction.{metric}", instruction=name)
    return None if found is None or found.median is None else round(found.median)


def deviations(data: ScenarioData) -> list[str]:
    """Name the instructions whose layers are not as documented, by builder, with its version."""
    said = []
    for row in lookup.without_control(data):
        version = lookup.most_frequent(lookup.notes_of(data, row).get("version"))
        names = [name for name in INSTRUCTIONS if layers(data, row, name) not in (None, int(name in DOCUMENTED))]
        told = [f"{INSTRUCTIONS[name]} adds {layers(data, row, name)}" for name in names]
        said += [f"{row.text} ({version}): {'; '.join(told)}. Not as documented."] if told else []
    return said


def _cell(data: ScenarioData, row: Variant, name: str) -> Cell:
    count, filled = layers(data, row, name), layers(data, row, name, "filled_layers")
    if count is None or filled is None:
        return Cell(NONE)
    return Cell(str(count), "empty" if count and not filled else "")
