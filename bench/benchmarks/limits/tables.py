"""The tables of ``limits``: achieved ÷ asked, the cost of a limit at start, and how each limit was checked."""

from __future__ import annotations

from bench.core.model import Status
from bench.display import cells, lookup, paired, table
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid, interval_text, ratio_text
from bench.stats.pairs import Times

ACHIEVED, READY, WATCHED = "limit.achieved_ratio", "limit.ready_s", "limit.probe_s"
WITHOUT = "limit.kept_without_ratio"
OFF_SET, TO_QUOTA = "limit.off_set_s", "limit.set_to_quota_ratio"
_READY = Quantity(READY, {}, "ready")
FREE = "none"
"""Value of the param ``limit`` for a start without any limit."""

_ORDER = (
    "cpu",
    "cpu-shares",
    "cpuset",
    "memory",
    "memory-reservation",
    "memory-swap",
    "pids",
    "read",
    "write",
    "network",
)
_SAID = {"asked": 0, "achieved": 1, "how": 2}


def tables(data: ScenarioData) -> list[Grid]:
    """Return achieved ÷ asked and the costs at start; in a report also how limits were checked, and which are not applicable."""
    brief = data.columns is not None
    made = [
        _achieved(data, brief=brief),
        _costs(data, brief=brief),
        _sets(data, brief=brief),
        _reservations(data, brief=brief),
    ]
    return cells.filled(made if brief else [*made, _how(data), _impossible(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric == ACHIEVED)


def limit_of(row: Variant) -> str:
    """Return the limit of a variant."""
    return lookup.param_of(row, "limit")


def limits(data: ScenarioData) -> list[str]:
    """Return the limits that were tried, without ``none``."""
    found = {limit_of(row) for row in data.invoked} - {FREE, ""}
    return lookup.in_order(sorted(found), _ORDER)


def targets(data: ScenarioData) -> dict[str, dict[str, Variant]]:
    """Return the variants: label of target and other params → limit → variant."""
    found: dict[str, dict[str, Variant]] = {}
    for row in lookup.without_control(data):
        found.setdefault(named(row).text, {})[limit_of(row)] = row
    return found


def named(row: Variant) -> Variant:
    """Return a variant whose label leaves out the limit."""
    return lookup.unlabelled(row, "limit")


def skipped(data: ScenarioData, row: Variant) -> str:
    """Return why all invocations of a variant were skipped; otherwise empty."""
    mine = lookup.outcomes_of(data, row)
    reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
    return reasons[0] if reasons and len(reasons) == len(mine) else ""


def cost(data: ScenarioData, row: Variant, free: Variant | None) -> Times | None:
    """Return the time to ready with a limit ÷ without any on the same target, paired block by block."""
    return None if row == free else paired.times(data, row, free, _READY)


def _achieved(data: ScenarioData, *, brief: bool) -> Grid:
    names = limits(data)
    heads = [Column(name.replace("-", " ")) for name in names]
    rows: list[tuple[Row, list[Cell]]] = []
    for found in targets(data).values():
        row = next(iter(found.values()))
        rows.append((named(row), [_ratio(data, found.get(name), brief=brief) for name in names]))
    note = "Achieved ÷ asked, 1 is as asked; “n/a” cannot be done here, the reasons are below."
    return cells.grid("Achieved ÷ asked", heads, rows, note=note.partition(";")[0] + "." if brief else note)


def _ratio(data: ScenarioData, row: Variant | None, *, brief: bool) -> Cell:
    if row is None:
        return Cell(NONE)
    found = data.summary(row, ACHIEVED)
    if found is not None and found.median is not None:
        return cells.value(found, interval=not brief)
    if skipped(data, row):
        return Cell("n/a")
    _, failed = table.counts_of(data, row, found)
    return Cell(NONE, "" if failed.text == "0" else f"{failed.text} failed")


def _costs(data: ScenarioData, *, brief: bool) -> Grid:
    names = limits(data)
    heads = [Column("ready", "no limit"), *(Column(name.replace("-", " ")) for name in names)]
    rows: list[tuple[Row, list[Cell]]] = []
    for found in targets(data).values():
        free = found.get(FREE)
        made = [_cost(cost(data, found[name], free) if name in found else None, brief=brief) for name in names]
        if any(cell.text != NONE for cell in made):
            bare = data.summary(free, READY) if free else None
            rows.append((named(next(iter(found.values()))), [cells.value(bare, interval=not brief), *made]))
    note = "Request to ready with the limit, as a multiple of the same target's without any, paired block by block."
    return cells.grid("What a limit costs at start", heads, rows, note=note)


def _cost(found: Times | None, *, brief: bool) -> Cell:
    if found is None:
        return Cell(NONE)
    return Cell(ratio_text(found.ratio), "" if brief else interval_text(found.ci, "ratio"))


def _sets(data: ScenarioData, *, brief: bool) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for row in lookup.without_control(data):
        off, ratio = (data.summary(row, name) for name in (OFF_SET, TO_QUOTA))
        if off is not None:
            rows.append((named(row), [cells.plain(off), cells.value(ratio, interval=not brief)]))
    note = (
        "Two loops that may use one CPU: their CPU time on others, and their work beside that with a quota of one CPU."
    )
    return cells.grid("A set of CPUs", (Column("off the set"), Column("work, set ÷ quota")), rows, note=note)


def _reservations(data: ScenarioData, *, brief: bool) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for row in lookup.without_control(data):
        without = data.summary(row, WITHOUT)
        if without is not None:
            kept = data.summary(row, ACHIEVED)
            rows.append((named(row), [cells.value(one, interval=not brief) for one in (without, kept)]))
    note = "The part of its page cache that an instance keeps while a neighbour under the same cap takes memory."
    heads = (Column("without a reservation"), Column("with one"))
    return cells.grid("A memory reservation", heads, rows, note=note)


def _how(data: ScenarioData) -> Grid:
    """Show the notes on what was asked for, what was achieved and how that was checked."""
    said = {row: lookup.notes_of(data, row) for row in lookup.without_control(data) if limit_of(row) != FREE}
    known = dict.fromkeys(name for found in said.values() for name in found)
    names = sorted(known, key=lambda name: _SAID.get(name, len(_SAID)))
    heads = [
        *(Column(name.capitalize().replace("_", " "), numeric=False) for name in names),
        Column("watched for"),
        *cells.COUNTS,
    ]
    rows: list[tuple[Row, list[Cell]]] = []
    for row, found in said.items():
        main = data.summary(row, ACHIEVED)
        if main is not None and (found or main.median is not None):
            texts = [cells.words(found.get(name)) for name in names]
            made = [*texts, cells.plain(data.summary(row, WATCHED)), *table.counts_of(data, row, main)]
            rows.append((Label(limit_of(row), named(row).text), made))
    rows.sort(key=lambda pair: limits(data).index(pair[0].name))
    return cells.grid("How each limit was seen", heads, rows, first="Limit")


def _impossible(data: ScenarioData) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = [
        (Label(limit_of(row), named(row).text), [Cell(reason)])
        for row in data.invoked
        if (reason := skipped(data, row))
    ]
    return cells.grid("Cannot be done here", (Column("Reason", numeric=False),), rows, first="Limit")
