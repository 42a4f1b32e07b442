"""The tables of ``namespaces``: the cost of each kind, the rate against concurrency, and what a process sees inside."""

from __future__ import annotations

from collections import Counter

from bench.core.model import Summary
from bench.display import cells, lookup, table
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid

CREATE, DESTROY, RATE = "namespace.create_s", "namespace.destroy_s", "namespace.create_per_s"
DRAIN = "namespace.drain_s"
NONE_KIND, ALL_KINDS, NET = "none", "all", "net"
_ORDER = (NONE_KIND, "uts", "ipc", "pid", "user", "cgroup", "time", "mnt", NET, ALL_KINDS)
_SEEN = ("processes", "interfaces", "mounts")
_FIRST = ("pid", "uid", *_SEEN, "hostname", "uid_map", "cgroup")
_REMARKS = {
    "all": "“all” is",
    "workers": "Workers (multiple of the CPUs: number)",
    "refused": "Refused",
    "refused at a rate": "Refused at a rate",
}
"""Notes on the measurement, shown under the tables instead of among what a process sees."""
_BRIEF = ("pid", "uid", *_SEEN)


def tables(data: ScenarioData) -> list[Grid]:
    """Return costs, rates and what a process sees; a terminal gets fewer columns."""
    brief = data.columns is not None
    rates = _walked(data, RATE, "Rate against concurrency", "Created and destroyed a second")
    drains = _walked(data, DRAIN, "How much later dead ones were gone", "From the end of the last process")
    return cells.filled(
        [_cost(data), rates, _proof(data, brief=brief)]
        if brief
        else [_cost(data), rates, drains, _proof(data, brief=brief)]
    )


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    remarks = [
        f"{words}: {text}."
        for row in makers(data)
        for name, words in _REMARKS.items()
        if (text := lookup.most_frequent(lookup.notes_of(data, row).get(name)).rstrip("."))
    ]
    return table.notes(data, lambda item: item.metric in (CREATE, DESTROY)) + remarks


def makers(data: ScenarioData) -> list[Variant]:
    """Return the targets that created namespaces."""
    has = {item.target for item in data.summaries if item.metric in (CREATE, RATE)}
    return [row for row in lookup.without_control(data) if row.target in has]


def kinds(data: ScenarioData) -> list[str]:
    """Return the kinds of namespace, ``none`` first and ``all`` last."""
    found = {str(kind) for metric in (CREATE, RATE) for kind in lookup.param_values(data, metric, "kind")}
    return lookup.in_order(sorted(found), _ORDER)


def label(kind: str, row: Variant, data: ScenarioData) -> Label:
    """Label a row: the kind, and the target if there are several."""
    words = {NONE_KIND: "no namespace", ALL_KINDS: "all kinds at once"}.get(kind, "")
    return Label(kind, row.text if len(makers(data)) > 1 else words)


def steps(data: ScenarioData, row: Variant, kind: str, metric: str = RATE) -> list[tuple[float, Summary]]:
    """Return the rate, or another metric, by number of workers in multiples of the CPUs."""
    return lookup.over(data, row, metric, "workers", kind=kind)


def _cost(data: ScenarioData) -> Grid:
    heads = (Column("create", cells.CI), Column("destroy", cells.CI), *cells.COUNTS)
    rows: list[tuple[Row, list[Cell]]] = []
    for row in makers(data):
        for kind in kinds(data):
            made, gone = (data.summary(row, metric, kind=kind) for metric in (CREATE, DESTROY))
            if made or gone:
                found = [
                    cells.value(made),
                    cells.value(gone),
                    *table.counts_of(data, row, made or gone),
                ]
                rows.append((label(kind, row, data), found))
    return cells.grid("One namespace of each kind", heads, rows, first="Kind")


def _walked(data: ScenarioData, metric: str, title: str, words: str) -> Grid:
    walked = {(row, kind): dict(steps(data, row, kind, metric)) for row in makers(data) for kind in kinds(data)}
    workers = sorted({number for found in walked.values() for number in found})
    whole = data.columns is None
    heads = [Column(f"{number:g} × CPUs", cells.CI if whole else "") for number in workers]
    rows: list[tuple[Row, list[Cell]]] = [
        (label(kind, row, data), [cells.value(found.get(number), interval=whole) for number in workers])
        for (row, kind), found in walked.items()
        if found
    ]
    note = f"{words}, with that many workers at once, in multiples of the CPUs."
    return cells.grid(title, heads, rows, first="Kind", note=note)


def _proof(data: ScenarioData, *, brief: bool) -> Grid:
    said = {row: lookup.notes_of(data, row) for row in lookup.without_control(data)}
    known = dict.fromkeys(name for found in said.values() for name in found if name not in _REMARKS)
    names = [name for name in _FIRST if name in known or name in _SEEN] + [name for name in known if name not in _FIRST]
    names = [name for name in names if not brief or name in _BRIEF]
    rows: list[tuple[Row, list[Cell]]] = []
    for row, found in said.items():
        made = [_seen(data, row, name, found) for name in names]
        if any(cell.text != NONE for cell in made):
            rows.append((row, made))
    note = "What the payload found when it looked around from inside; said by itself, so it is the isolation and not its name."
    return cells.grid(
        "What a process sees", [Column(name.replace("_", " "), numeric=brief) for name in names], rows, note=note
    )


def _seen(data: ScenarioData, row: Variant, name: str, found: dict[str, Counter[str]]) -> Cell:
    """Write what the payload reported, with one example if instances differ; counts are metrics instead of notes."""
    texts = found.get(name)
    if texts:
        first = next(iter(texts))
        return Cell(first or NONE, f"differs, {len(texts)} seen" if len(texts) > 1 else "")
    return cells.plain(data.summary(row, f"namespace.{name}_seen")) if name in _SEEN else Cell(NONE)
