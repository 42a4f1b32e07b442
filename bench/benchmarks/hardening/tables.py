"""The tables of ``hardening``: price and effect of each switch, the defaults, privileged acts, images of many files."""

from __future__ import annotations

from bench.benchmarks.hardening import rows
from bench.benchmarks.hardening.trial import CALLS
from bench.display import cells, lookup, table
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid

START = Quantity("hardening.start_ratio", {}, "start")
RATIOS = tuple(Quantity("hardening.call_ratio", {"call": name}, name) for name in CALLS)
TIMES = (
    Quantity("hardening.start_s", {}, "start"),
    *(Quantity("hardening.call_s", {"call": name}, name) for name in CALLS),
)
FIRST, SECOND = (
    Quantity("hardening.first_start_s", {}, "first start"),
    Quantity("hardening.second_start_s", {}, "second start"),
)
ADDED = Quantity("hardening.added_bytes", {}, "disk use added")

_PRICE = (
    "Times as multiples of the same target's default, measured in pairs. The row “default” compares the default with itself: its "
    "distance from 1 is noise. Beside them: what a program in the instance finds different."
)
_SURFACE = (
    "Counted by a program in the instance: every system call of the kernel's table, tried with arguments that do nothing; "
    "capabilities that a program can get (the bounding set), and those in force."
)
_ACTS = "Each is tried in the instance, as far as needed to see the answer: “yes” where the kernel lets it."
_FILES = (
    "An image that the engine has just loaded is started twice. Disk use is the engine's, "
    "from before the first start to after the second."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return the price list, the times behind it, the defaults, the acts, and images of many files."""
    return cells.filled([_price(data), _times(data), _defaults(data), _acts(data), _files(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    skipped = [f"{row.text}: {reason}." for row, reason in rows.skipped(data)]
    named = [text for row in rows.measured(data) if rows.switch_of(row) == "default" for text in _named(data, row)]
    return table.notes(data, lambda item: item.metric.startswith("hardening.")) + named + skipped


def _price(data: ScenarioData) -> Grid:
    made: list[tuple[Row, list[Cell]]] = []
    for row in rows.measured(data):
        found = START.of(data, row)
        values = [cells.value(what.of(data, row)) for what in (START, *RATIOS)]
        changed = rows.difference(data, row) if rows.switch_of(row) != "default" else None
        made.append((row, [*values, Cell(changed.text if changed else NONE), *table.counts_of(data, row, found)]))
    heads = [Column(f"{what.title} ×", cells.CI) for what in (START, *RATIOS)]
    return cells.grid(
        "What each switch costs and changes",
        [*heads, Column("what changes", numeric=False), *cells.COUNTS],
        made,
        note=_PRICE,
    )


def _times(data: ScenarioData) -> Grid:
    made = [(row, [cells.value(what.of(data, row)) for what in TIMES]) for row in rows.measured(data)]
    return cells.grid("Times with the switch", [Column(what.title, cells.CI) for what in TIMES], made)


def _defaults(data: ScenarioData) -> Grid:
    chosen = [row for row in rows.measured(data) if rows.switch_of(row) == "default"]
    names = {"calls_answered": "calls that answer", **rows.FACTS, "acts": "privileged acts that succeed"}
    made = []
    for row in chosen:
        values = {name: cells.plain(data.summary(row, f"hardening.{name}")) for name in names}
        said = rows.fact(data, row, "documented_capabilities")
        if said is not None:
            values["capabilities"] = Cell(values["capabilities"].text, f"documented: {said:g}")
        made.append((lookup.unlabelled(row, "switch"), list(values.values())))
    return cells.grid(
        "What an instance may do by default", [Column(title) for title in names.values()], made, note=_SURFACE
    )


def _acts(data: ScenarioData) -> Grid:
    names = [str(name) for name in lookup.param_values(data, "hardening.act", "act")]
    made: list[tuple[Row, list[Cell]]] = []
    for row in rows.measured(data):
        found = rows.acts(data, row)
        made.append(
            (
                row,
                [Cell({True: "yes", False: "no"}.get(found[name], NONE) if name in found else NONE) for name in names],
            )
        )
    return cells.grid("Privileged acts", [Column(name, numeric=False) for name in names], made, note=_ACTS)


def _files(data: ScenarioData) -> Grid:
    chosen = (FIRST, SECOND, ADDED)
    found = [row for row in rows.of_part(data, "files") if FIRST.of(data, row)]
    made: list[tuple[Row, list[Cell]]] = [(row, cells.quantity_cells(data, row, chosen)) for row in found]
    return cells.grid("Mapped users and images of many files", cells.quantity_heads(chosen), made, note=_FILES)


def _named(data: ScenarioData, row: Variant) -> list[str]:
    """Name what the counts of a target's default stand for."""
    texts = {
        "refused": "system calls refused by default",
        "published_answered": "of the calls that Docker's documentation lists as blocked, these answer",
        "users": "users (inside, on the host, how many)",
        "hidden": "hidden",
        "writable": "writable mounts",
        "store_bypass": "Speculation_Store_Bypass",
        "host_filters": "filters of its process on the host",
    }
    found = [
        (title, rows.note(data, row, name))
        for name, title in texts.items()
        if name != "published_answered" or _has_list(row)
    ]
    return [f"{row.target}: {title}: {text}." for title, text in found if text]


def _has_list(row: Variant) -> bool:
    return row.engine == "docker"
