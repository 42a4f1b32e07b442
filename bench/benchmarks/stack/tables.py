"""The tables of ``stack``: what each layer adds in each phase, in wall and CPU time; then the daemons."""

from __future__ import annotations

import numpy as np

from bench.core.grounds import GROUNDS
from bench.core.model import Summary
from bench.display import cells, lookup, polls, table
from bench.display.data import Row, ScenarioData, Variant
from bench.display.table import Cell, Column, Grid, ratio_cell

PHASES = ("create", "start", "ready", "stop", "delete")
TOTAL = "total"
WALL, CPU = "stack.wall_s", "stack.cpu_s"
ADDED = {WALL: "stack.added_s", CPU: "stack.added_cpu_s"}
READY = "startup.ready_s"

_DAEMONS = (
    ("stack.daemon_cpu_s", "CPU time a life"),
    ("stack.daemon_pss_bytes", "memory (PSS)"),
    ("stack.daemon_growth_bytes", "growth a life"),
    ("stack.lives_per_s", "lives a second"),
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return what each layer adds in wall and CPU time, the daemons, and in a report the time until ready."""
    made = [
        _added(data, WALL, "What each layer adds, wall time"),
        _added(data, CPU, "What each layer adds, CPU time of all processes"),
        _daemons(data),
    ]
    return cells.filled(made if data.columns is not None else [*made, _ready(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric == READY or item.params.get("phase") == TOTAL) + polls.remarks(
        data
    )


def layers(data: ScenarioData) -> list[Variant]:
    """Return the layers from the bottom up, without the null control."""
    return lookup.without_control(data)


def below(data: ScenarioData) -> dict[str, str]:
    """Return each layer with values, but the lowest → the layer that it stands on."""
    return GROUNDS.below([row.target for row in layers(data) if own(data, row, WALL, TOTAL) is not None])


def branches(data: ScenarioData) -> dict[str, str]:
    """Return the layers that do not stand on the layer before them → the layer that they do stand on."""
    found = below(data)
    before = dict(zip(list(found), [None, *found], strict=False))
    return {layer: ground for layer, ground in found.items() if before[layer] not in (None, ground)}


def added(data: ScenarioData, row: Variant, metric: str, phase: str) -> Summary | None:
    """Return what a layer adds to the one below, in one phase or in all (``TOTAL``)."""
    return data.summary(row, ADDED[metric], phase=phase)


def own(data: ScenarioData, row: Variant, metric: str, phase: str) -> float | None:
    """Return a layer's own time in a phase, seconds; the total is the median of the sums of each block."""
    if phase != TOTAL:
        found = data.summary(row, metric, phase=phase)
        return found.median if found else None
    frame = data.points
    mine = frame[(frame["metric"] == metric) & (frame["target"] == row.target) & ~frame["warmup"]]
    return float(np.median(mine.groupby("block")["value"].sum())) if len(mine) else None


def first(data: ScenarioData, metric: str) -> Variant | None:
    """Return the bottom layer: the first that has a time of its own."""
    return next((row for row in layers(data) if own(data, row, metric, TOTAL) is not None), None)


def _added(data: ScenarioData, metric: str, title: str) -> Grid:
    phases = [*PHASES, TOTAL]
    whole = data.columns is None  # a terminal has room for the interval of the sum only
    heads = [*(Column(phase, cells.CI if whole or phase == TOTAL else "") for phase in phases), *cells.COUNTS]
    base = first(data, metric)
    rows: list[tuple[Row, list[Cell]]] = []
    for row in layers(data):
        if row == base:
            found = [cells.number(own(data, row, metric, phase), "s") for phase in PHASES]
            found.append(Cell(cells.number(own(data, row, metric, TOTAL), "s").text, "its own time"))
        else:
            found = [cells.value(added(data, row, metric, phase), interval=whole) for phase in PHASES]
            found.append(cells.value(added(data, row, metric, TOTAL)))
        rows.append(
            (row, [*found, *table.counts_of(data, row, added(data, row, metric, TOTAL) or _main(data, row, metric))])
        )
    note = (
        f"The first row is a layer's own time; every other row is the difference to the layer before it in the same block"
        f"{branching(data)}. What is negative is faster than that layer."
    )
    return cells.grid(title, heads, rows, first="Layer", note=note)


def branching(data: ScenarioData) -> str:
    """Name the layers that stand on another one than the layer before; empty without any."""
    found = branches(data)
    return "".join(f", of {layer} to {ground}, on which it stands" for layer, ground in found.items())


def _main(data: ScenarioData, row: Variant, metric: str) -> Summary | None:
    walked = (data.summary(row, metric, phase=phase) for phase in PHASES)
    return next((found for found in walked if found), data.summary(row, READY))


def _daemons(data: ScenarioData) -> Grid:
    heads = [*(Column(title, cells.CI) for _, title in _DAEMONS), Column("which", numeric=False)]
    rows: list[tuple[Row, list[Cell]]] = []
    for row in layers(data):
        found = [data.summary(row, metric) for metric, _ in _DAEMONS]
        which = lookup.most_frequent(lookup.notes_of(data, row).get("daemons"))
        if which or any(found):
            rows.append((row, [*map(cells.value, found), Cell(which)]))
    note = "Lives one after the other; a daemon that did nothing for them is left out."
    return cells.grid("Daemons under steady churn", heads, rows, first="Layer", note=note)


def _ready(data: ScenarioData) -> Grid:
    heads = (Column("ready", cells.CI), Column(f"× {data.baseline}", cells.CI), *cells.COUNTS)
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        found = data.summary(row, READY)
        rows.append((row, [cells.value(found), ratio_cell(found, data.baseline), *table.counts_of(data, row, found)]))
    return cells.grid("From request to ready", heads, rows, first="Layer")
