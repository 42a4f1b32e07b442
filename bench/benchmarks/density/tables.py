"""The tables of ``density``: the numbers of each ramp, and the notes on what stopped it."""

from __future__ import annotations

from bench.benchmarks.density.words import REACHED, RULES, SLOPE, Binding, binding, fitted
from bench.core.model import Summary
from bench.core.units import significant
from bench.display import cells, lookup, table
from bench.display.data import Row, ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid

START = "density.start_s"
_ORDER = {"limited_by": 0, "extrapolation": 1}


def tables(data: ScenarioData) -> list[Grid]:
    """Return the numbers, then the notes; a terminal gets fewer columns."""
    return cells.filled([_numbers(data, brief=data.columns is not None), _words(data, brief=data.columns is not None)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric == SLOPE)


def details(data: ScenarioData, found: Summary) -> dict[str, object]:
    """Return the interval of the fit behind a slope; beside the number reached, what ended the ramp and what would come first."""
    row = next((one for one in data.invoked if one.target == found.target), None)
    if found.metric == SLOPE:
        fit = fitted(data, found.target)
        return {"fit_ci_low": fit.low if fit else None, "fit_ci_high": fit.high if fit else None}
    if found.metric != REACHED or row is None:
        return {}
    rules, limit = lookup.notes_of(data, row).get("rule"), binding(data, row)
    rule = max(rules, key=lambda name: rules[name]) if rules else None
    return {
        "stopped_by": rule,
        "lower_bound": rule == "asked",
        "binding_instances": limit.instances if limit else None,
        "binding_limit": limit.what if limit else None,
    }


def stopped(data: ScenarioData, row: Variant) -> str:
    """Return the rule that ended most ramps of a variant, in a few words; empty if the run does not record it."""
    rules = lookup.notes_of(data, row).get("rule")
    return RULES.get(rule := max(rules, key=lambda name: rules[name]), rule) if rules else ""


def _numbers(data: ScenarioData, *, brief: bool) -> Grid:
    heads = [
        Column("reached", "instances"),
        Column("each further", cells.CI),
        Column("R²"),
        Column("launch rate", "" if brief else cells.CI),
        Column("alive"),
        Column("first start"),
        Column("last start"),
        Column("would fit", "extrapolated"),
    ]
    if not brief:
        heads += [Column("before the first", cells.CI), Column("removal rate", cells.CI), *cells.COUNTS]
    rows = [(row, _numbers_of(data, row, brief=brief)[: len(heads)]) for row in data.invoked]
    note = (
        "“Each further” is the slope of what is gone from MemAvailable over N. “Start” is the median from request to "
        "ready within the ramp's first and last step. “Would fit” is where the first limit would be reached: it was not tried."
    )
    return cells.grid("How many fit", heads, rows, note="" if brief else note)


def _numbers_of(data: ScenarioData, row: Variant, *, brief: bool) -> list[Cell]:
    main, starts = data.summary(row, REACHED), lookup.over(data, row, START, "instances")
    fit = data.summary(row, "density.fit_r2")
    return [
        cells.plain(main),
        cells.value(data.summary(row, SLOPE)),
        cells.r_squared(fit.median if fit else None),
        cells.value(data.summary(row, "density.launch_per_s"), interval=not brief),
        cells.percent(data.summary(row, "density.alive_ratio"), 3),
        _step(starts[0]) if starts else Cell(NONE),
        _step(starts[-1]) if starts else Cell(NONE),
        _later(binding(data, row)),
        cells.value(data.summary(row, "density.intercept_bytes")),
        cells.value(data.summary(row, "density.delete_per_s")),
        *table.counts_of(data, row, main),
    ]


def _step(at: tuple[float, Summary]) -> Cell:
    return Cell(cells.plain(at[1]).text, f"N = {at[0]:.0f}")


def _later(found: Binding | None) -> Cell:
    """Write how many would fit and what would be at its end, with two digits: it was not tried."""
    return Cell(f"≈ {significant(found.instances, 2)}", f"then {found.what}") if found else Cell(NONE)


def _words(data: ScenarioData, *, brief: bool) -> Grid:
    """Show the notes of the ramps."""
    said = {row: lookup.notes_of(data, row) for row in data.invoked}
    known = {name for found in said.values() for name in found} - {"rule", "bound_by"}
    names = sorted(known, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))[: 1 if brief else None]
    heads = [
        Column("Rule", numeric=False),
        *(Column(name.capitalize().replace("_", " "), numeric=False) for name in names),
    ]
    rows: list[tuple[Row, list[Cell]]] = []
    for row, found in said.items():
        if found:
            rows.append((row, [Cell(stopped(data, row) or NONE), *(cells.words(found.get(name)) for name in names)]))
    return cells.grid("What ended each ramp", heads, rows)
