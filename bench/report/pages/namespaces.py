"""What a namespace costs, by kind; and what a process sees in each target."""

from __future__ import annotations

from collections import Counter

from bench.model import Summary
from bench.report import lookup
from bench.report.data import NULL, Label, Row, ScenarioData, Variant
from bench.report.pages import cells
from bench.report.table import NONE, Cell, Column, Grid
from bench.report.table import notes as every_note
from bench.units import significant

CREATE, DESTROY, RATE = "namespace.create_s", "namespace.destroy_s", "namespace.create_per_s"
NONE_KIND, ALL_KINDS, NET = "none", "all", "net"
_ORDER = (NONE_KIND, "uts", "ipc", "pid", "user", "cgroup", "time", "mnt", NET, ALL_KINDS)
_SEEN = ("processes", "interfaces", "mounts")
_FIRST = ("pid", "uid", *_SEEN, "hostname", "uid_map", "cgroup")
_BRIEF = ("pid", "uid", *_SEEN)


def tables(data: ScenarioData, width: int | None = None) -> list[Grid]:
    """Return the cost by kind, the rate against concurrency, and the proof; a terminal gets the proof's numbers."""
    return cells.some([_cost(data), _rates(data), _proof(data, brief=width is not None)])


def notes(data: ScenarioData) -> list[str]:
    """Return what must be read with the numbers."""
    return every_note(data, lambda item: item.metric in (CREATE, DESTROY))


def makers(data: ScenarioData) -> list[Variant]:
    """Return the targets on which namespaces were made."""
    has = {item.target for item in data.summaries if item.metric in (CREATE, RATE)}
    return [row for row in data.invoked if row.target in has and row.target != NULL]


def kinds(data: ScenarioData) -> list[str]:
    """Return the kinds: none first, all last."""
    found = {str(kind) for metric in (CREATE, RATE) for kind in lookup.kinds(data, metric, "kind")}
    return [kind for kind in _ORDER if kind in found] + sorted(found.difference(_ORDER))


def label(kind: str, row: Variant, data: ScenarioData) -> Label:
    """Name a row: the kind, and the target where there are several."""
    words = {NONE_KIND: "a process, nothing else", ALL_KINDS: "all at once"}.get(kind, "")
    return Label(kind, row.text if len(makers(data)) > 1 else words)


def rate_steps(data: ScenarioData, row: Variant, kind: str) -> list[tuple[float, Summary]]:
    """Return workers, in multiples of the CPUs, and the rate."""
    return lookup.over(data, row, RATE, "workers", kind=kind)


def _cost(data: ScenarioData) -> Grid:
    heads = (Column("create", cells.CI), Column("× none"), Column("destroy", cells.CI), *cells.COUNTS)
    rows: list[tuple[Row, list[Cell]]] = []
    for row in makers(data):
        none = data.summary(row, CREATE, kind=NONE_KIND)
        for kind in kinds(data):
            made, gone = (data.summary(row, metric, kind=kind) for metric in (CREATE, DESTROY))
            if made or gone:
                found = [
                    cells.value(made),
                    _times(made, none),
                    cells.value(gone),
                    *cells.counted(data, row, made or gone),
                ]
                rows.append((label(kind, row, data), found))
    return cells.grid("One namespace of each kind", heads, rows, first="Kind")


def _times(found: Summary | None, none: Summary | None) -> Cell:
    if found is None or none is None or not found.median or not none.median:
        return Cell(NONE)
    return Cell(f"{significant(found.median / none.median)}×")


def _rates(data: ScenarioData) -> Grid:
    walked = {(row, kind): dict(rate_steps(data, row, kind)) for row in makers(data) for kind in kinds(data)}
    steps = sorted({workers for found in walked.values() for workers in found})
    heads = [Column(f"{workers:g} × CPUs") for workers in steps]
    rows: list[tuple[Row, list[Cell]]] = [
        (label(kind, row, data), [cells.plain(found.get(workers)) for workers in steps])
        for (row, kind), found in walked.items()
        if found
    ]
    note = "Created and destroyed a second, by that many workers at once, in multiples of the CPUs."
    return cells.grid("Rate against concurrency", heads, rows, first="Kind", note=note)


def _proof(data: ScenarioData, *, brief: bool) -> Grid:
    said = {row: lookup.said(data, row) for row in data.invoked if row.target != NULL}
    known = dict.fromkeys(name for found in said.values() for name in found)
    names = [name for name in _FIRST if name in known or name in _SEEN] + [name for name in known if name not in _FIRST]
    names = [name for name in names if not brief or name in _BRIEF]
    rows: list[tuple[Row, list[Cell]]] = []
    for row, found in said.items():
        made = [_seen(data, row, name, found) for name in names]
        if any(cell.text != NONE for cell in made):
            rows.append((row, made))
    note = "What the payload found when it looked around from inside; said by itself, so it is the isolation and not its name."
    return cells.grid(
        "What a process sees", [Column(name.replace("_", " "), numeric=False) for name in names], rows, note=note
    )


def _seen(data: ScenarioData, row: Variant, name: str, found: dict[str, Counter[str]]) -> Cell:
    """Write what was said; what differs from one instance to the next is an example; counts may be numbers instead."""
    texts = found.get(name)
    if texts:
        first = next(iter(texts))
        return Cell(first or NONE, f"differs, {len(texts)} seen" if len(texts) > 1 else "")
    return cells.plain(data.summary(row, f"namespace.{name}_seen")) if name in _SEEN else Cell(NONE)
