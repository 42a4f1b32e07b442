"""The tables of ``exec``: one command, many at once and many before, and what they leave."""

from __future__ import annotations

from bench.core.model import Status
from bench.display import cells, lookup, table
from bench.display.data import Row, ScenarioData, Variant, metric_title
from bench.display.paired import Quantity
from bench.display.table import Cell, Column, Grid, ratio_cell

FIRST, EXIT = Quantity("exec.first_instruction_s", {}, "first instruction"), Quantity("exec.exit_s", {}, "exit seen")
CPU, DAEMON = Quantity("exec.cpu_s", {}, "CPU time"), Quantity("exec.daemon_cpu_s", {}, "of it daemons, monitors")
CROWD, RATE = Quantity("exec.crowd_s", {}, "exit seen, many at once"), Quantity("exec.per_s", {}, "commands a second")
GROWTH = Quantity("exec.growth_ratio", {}, "last ÷ first")
AFTER = "exec.after_s"
LEFT = ("exec.left_processes", "exec.left_fifos", "exec.left_files", "exec.left_descriptors", "exec.grown_bytes")

_ONE = (
    "One command after another in a running instance. “Exit seen” ends when the engine has reported the command's exit to its "
    "caller. CPU time is that of every process, the caller's own programs included, Tare's not."
)
_MANY = (
    "After: the time of the first command of an instance and of the last ones before that many; last ÷ first compares the last "
    "ones with those right after the first, block by block."
)
_LEFT = (
    "New since the instance was ready, counted while it still lives. Memory growth is that of daemons, monitors and what is "
    "left, divided by the number of commands."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return the cost of one command, of many, and what they leave."""
    return cells.filled([_one(data), _many(data), _left(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    skipped = [f"{row.text}: {reason}." for row in data.invoked if (reason := _skipped(data, row))]
    return table.notes(data, lambda item: item.metric in (EXIT.metric, FIRST.metric, CPU.metric)) + skipped


def after(data: ScenarioData) -> list[Quantity]:
    """Return the times at each point of an instance's history."""
    return [Quantity(AFTER, {"after": count}, f"after {count}") for count in lookup.param_values(data, AFTER, "after")]


def _one(data: ScenarioData) -> Grid:
    made: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        found = EXIT.of(data, row)
        values = [cells.value(FIRST.of(data, row)), cells.value(found), ratio_cell(found, data.baseline)]
        values += [cells.value(CPU.of(data, row)), cells.plain(DAEMON.of(data, row))]
        made.append((row, [*values, *table.counts_of(data, row, found)]))
    heads = [Column(FIRST.title, cells.CI), Column(EXIT.title, cells.CI), Column(f"× {data.baseline}", cells.CI)]
    heads += [Column(CPU.title, cells.CI), Column(DAEMON.title)]
    return cells.grid("One more command", [*heads, *cells.COUNTS], made, note=_ONE)


def _many(data: ScenarioData) -> Grid:
    points = after(data)
    made: list[tuple[Row, list[Cell]]] = []
    for row in lookup.without_control(data):
        found = GROWTH.of(data, row)
        values = [*(cells.plain(what.of(data, row)) for what in points), cells.value(found)]
        values += [cells.plain(CROWD.of(data, row)), cells.value(RATE.of(data, row))]
        made.append((row, [*values, *table.counts_of(data, row, found)]))
    heads = [*(Column(what.title) for what in points), Column(GROWTH.title, cells.CI)]
    heads += [Column(CROWD.title), Column(RATE.title, cells.CI)]
    return cells.grid("Many commands in one instance", [*heads, *cells.COUNTS], made, note=_MANY)


def _left(data: ScenarioData) -> Grid:
    rows = [row for row in lookup.without_control(data) if any(data.summary(row, name) for name in LEFT)]
    made = [(row, [*(cells.plain(data.summary(row, name)) for name in LEFT), _which(data, row)]) for row in rows]
    heads = [*(Column(metric_title(name)) for name in LEFT), Column("which processes", numeric=False)]
    return cells.grid("What the commands of one instance leave", heads, made, note=_LEFT)


def _skipped(data: ScenarioData, row: Variant) -> str:
    """Return why all invocations of a variant were skipped; otherwise empty."""
    mine = lookup.outcomes_of(data, row)
    reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
    return reasons[0] if reasons and len(reasons) == len(mine) else ""


def _which(data: ScenarioData, row: Variant) -> Cell:
    text = lookup.most_frequent(lookup.notes_of(data, row).get("left"))
    return Cell("" if text == "no process" else text)
