"""The tables of ``health``: what engines notice and when, what a probe costs, what it leaves, and how many there can be."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Status
from bench.display import cells, lookup, table
from bench.display.data import Row, ScenarioData, Variant, metric_title
from bench.display.paired import Quantity
from bench.display.table import Cell, Column, Grid

PROBE = Quantity("health.probe_s", {}, "probe")
RATIO = Quantity("health.exec_ratio", {}, "÷ exec")
CPU = Quantity("health.cpu_s", {}, "CPU time")
ADDED = Quantity("health.healthy_added_s", {}, "healthy, beyond the interval")
UNHEALTHY = Quantity("health.unhealthy_s", {}, "broken → unhealthy")
UNHEALTHY_ADDED = Quantity("health.unhealthy_added_s", {}, "first failure → unhealthy, beyond the intervals")
RECOVERY = Quantity("health.recovery_s", {}, "mended → healthy")
OVERRUN = Quantity("health.overrun_s", {}, "waited beyond the time limit")
RATE, RATE_CPU = "health.per_s", "health.rate_cpu_s"
STATES = ("health.probes_to_healthy", "health.probes_to_unhealthy", "health.probes_to_recovery", "health.window_missed")
START = ("health.start_forgiven", "health.start_counted", "health.start_early", "health.start_gap_s")
LEFT = ("health.left_processes", "health.left_timed_out", "health.left_zombies")

_WHEN = (
    "Times from the payload's own events to the engine's report. The documented window of broken → unhealthy is "
    "retries − 1 intervals to retries intervals, the probes themselves, and 1 s."
)
_COST = (
    "A probe: the time from one probe's first instruction to the next one's, less the interval; where Tare starts the probes, "
    "from the request to its answer. ÷ exec: divided by the time of the same program run by exec in between. CPU time is that "
    "of every process, Tare's not."
)
_COUNTS = "Exact counts. Probes are counted by their first instructions."
_LEFT = "Processes for each probe: those that have ended, and those that were over their time limit."
_RATE = "Probes that began in a window of time, of all instances together; CPU time of each, all processes."


def tables(data: ScenarioData) -> list[Grid]:
    """Return times, counts, costs, leftovers and rates."""
    return cells.filled([_when(data), _counted(data), _cost(data), _left(data), _rate(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    skipped = [f"{row.text}: {reason}." for row in data.invoked if (reason := _skipped(data, row))]
    return table.notes(data, lambda item: item.metric in (PROBE.metric, ADDED.metric, UNHEALTHY.metric)) + skipped


def rates(data: ScenarioData, metric: str) -> list[Quantity]:
    """Return a quantity of the case ``rate`` for each number of instances."""
    counts = lookup.param_values(data, metric, "instances")
    return [Quantity(metric, {"instances": count}, f"{count} at once") for count in counts]


def _rows(data: ScenarioData, metrics: Sequence[str]) -> list[Variant]:
    return [row for row in lookup.without_control(data) if any(data.summary(row, name) for name in metrics)]


def _when(data: ScenarioData) -> Grid:
    chosen = (ADDED, UNHEALTHY, UNHEALTHY_ADDED, RECOVERY)
    return _quantities(data, "When the engine reports", chosen, UNHEALTHY, _WHEN)


def _cost(data: ScenarioData) -> Grid:
    return _quantities(data, "One probe", (PROBE, RATIO, CPU, OVERRUN), PROBE, _COST)


def _quantities(data: ScenarioData, title: str, chosen: Sequence[Quantity], main: Quantity, note: str) -> Grid:
    made: list[tuple[Row, list[Cell]]] = []
    for row in _rows(data, [what.metric for what in chosen]):
        found = [what.of(data, row) for what in chosen]
        counted = main.of(data, row) or cells.first(found)
        made.append((row, [*map(cells.value, found), *table.counts_of(data, row, counted)]))
    heads = [Column(what.title, cells.CI) for what in chosen]
    return cells.grid(title, [*heads, *cells.COUNTS], made, note=note)


def _counted(data: ScenarioData) -> Grid:
    chosen = (*STATES, *START)
    made = [(row, [cells.plain(data.summary(row, name)) for name in chosen]) for row in _rows(data, chosen)]
    return cells.grid("After how many probes", [Column(metric_title(name)) for name in chosen], made, note=_COUNTS)


def _left(data: ScenarioData) -> Grid:
    rows = _rows(data, LEFT)
    made = [(row, [*(cells.plain(data.summary(row, name)) for name in LEFT), _which(data, row)]) for row in rows]
    heads = [*(Column(metric_title(name)) for name in LEFT), Column("which processes", numeric=False)]
    return cells.grid("What a probe leaves", heads, made, note=_LEFT)


def _rate(data: ScenarioData) -> Grid:
    chosen = [*rates(data, RATE), *rates(data, RATE_CPU)]
    made: list[tuple[Row, list[Cell]]] = []
    for row in lookup.without_control(data):
        found = [what.of(data, row) for what in chosen]
        if any(found):
            made.append((row, [*map(cells.value, found), *table.counts_of(data, row, cells.first(found))]))
    heads = [Column(f"probes/s, {what.title}", cells.CI) for what in rates(data, RATE)]
    heads += [Column(f"CPU, {what.title}", cells.CI) for what in rates(data, RATE_CPU)]
    return cells.grid("Many instances", [*heads, *cells.COUNTS], made, note=_RATE)


def _skipped(data: ScenarioData, row: Variant) -> str:
    """Return why all invocations of a variant were skipped; otherwise empty."""
    mine = lookup.outcomes_of(data, row)
    reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
    return reasons[0] if reasons and len(reasons) == len(mine) else ""


def _which(data: ScenarioData, row: Variant) -> Cell:
    text = lookup.most_frequent(lookup.notes_of(data, row).get("left"))
    return Cell("" if text == "no process" else text)
