"""Ratios of two variants, paired block by block, and the quantities that they are computed of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.core.metrics import METRICS
from bench.core.model import ParamValue, Summary
from bench.core.units import significant
from bench.display.data import ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid, interval_text, ratio_text
from bench.stats import pairs
from bench.stats.pairs import Times

NOTE = "Ratios are taken within blocks, so two values need not divide to the ratio beside them."
"""What stands wherever two medians are shown with their ratio."""


@dataclass(frozen=True)
class Quantity:
    """A measured quantity: metric, params in addition to the variant's, and title."""

    metric: str
    more: Mapping[str, ParamValue]
    title: str

    def of(self, data: ScenarioData, row: Variant | None) -> Summary | None:
        """Return a variant's series; ``None`` without a value."""
        found = data.summary(row, self.metric, **self.more) if row else None
        return found if found and found.median is not None else None


def times(
    data: ScenarioData, above: Variant | None, below: Variant | None, what: Quantity, base: Quantity | None = None
) -> Times | None:
    """Return ``above`` ÷ ``below``, paired block by block; ``None`` without common blocks or if a value is not positive.

    ``base`` is the quantity of ``below`` where it is not the same one.
    """
    if above is None or below is None:
        return None
    upper, lower = (data.series(row, of.metric, **of.more) for row, of in ((above, what), (below, base or what)))
    return pairs.ratio(upper, lower)


def cost(data: ScenarioData, above: Variant | None, below: Variant | None, what: Quantity) -> Times | None:
    """Return the same ratio, inverted for metrics that are better when higher, so that more is always worse."""
    return _inverted_if_higher_is_better(times(data, above, below, what), what.metric)


def cost_to_baseline(data: ScenarioData, row: Variant | None, what: Quantity) -> Times | None:
    """Return the ratio to the baseline, inverted for metrics that are better when higher; ``None`` for the baseline itself."""
    found = what.of(data, row)
    if found is None or not found.ratio or found.target == data.baseline:
        return None
    return _inverted_if_higher_is_better(Times(found.ratio, found.ratio_ci, found.ratio_n), what.metric)


def cell(found: Times | None) -> Cell:
    """Write a ratio with its interval."""
    if found is None:
        return Cell(NONE)
    return Cell(ratio_text(found.ratio), "" if found.exact else interval_text(found.ci, "ratio"))


def text(found: Times) -> str:
    """Write a ratio with its interval on one line."""
    start = f"{significant(found.ratio)}×"
    if found.ci is None or found.exact:
        return start
    return f"{start} [{significant(found.ci.low)}–{significant(found.ci.high)}]"


def explained(grids: Sequence[Grid]) -> list[Grid]:
    """Say under the first table that has values and their ratios how the ratios were computed."""
    first = next((grid for grid in grids if any(_is_ratio(column) for column in grid.columns)), None)
    return [replace(grid, note=f"{grid.note} {NOTE}".strip()) if grid is first else grid for grid in grids]


def _is_ratio(column: Column) -> bool:
    return column.title.startswith("× ") or column.title == "ratio"


def _inverted_if_higher_is_better(found: Times | None, metric: str) -> Times | None:
    higher = metric in METRICS and METRICS[metric].better == "higher"
    return found.inverse() if found and higher else found
