"""The A/A control of a scenario for tables and charts: the baseline, measured a second time in each block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bench.core.model import NULL, Interval, Summary
from bench.core.units import significant
from bench.display import cells, lookup
from bench.display.data import Label, Row, ScenarioData, Variant, metric_title, params_key, params_text
from bench.display.table import Cell, Column, Grid, ratio_cell

_MOST = 12
"""Series that the table lists; of more it shows the lowest and the highest ratio of each metric."""
_NOTE = "The same target under two names: a ratio whose interval leaves out 1 is the host's doing, not a target's."


def rows(data: ScenarioData) -> list[Variant]:
    """Return one row a target with ratios to the baseline, the control first; labels have no params."""
    found = {row.target: replace(row, params="{}", shown=None) for row in data.invoked if row.target != data.baseline}
    return sorted(found.values(), key=lambda row: row.target != NULL)


def ratios(data: ScenarioData, target: str, metric: str) -> list[Summary]:
    """Return the series of a target and metric that have a ratio to the baseline."""
    mine = (one for one in data.summaries if (one.target, one.metric) == (target, metric))
    return [one for one in mine if one.ratio is not None]


def band(series: Iterable[Summary]) -> Interval | None:
    """Return the range from the lowest to the highest end of the control's intervals; ``None`` without one."""
    found = [one.ratio_ci for one in series if one.target == NULL and one.ratio_ci]
    if not found:
        return None
    return Interval(min(ci.low for ci in found), max(ci.high for ci in found), found[0].level)


def title(data: ScenarioData, series: Sequence[Summary]) -> str:
    """Say how far the control's intervals reach; without an interval only what is drawn."""
    found = band(series)
    if found is None:
        return f"{data.baseline} against itself, beside the other targets"
    count = sum(one.target == NULL and one.ratio_ci is not None for one in series)
    where = "" if count == 1 else f" in {count} series"
    low, high = significant(found.low, 2), significant(found.high, 2)
    return f"{data.baseline} against itself lies between {low}× and {high}×{where}"


def grid(data: ScenarioData) -> Grid | None:
    """Return the table of the control, one row a series of a primary metric; the ends of each metric where they are many."""
    found = {metric: series for metric in data.primary if (series := ratios(data, NULL, metric))}
    if sum(map(len, found.values())) > _MOST:
        return _ends(data, found)
    every = [one for series in found.values() for one in series]
    made: list[tuple[Row, list[Cell]]] = [(_label(one, every), _cells(data, one)) for one in every]
    return _grid(data, made) if made else None


def _ends(data: ScenarioData, found: Mapping[str, Sequence[Summary]]) -> Grid:
    every = [one for series in found.values() for one in series]
    made: list[tuple[Row, list[Cell]]] = []
    for metric, series in found.items():
        ordered = sorted(series, key=lambda one: one.ratio or 1.0)
        for one, which in zip(lookup.first_and_last(ordered), ("lowest", "highest"), strict=False):
            details = ", ".join(part for part in (f"{which} of {len(series)}", _label(one, every).details) if part)
            made.append((Label(metric_title(metric), details), _cells(data, one)))
    return _grid(data, made)


def _grid(data: ScenarioData, made: Sequence[tuple[Row, list[Cell]]]) -> Grid:
    heads = [Column(data.baseline, cells.CI), Column("again (null)", cells.CI), Column("ratio", cells.CI), Column("n")]
    return cells.grid("A/A control", heads, made, first="Series", note=_NOTE)


def _label(one: Summary, among: Sequence[Summary]) -> Label:
    """Return a row's label, with the params that differ."""
    own = {name: value for name, value in one.params.items() if any(other.params.get(name) != value for other in among)}
    return Label(metric_title(one.metric), params_text(params_key(own)))


def _cells(data: ScenarioData, one: Summary) -> list[Cell]:
    base = next(
        row
        for row in data.summaries
        if (row.target, row.metric) == (data.baseline, one.metric) and row.params == one.params
    )
    return [cells.value(base), cells.value(one), ratio_cell(one, data.baseline), Cell(str(one.ratio_n))]


def in_tables(grids: Iterable[Grid]) -> bool:
    """Say whether the control has a row of its own in one of the tables."""
    return any(isinstance(row, Variant) and row.target == NULL for grid in grids for row in grid.variants)
