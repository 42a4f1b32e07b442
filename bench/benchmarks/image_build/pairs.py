"""The pairs of recipes that ``image-build`` compares: a common mistake and the practice that avoids it."""

from __future__ import annotations

from dataclasses import dataclass

from bench.display import lookup, paired
from bench.display.data import ScenarioData, Variant
from bench.display.paired import Quantity
from bench.stats.pairs import Times

PAIRS = (
    ("good-order", "bad-order", "sources copied last"),
    ("multi-stage", "single-stage", "compiler left behind"),
    ("one-run", "many-run", "one RUN instead of many"),
    ("clean-same", "clean-later", "removed in the same layer"),
    ("ignore", "no-ignore", "with .dockerignore"),
)
"""The recipe of the good practice, that of the mistake, and the practice in a few words."""

BUILD, DISK = "image.build_s", "image.bytes"

_WORTH_NAMING = 1.01
"""Ratio from which on a mistake is named in a sentence or title."""

_CACHES = {"cold": "cold build", "source-change": "after a change", "unchanged": "nothing changed"}
_SIZES = (
    Quantity(DISK, {}, "on disk"),
    Quantity("image.layers", {}, "layers"),
    Quantity("image.context_bytes", {}, "sent to the builder"),
)


@dataclass(frozen=True)
class Pair:
    """Two recipes of one target: the practice in a few words, and the variants of the good practice and of the mistake."""

    target: str
    habit: str
    good: Variant
    bad: Variant


@dataclass(frozen=True)
class Cost:
    """What a mistake costs in one quantity: mistake ÷ good practice."""

    pair: Pair
    what: Quantity
    times: Times


def recipe_of(row: Variant) -> str:
    """Return the name of a variant's recipe."""
    return lookup.param_of(row, "recipe")


def pairs(data: ScenarioData) -> list[Pair]:
    """Return the pairs of which both recipes were invoked, by target."""
    of: dict[str, dict[str, Variant]] = {}
    for row in lookup.without_control(data):
        of.setdefault(row.target, {})[recipe_of(row)] = row
    return [
        Pair(target, habit, recipes[good], recipes[bad])
        for target, recipes in of.items()
        for good, bad, habit in PAIRS
        if good in recipes and bad in recipes
    ]


def quantities(data: ScenarioData) -> list[Quantity]:
    """Return the quantities of a build that the run has: build times by state of the cache, then sizes."""
    kinds = lookup.in_order(map(str, lookup.param_values(data, BUILD, "cache")), _CACHES)
    times = [Quantity(BUILD, {"cache": kind}, _CACHES.get(kind, kind)) for kind in kinds]
    present = {item.metric for item in data.summaries if item.median is not None}
    return times + [what for what in _SIZES if what.metric in present]


def ratio(data: ScenarioData, pair: Pair, what: Quantity) -> Times | None:
    """Return mistake ÷ good practice, paired block by block."""
    return paired.times(data, pair.bad, pair.good, what)


def costliest(data: ScenarioData, metric: str) -> Cost | None:
    """Return the mistake with the largest ratio of a metric; ``None`` if no mistake costs a noticeable amount.

    Ratios whose interval contains 1 count only if there are no others.
    """
    found = [
        Cost(pair, what, times)
        for what in quantities(data)
        for pair in pairs(data)
        if what.metric == metric and (times := ratio(data, pair, what))
    ]
    found = [one for one in found if one.times.sure] or found
    most = max(found, key=lambda one: one.times.ratio, default=None)
    return most if most and most.times.ratio >= _WORTH_NAMING else None
