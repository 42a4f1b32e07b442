"""The tables of ``image-build``: what common mistakes cost, and the numbers of every recipe."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.image_build.pairs import BUILD, PAIRS, Pair, pairs, quantities, ratio, recipe_of
from bench.display import cells, lookup, paired, table
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid


def tables(data: ScenarioData) -> list[Grid]:
    """Return the ratios of the pairs, then the build times and the sizes of every recipe."""
    chosen = quantities(data)
    made = [_pairs(data, chosen)]
    every = [what for what in chosen if what.metric == BUILD], [what for what in chosen if what.metric != BUILD]
    made += [_recipes(data, title, part) for title, part in zip(("Time to build", "What is built"), every, strict=True)]
    return cells.filled(made)


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric == BUILD)


def recipes(data: ScenarioData) -> list[Variant]:
    """Return the variants by target, the two recipes of a pair one after the other."""
    order = [name for good, bad, _ in PAIRS for name in (good, bad)]
    targets = list(dict.fromkeys(row.target for row in data.invoked))
    rows = lookup.without_control(data)
    return sorted(
        rows,
        key=lambda row: (
            targets.index(row.target),
            order.index(recipe_of(row)) if recipe_of(row) in order else len(order),
        ),
    )


def label(pair: Pair) -> Label:
    """Label a pair: the mistake, and under it the good practice and the target."""
    return Label(recipe_of(pair.bad), f"÷ {recipe_of(pair.good)}, {pair.target}")


def _pairs(data: ScenarioData, chosen: Sequence[Quantity]) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for pair in pairs(data):
        found = [ratio(data, pair, what) for what in chosen]
        n = max((one.n for one in found if one), default=0)
        rows.append((label(pair), [*(paired.cell(one) for one in found), Cell(pair.habit), Cell(str(n))]))
    heads = [
        *(Column(what.title, cells.CI) for what in chosen),
        Column("the habit", numeric=False),
        Column("n"),
    ]
    note = (
        "How many times as much the mistake takes as the habit, paired block by block; bytes and layers are exact, so that any "
        "difference counts."
    )
    return cells.grid("The mistake, in multiples of the habit", heads, rows, first="Pair", note=note)


def _recipes(data: ScenarioData, title: str, chosen: Sequence[Quantity]) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for row in recipes(data) if chosen else ():
        label = Label(recipe_of(row) or NONE, row.target)
        rows.append((label, cells.quantity_cells(data, row, chosen, cells.compact_value)))
    return cells.grid(title, cells.quantity_heads(chosen), rows, first="Recipe")
