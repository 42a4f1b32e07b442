"""The tables of ``isolation``: slowdowns, the rate kept, the neighbours' own work, causes, and the order of targets."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.isolation import slowdowns
from bench.benchmarks.isolation.slowdowns import (
    ALONE,
    BESIDE,
    FIRST,
    KEPT,
    LIMITED,
    OUTSIDE,
    P50,
    P99,
    P999,
    TOGETHER,
    UNLIMITED,
    Ranked,
)
from bench.benchmarks.isolation.slowdowns import Cell as Group
from bench.core.model import FAILED_STATUSES, Status
from bench.display import cells, lookup, paired, table
from bench.display.data import Label, Row, ScenarioData
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid
from bench.stats.pairs import Times

_SLOWER = (
    "Time from when an operation was due to its end, ÷ that of the same victim by itself, before the neighbour is there and "
    "after it is gone. Without such times, ÷ that of the arm alone in the same block. Placebo: beside an idle instance. "
    "Limited: the neighbour has half a CPU, 128 MiB and 64 processes, and 8 MiB/s where it reads or writes. Apart: both on "
    "CPUs of their own."
)
_AS_MEDIAN = "The arms, and what each is divided by, are those of the median's table."
_KEPT = "Operations that ended ÷ that were due, in the worst twentieth of the victim's time; 100 % is all."
_PROOF = (
    "What the neighbour did a second before there was a victim and beside it, by its own count and the host's stamps; what it "
    "sends over a network path is counted where it arrives. One that did nothing before the victim fails the invocation. Lost: "
    "part of what it sent beside the victim, by its own count, that did not arrive."
)
_CAUSE = (
    "Beside an unlimited neighbour: share of the time in which some task of the host waited for CPU, memory or I/O (PSI), CPU "
    "time of software interrupts (softirq), in which the kernel carries packets, and that taken by the hypervisor (steal), and "
    "how late a process outside the lab wakes up. Throttled: time in which the limited neighbour had used up its quota."
)
_ORDER = (
    "Targets by the slowdown beside an unlimited neighbour, the strongest first: of the 99th percentile, or of the median where "
    "there are too few operations. “<” is decided by the intervals, “≈” is not. Emulated machines are not judged."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return all tables; in a terminal only the medians, the tails and the order."""
    groups = slowdowns.grouped(data)
    brief = data.columns is not None
    made = [_slower(data, groups, P50), _slower(data, groups, P99), _order(data, groups)]
    more = [_slower(data, groups, P999), _kept(data, groups), _proof(data, groups), _cause(data, groups), _ends(data)]
    return cells.filled(made if brief else [*made, *more])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric in (P50.metric, P99.metric))


def order_text(order: Sequence[Ranked]) -> str:
    """Write the targets of an order: ``runsc < runc ≈ docker``."""
    return " < ".join(" ≈ ".join(one.cell.target.text for one in tier) for tier in slowdowns.tiers(order))


def _slower(data: ScenarioData, groups: Sequence[Group], what: Quantity) -> Grid:
    made: list[tuple[Row, list[Cell]]] = []
    for group in groups:
        alone = group.alone(data, what)
        slower = {arm: group.slowdown(data, arm, what) for arm in BESIDE}
        if what is not P50 and alone is None and not any(slower.values()):
            continue  # too few operations for this percentile
        values = [cells.value(alone)]
        values += [_times(data, group, arm, found) for arm, found in slower.items()]
        counted = group.arms.get(ALONE) or next(iter(group.arms.values()))
        made.append((group.row, [*values, *table.counts_of(data, counted, alone)]))
    heads = [Column("alone", cells.CI), *(Column(arm, cells.CI) for arm in BESIDE)]
    note = _SLOWER if what is P50 else _AS_MEDIAN
    return cells.grid(f"Slowdown of the {what.title}", [*heads, *cells.COUNTS], made, note=note)


def _times(data: ScenarioData, group: Group, arm: str, found: Times | None) -> Cell:
    """Write a slowdown, or why there is none."""
    if found is not None:
        return paired.cell(found)
    row = group.arms.get(arm)
    if row is None:
        return Cell(NONE)
    ended = lookup.outcomes_of(data, row)
    if len(ended) and (ended["status"] == Status.SKIPPED).all():
        return Cell("n/a")
    return Cell("did not finish" if (ended["status"] == Status.TIMEOUT).any() else NONE)


def _kept(data: ScenarioData, groups: Sequence[Group]) -> Grid:
    arms = (ALONE, *BESIDE)
    made: list[tuple[Row, list[Cell]]] = [
        (group.row, [cells.percent(KEPT.of(data, group.arms.get(arm)), 3, interval=True) for arm in arms])
        for group in groups
    ]
    return cells.grid("Share of its own rate that the victim keeps", [Column(arm) for arm in arms], made, note=_KEPT)


def _proof(data: ScenarioData, groups: Sequence[Group]) -> Grid:
    lost = Quantity("isolation.neighbour_lost_ratio", {}, "lost")
    made: list[tuple[Row, list[Cell]]] = []
    for group in groups:
        free, held = group.arms.get(UNLIMITED), group.arms.get(LIMITED)
        notes = lookup.notes_of(data, free) if free else {}
        cut = paired.times(data, held, free, FIRST)
        values = [cells.words(notes.get("victim")), cells.words(notes.get("unit"))]
        values += [cells.value(FIRST.of(data, free)), cells.value(TOGETHER.of(data, free))]
        values.append(cells.percent(lost.of(data, free)))
        values += [cells.value(FIRST.of(data, held)), cells.value(TOGETHER.of(data, held)), paired.cell(cut)]
        made.append((group.row, values))
    heads = [Column("victim", numeric=False), Column("the neighbour counts", numeric=False)]
    heads += [Column(f"{UNLIMITED}, {what.title}", cells.CI) for what in (FIRST, TOGETHER)]
    heads += [Column(lost.title), *(Column(f"{LIMITED}, {what.title}", cells.CI) for what in (FIRST, TOGETHER))]
    heads.append(Column("limited ÷ unlimited", cells.CI))
    return cells.grid("What the neighbours did", heads, made, note=_PROOF)


def _cause(data: ScenarioData, groups: Sequence[Group]) -> Grid:
    pressures = [Quantity("isolation.pressure_ratio", {"resource": name}, name) for name in ("cpu", "memory", "io")]
    throttled = Quantity("isolation.throttled_ratio", {"instance": "neighbour"}, "throttled")
    taken = [Quantity(f"isolation.{name}_ratio", {}, name) for name in ("softirq", "steal")]
    outside = Quantity("isolation.sentinel_p99_s", {}, "outside the lab")
    made: list[tuple[Row, list[Cell]]] = []
    for group in groups:
        free, held = group.arms.get(UNLIMITED), group.arms.get(LIMITED)
        values = [cells.percent(what.of(data, free)) for what in pressures]
        values.append(cells.percent(throttled.of(data, held)))
        values += [cells.percent(what.of(data, free)) for what in taken]
        values += [cells.plain(outside.of(data, free)), paired.cell(group.slowdown(data, UNLIMITED, outside))]
        values.append(cells.value(OUTSIDE.of(data, free)))
        made.append((group.row, values))
    heads = [*(Column(f"waited for {what.title}") for what in pressures)]
    heads += [Column(what.title) for what in (throttled, *taken)]
    heads += [Column(outside.title), Column("÷ alone", cells.CI), Column("÷ the idle host", cells.CI)]
    return cells.grid("Why", heads, made, note=_CAUSE)


def _order(data: ScenarioData, groups: Sequence[Group]) -> Grid:
    made: list[tuple[Row, list[Cell]]] = []
    for name in slowdowns.neighbours(groups):
        order = slowdowns.ranked(data, groups, name)
        if len(order) > 1:
            made.append((Label(name), [Cell(order_text(order))]))
    return cells.grid(
        "Stronger and weaker isolation", [Column("order", numeric=False)], made, first="Neighbour", note=_ORDER
    )


def _ends(data: ScenarioData) -> Grid:
    """List the arms that were skipped, that failed and that did not finish, with the reasons."""
    made: list[tuple[Row, list[Cell]]] = []
    for row in lookup.without_control(data):
        ended = lookup.outcomes_of(data, row)
        other = ended[ended["status"].isin([Status.SKIPPED, *FAILED_STATUSES])]
        for (status, reason), rows in other.groupby(["status", "reason"], sort=False):
            made.append((row, [Cell(str(status)), Cell(f"{len(rows)} of {len(ended)}"), Cell(str(reason))]))
    heads = [Column("ended as", numeric=False), Column("invocations"), Column("reason", numeric=False)]
    return cells.grid("Arms without a value", heads, made)
