"""The tables of ``hardening``: price and effect of each switch, the defaults, privileged acts, images of many files."""

from __future__ import annotations

from bench.benchmarks.hardening import published, rows
from bench.benchmarks.hardening.switches import DEFAULT
from bench.benchmarks.hardening.trial import CALLS
from bench.display import cells, lookup, table
from bench.display.data import Label, Row, ScenarioData, Variant
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
    "distance from 1 is noise. An ordinary user's containers (“rootless”) have no control groups, and so no limits of memory and "
    "CPUs; Podman gives them a user-mode network in the place of its bridge."
)
_BESIDE = (START, RATIOS[0])
_PRICED = (START.metric, RATIOS[0].metric, FIRST.metric, SECOND.metric)
_CHANGES = (
    "What a program in the instance finds different from the same target's default. The price beside it: start and getpid as "
    "multiples of those by default."
)
_SURFACE = (
    "Counted by a program in the instance: every system call of the kernel's table, tried with arguments that do nothing; "
    "capabilities that a program can get (the bounding set), and those in force."
)
_ANSWERS = {True: "yes", False: "no", None: NONE}
_ACTS = (
    "Each is tried in the instance, as far as needed to see the answer. “yes”: the kernel lets it; “no”: it refuses; “–”: it "
    "could not be tried."
)
_LIST = (
    "Docker's documentation ({version}) lists significant system calls as blocked; {count} of them exist here and are tried with "
    "arguments that it means. Found: by default; what the filter alone refuses is the difference to the row “no-filter”."
)
_FILES = (
    "An image that the engine has just loaded is started twice. Disk use is the engine's, "
    "from before the first start to after the second."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return what the switches change, what they cost, what the defaults allow, and images of many files."""
    made = [_changes(data), _price(data), _times(data), _defaults(data), _acts(data), _published(data), _files(data)]
    return cells.filled(made)


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    skipped = [f"{row.text}: {reason}." for row, reason in rows.skipped(data)]
    named = [text for row in _default_rows(data) for text in _named(data, row)]
    return table.notes(data, lambda item: item.metric in _PRICED) + named + skipped


def _changes(data: ScenarioData) -> Grid:
    """Return what each switch changes, with the two prices that matter most beside it."""
    made: list[tuple[Row, list[Cell]]] = []
    for row in rows.measured(data):
        changed = rows.difference(data, row)
        if changed and rows.switch_of(row) != DEFAULT:
            made.append((row, [*(cells.value(what.of(data, row)) for what in _BESIDE), Cell(changed.text)]))
    heads = [*(Column(f"{what.title} ×", cells.CI) for what in _BESIDE), Column("what changes", numeric=False)]
    return cells.grid("What changes when a switch is turned on", heads, made, note=_CHANGES)


def _price(data: ScenarioData) -> Grid:
    write = cells.value if data.columns is None else cells.plain
    made: list[tuple[Row, list[Cell]]] = []
    for row in rows.measured(data):
        values = [write(what.of(data, row)) for what in (START, *RATIOS)]
        made.append((row, [*values, *table.counts_of(data, row, START.of(data, row))]))
    heads = [Column(f"{what.title} ×", cells.CI if data.columns is None else "") for what in (START, *RATIOS)]
    return cells.grid("What each switch costs", [*heads, *cells.COUNTS], made, note=_PRICE)


def _times(data: ScenarioData) -> Grid:
    made = [(row, [cells.value(what.of(data, row)) for what in TIMES]) for row in rows.measured(data)]
    return cells.grid("Times with the switch", [Column(what.title, cells.CI) for what in TIMES], made)


def _defaults(data: ScenarioData) -> Grid:
    """Return a row a fact and a column a target."""
    chosen = _default_rows(data)
    names = {"calls_answered": "calls that answer", **rows.FACTS, "acts": "privileged acts that succeed"}
    made: list[tuple[Row, list[Cell]]] = [
        (Label(title), [_fact(data, row, name) for row in chosen])
        for name, title in names.items()
        if any(data.summary(row, f"hardening.{name}") for row in chosen)
    ]
    heads = [Column(row.target) for row in chosen]
    return cells.grid("What an instance may do by default", heads, made, first="Found in it", note=_SURFACE)


def _fact(data: ScenarioData, row: Variant, name: str) -> Cell:
    found = cells.plain(data.summary(row, f"hardening.{name}"))
    said = rows.fact(data, row, "documented_capabilities") if name == "capabilities" else None
    return found if said is None else Cell(found.text, f"documented: {said:g}")


def _default_rows(data: ScenarioData) -> list[Variant]:
    return [row for row in rows.measured(data) if rows.switch_of(row) == DEFAULT]


def _acts(data: ScenarioData) -> Grid:
    """Return a row an act and a column a target, by default; what a switch changes of it stands beside its price."""
    names = [str(name) for name in lookup.param_values(data, "hardening.act", "act")]
    chosen = _default_rows(data)
    found = [rows.acts(data, row) for row in chosen]
    made: list[tuple[Row, list[Cell]]] = [
        (Label(name), [Cell(_ANSWERS.get(acts.get(name), NONE)) for acts in found]) for name in names
    ]
    heads = [Column(row.target, numeric=False) for row in chosen]
    return cells.grid("Privileged acts by default", heads, made, first="Act", note=_ACTS)


def _published(data: ScenarioData) -> Grid:
    """Return a row for each call that Docker's default filter treats otherwise than its documentation's list says."""
    found = [(row, one) for row in _default_rows(data) if rows.has_list(row) for one in rows.deviations(data, row)]
    made: list[tuple[Row, list[Cell]]] = [
        (Label(one.call, row.target), [Cell(one.listed), Cell(one.found), Cell(one.why or "no reason is known")])
        for row, one in found
    ]
    heads = [Column(title, numeric=False) for title in ("the list", "found", "why")]
    note = _LIST.format(version=published.published().version, count=len(published.tried()))
    return cells.grid("Docker's filter and its published list", heads, made, first="Call", note=note)


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
        "owners": "its programs and the users of the host that they run as",
        "hidden": "hidden",
        "writable": "writable mounts",
        "store_bypass": "Speculation_Store_Bypass",
        "host_filters": "filters of its process on the host",
        "host_calls": "calls that the filters of its processes let through on the host (*: with some arguments)",
    }
    found = [
        (title, rows.note(data, row, name))
        for name, title in texts.items()
        if name != "published_answered" or rows.has_list(row)
    ]
    return [f"{row.target}: {title}: {text}." for title, text in found if text]
