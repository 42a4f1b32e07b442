"""The table of ``usage``: what each engine reports ÷ what the control group counts, and what a poll costs."""

from __future__ import annotations

from bench.core.model import Status
from bench.display import cells, lookup
from bench.display.data import Row, ScenarioData
from bench.display.table import Cell, Column, Grid

FIGURES = {"all": "memory", "working": "memory without unused file pages"}
_NOTE = (
    "Reported ÷ counted by the control group; 1 is exact, “–” is not reported. The second memory is without file pages that are "
    "not in use, which most tools show. A poll asks for one instance, once."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return one row a target."""
    rows: list[tuple[Row, list[Cell]]] = []
    for row in lookup.without_control(data):
        ratios = [data.summary(row, "usage.memory_ratio", figure=figure) for figure in FIGURES]
        exact = [cells.plain(one) for one in (data.summary(row, "usage.cpu_ratio"), *ratios)]
        costs = [cells.value(data.summary(row, name)) for name in ("usage.poll_s", "usage.poll_cpu_s")]
        rows.append((row, [*exact, *costs]))
    heads = [
        *(Column("CPU time"), *(Column(title) for title in FIGURES.values())),
        *(Column("one poll", cells.CI), Column("daemon's CPU time for it", cells.CI)),
    ]
    return cells.filled([cells.grid("What an engine reports of an instance's use", heads, rows, note=_NOTE)])


def notes(data: ScenarioData) -> list[str]:
    """Say what was skipped, and why."""
    said = []
    for row in data.invoked:
        mine = lookup.outcomes_of(data, row)
        reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
        said += [f"{row.text}: {reasons[0]}."] if reasons and len(reasons) == len(mine) else []
    return said
