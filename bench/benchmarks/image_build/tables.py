"""Which habits of a build pay: recipes in pairs, the usual mistake divided by the habit, block by block."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bench.benchmarks.image_build.words import PAIRS
from bench.core.model import NULL
from bench.display import cells, lookup, paired, table
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.paired import Quantity, Times
from bench.display.table import NONE, Cell, Column, Grid

BUILD = "image.build_s"
_CACHES = {"cold": "cold build", "source-change": "after a change", "unchanged": "nothing changed"}
_SIZES = (
    Quantity("image.bytes", {}, "on disk"),
    Quantity("image.layers", {}, "layers"),
    Quantity("image.context_bytes", {}, "sent to the builder"),
)


@dataclass(frozen=True)
class Pair:
    """Two recipes of one target: what the habit is, and both variants; a recipe that is no half of any pair is alone."""

    target: str
    habit: str
    good: Variant
    bad: Variant


def tables(data: ScenarioData) -> list[Grid]:
    """Return the pairs with their ratios, then every recipe with its own numbers."""
    chosen = quantities(data)
    made = [_pairs(data, chosen)]
    every = [what for what in chosen if what.metric == BUILD], [what for what in chosen if what.metric != BUILD]
    made += [_recipes(data, title, part) for title, part in zip(("Time to build", "What is built"), every, strict=True)]
    return cells.some(made)


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric == BUILD)


def quantities(data: ScenarioData) -> list[Quantity]:
    """Return what was measured of a build."""
    kinds = [str(kind) for kind in lookup.kinds(data, BUILD, "cache")]
    ordered = [name for name in _CACHES if name in kinds] + [name for name in kinds if name not in _CACHES]
    times = [Quantity(BUILD, {"cache": kind}, _CACHES.get(kind, kind)) for kind in ordered]
    present = {item.metric for item in data.summaries if item.median is not None}
    return times + [what for what in _SIZES if what.metric in present]


def pairs(data: ScenarioData) -> list[Pair]:
    """Return the pairs of which both halves were invoked, a target after the other."""
    of: dict[str, dict[str, Variant]] = {}
    for row in data.invoked:
        if row.target != NULL:
            of.setdefault(row.target, {})[recipe_of(row)] = row
    return [
        Pair(target, habit, recipes[good], recipes[bad])
        for target, recipes in of.items()
        for good, bad, habit in PAIRS
        if good in recipes and bad in recipes
    ]


def recipes(data: ScenarioData) -> list[Variant]:
    """Return every recipe of every target, the two halves of a pair one after the other."""
    order = [name for good, bad, _ in PAIRS for name in (good, bad)]
    targets = list(dict.fromkeys(row.target for row in data.invoked))
    rows = [row for row in data.invoked if row.target != NULL]
    return sorted(
        rows,
        key=lambda row: (
            targets.index(row.target),
            order.index(recipe_of(row)) if recipe_of(row) in order else len(order),
        ),
    )


def recipe_of(row: Variant) -> str:
    """Return how an image is built."""
    return str(json.loads(row.params).get("recipe", ""))


def times(data: ScenarioData, pair: Pair, what: Quantity) -> Times | None:
    """Return the mistake divided by the habit."""
    return paired.times(data, pair.bad, pair.good, what)


def label(pair: Pair) -> Label:
    """Return a pair as a row: the mistake, and under it the habit and the target."""
    return Label(recipe_of(pair.bad), f"÷ {recipe_of(pair.good)}, {pair.target}")


def _pairs(data: ScenarioData, chosen: Sequence[Quantity]) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for pair in pairs(data):
        found = [times(data, pair, what) for what in chosen]
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
        found = [what.of(data, row) for what in chosen]
        main = next((one for one in found if one), None)
        made = [cells.tight(one) for one in found]
        rows.append((Label(recipe_of(row) or NONE, row.target), [*made, *cells.counted(data, row, main)]))
    heads = [*(Column(what.title, cells.CI) for what in chosen), *cells.COUNTS]
    return cells.grid(title, heads, rows, first="Recipe")
