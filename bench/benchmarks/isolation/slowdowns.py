"""Slowdowns: each arm divided by the victim alone on the same target, block by block, and the order of targets by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.benchmarks.isolation import ARMS, BENCHMARK, NEIGHBOURS
from bench.core.model import Summary
from bench.display import lookup, paired
from bench.display.data import ScenarioData, Variant
from bench.display.paired import Quantity
from bench.stats.pairs import Times

ALONE, PLACEBO, UNLIMITED, LIMITED, APART = ARMS
BESIDE = ARMS[1:]
"""The arms that are compared with the victim alone."""
P50 = Quantity("isolation.p50_s", {}, "median")
P99 = Quantity("isolation.p99_s", {}, "99th percentile")
P999 = Quantity("isolation.p999_s", {}, "99.9th percentile")
REFERENCE = {one.metric: Quantity(one.metric.replace(".", ".reference_"), {}, one.title) for one in (P50, P99, P999)}
"""Metric → the same of the victim while it worked by itself in the same invocation."""
KEPT = Quantity("isolation.kept_ratio", {}, "rate kept")
FIRST, TOGETHER = (
    Quantity("isolation.neighbour_alone_per_s", {}, "before the victim"),
    Quantity("isolation.neighbour_per_s", {}, "beside it"),
)
OUTSIDE = Quantity("isolation.sentinel_ratio", {}, "outside the lab ÷ idle")
PLACEBO_BAND = (0.95, 1.05)
"""An idle neighbour is expected to leave the median within this."""


@dataclass(frozen=True)
class Cell:
    """The arms of one target and one neighbour.

    Attributes:
        row: The variant whose label leaves out the arm.
        neighbour: What the neighbour takes.
        arms: Arm → variant.
    """

    row: Variant
    neighbour: str
    arms: Mapping[str, Variant]

    def slowdown(self, data: ScenarioData, arm: str, what: Quantity) -> Times | None:
        """Return a quantity in an arm ÷ that of the victim alone: in the same invocation, or paired block by block."""
        row, reference = self.arms.get(arm), REFERENCE.get(what.metric)
        own = paired.times(data, row, row, what, reference) if reference else None
        return own or paired.times(data, row, self.arms.get(ALONE), what)

    def alone(self, data: ScenarioData, what: Quantity) -> Summary | None:
        """Return a quantity of the victim alone; without that arm, from the first arm in which it also worked by itself."""
        if (found := what.of(data, self.arms.get(ALONE))) or what.metric not in REFERENCE:
            return found
        others = (REFERENCE[what.metric].of(data, self.arms.get(arm)) for arm in BESIDE)
        return next((one for one in others if one), None)

    @property
    def target(self) -> Variant:
        """The variant whose label leaves out the neighbour, too."""
        return lookup.unlabelled(self.row, "neighbour")

    @property
    def judged(self) -> bool:
        """Whether it may stand in an order: an emulated machine says nothing about machines."""
        return "accel=tcg" not in self.row.target


def grouped(data: ScenarioData) -> list[Cell]:
    """Return one cell for each target, neighbour and other parameter, in display order."""
    found: dict[str, dict[str, Variant]] = {}
    for row in lookup.without_control(data):
        found.setdefault(lookup.unlabelled(row, "arm").text, {})[_param(row, "arm")] = row
    return [_cell(arms) for arms in found.values()]


def _cell(arms: Mapping[str, Variant]) -> Cell:
    row = next(iter(arms.values()))
    return Cell(lookup.unlabelled(row, "arm"), _param(row, "neighbour"), arms)


def _param(row: Variant, name: str) -> str:
    """Return a variant's parameter, its default where the scenario does not set it."""
    return lookup.param_of(row, name) or str(BENCHMARK.params[name].default)


def neighbours(cells: Sequence[Cell]) -> list[str]:
    """Return the neighbours that were measured."""
    return lookup.in_order(dict.fromkeys(cell.neighbour for cell in cells), NEIGHBOURS)


@dataclass(frozen=True)
class Ranked:
    """One target in the order of a neighbour's slowdowns."""

    cell: Cell
    slowdown: Times
    what: Quantity = P99


def ranked(data: ScenarioData, cells: Sequence[Cell], neighbour: str) -> list[Ranked]:
    """Return the targets beside an unlimited neighbour, the strongest (least slowed) first; only those with an interval."""
    what = decisive(data, cells, neighbour)
    found = [
        Ranked(cell, times, what)
        for cell in cells
        if cell.neighbour == neighbour and cell.judged
        if (times := cell.slowdown(data, UNLIMITED, what)) and times.ci
    ]
    return sorted(found, key=lambda one: one.slowdown.ratio)


def decisive(data: ScenarioData, cells: Sequence[Cell], neighbour: str) -> Quantity:
    """Return what a neighbour's slowdowns are told by: the 99th percentile, the median where no victim has one."""
    own = [cell for cell in cells if cell.neighbour == neighbour]
    return P99 if any(cell.slowdown(data, UNLIMITED, P99) for cell in own) else P50


def tiers(order: Sequence[Ranked]) -> list[list[Ranked]]:
    """Split an order where the intervals decide: each target of a tier is weaker than every one of the tiers before."""
    found: list[list[Ranked]] = []
    highest = 0.0
    for one in order:
        if one.slowdown.ci is None:
            continue
        if not found or one.slowdown.ci.low > highest:
            found.append([])
        found[-1].append(one)
        highest = max(highest, one.slowdown.ci.high)
    return found


def placebo_within(data: ScenarioData, cells: Sequence[Cell]) -> tuple[int, int]:
    """Return how many cells' placebo leaves the median within the band, and how many cells have one."""
    found = [times.ratio for cell in cells if (times := cell.slowdown(data, PLACEBO, P50))]
    return sum(PLACEBO_BAND[0] <= ratio <= PLACEBO_BAND[1] for ratio in found), len(found)
