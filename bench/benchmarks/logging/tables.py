"""The tables of ``logging``: lines that did not come through, kinds of lines, cost, limits and what disturbs a log."""

from __future__ import annotations

from bench.benchmarks.logging import results
from bench.benchmarks.logging.results import Shape
from bench.benchmarks.logging.shapes import SHAPES
from bench.core.model import Summary
from bench.display import cells, lookup, table
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid

_TITLES = {
    "rate": "at a rate",
    "flat": "flat out",
    "follower": "with a follower",
    "stopped": "reader stopped",
    "crash": "collector crashed",
}
_READ = {"reader": "the engine’s reader", "file": "what is stored"}
_ALL = {"part": "all"}
_COST = (
    Quantity("logging.lines_per_s", {}, "lines"),
    Quantity("logging.write_p50_s", {}, "one write"),
    Quantity("logging.write_p99_s", {}, "99th percentile"),
    Quantity("logging.cpu_per_million_s", _ALL, "CPU per million lines"),
    Quantity("logging.stored_ratio", {}, "bytes stored ÷ written"),
)
_RATE = (Quantity("logging.asked_ratio", {}, "rate achieved ÷ asked"), *_COST[1:4])
_Rows = list[tuple[Row, list[Cell]]]


def tables(data: ScenarioData) -> list[Grid]:
    """Return the losses, the kinds of lines, the cost of each load, the limit, and the disturbances."""
    made = [
        _losses(data),
        _shapes(data),
        _cost(data, "flat", "Flat out", _COST),
        _parts(data),
        _cost(data, "rate", "At a fixed rate", _RATE),
        _cost(data, "follower", "Flat out with a follower", _COST[:4]),
        _limit(data),
        _disturbed(data),
    ]
    return cells.filled(made)


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables, and the rate limits that were in force."""
    shown = {what.metric for what in (*_COST, *_RATE)}
    found = table.notes(data, lambda item: item.metric in shown)
    limits = {
        f"{row.target}: {lookup.most_frequent(said)}"
        for row in lookup.without_control(data)
        if (said := lookup.notes_of(data, row).get("journald_rate_limit"))
    }
    return found + sorted(limits)


def _losses(data: ScenarioData) -> Grid:
    rows: _Rows = []
    for loads in results.targets(data).values():
        made = [_loss(data, loads.get(load)) for load in results.COUNTED]
        others = [_most(data, loads, name) for name in ("duplicated_lines", "reordered_lines", "altered_lines")]
        rows.append((results.named(next(iter(loads.values()))), [*made, *others]))
    heads = [Column(_TITLES[load]) for load in results.COUNTED]
    heads += [Column("duplicated"), Column("out of order"), Column("altered")]
    note = (
        "Lines that did not come through, read by the engine’s reader, from what is stored, and by the follower; the worst of "
        "them where they differ. The last three columns are the worst of all these loads."
    )
    return cells.grid("Lines lost", heads, rows, note=note)


def _loss(data: ScenarioData, row: Variant | None) -> Cell:
    found = results.losses(data, row)
    if not found:
        return Cell(NONE)
    worst = max(found, key=lambda read: found[read].median or 0.0)
    same = len({one.median for one in found.values()}) == 1
    return Cell(cells.plain(found[worst]).text, "" if same else f"by {worst}")


def _most(data: ScenarioData, loads: dict[str, Variant], name: str) -> Cell:
    found = [
        value
        for load in results.COUNTED
        for read in results.READS
        if (value := results.number(data, loads.get(load), name, read=read)) is not None
    ]
    return Cell(f"{max(found):.0f}" if found else NONE)


def _shapes(data: ScenarioData) -> Grid:
    rows: _Rows = []
    for text, loads in results.targets(data).items():
        for read, title in _READ.items():
            found = results.shapes(data, loads.get("edges"), read)
            if found:
                rows.append((Label(text, title), [_shape(found.get(name)) for name in SHAPES]))
    heads = [Column(name) for name in SHAPES]
    note = "Records a line, and what became of its bytes where they are not those that were written."
    return cells.grid("What becomes of a line", heads, rows, note=note)


def _shape(found: Shape | None) -> Cell:
    if found is None:
        return Cell(NONE)
    if found.lost == found.lines:
        return Cell("lost")
    said = NONE if found.records is None else cells.number_text(found.records, "count")
    what = [f"{found.lost:.0f} lost"] if found.lost else []
    what += ["altered" if found.altered == found.lines else f"{found.altered:.0f} altered"] if found.altered else []
    return Cell(said, ", ".join(what))


def _cost(data: ScenarioData, load: str, title: str, chosen: tuple[Quantity, ...]) -> Grid:
    rows: _Rows = []
    for loads in results.targets(data).values():
        row = loads.get(load)
        if row and any(what.of(data, row) for what in chosen):
            rows.append((results.named(row), cells.quantity_cells(data, row, chosen)))
    return cells.grid(title, cells.quantity_heads(chosen), rows)


def _parts(data: ScenarioData) -> Grid:
    found = {
        results.named(row): dict(results.parts(data, row))
        for loads in results.targets(data).values()
        if (row := loads.get("flat"))
    }
    names = sorted({name for one in found.values() for name in one})
    rows: _Rows = [(row, [cells.value(one.get(name)) for name in names]) for row, one in found.items() if one]
    heads = [Column(name, cells.CI) for name in names]
    return cells.grid("CPU per million lines flat out, by process", heads, rows)


def _limit(data: ScenarioData) -> Grid:
    rows: _Rows = []
    for loads in results.targets(data).values():
        row = loads.get("limit")
        kept = results.count(data, row, "kept_ratio")
        if row and kept:
            said = lookup.notes_of(data, row)
            over = results.count(data, row, "over_limit_bytes")
            made = [
                cells.words(said.get("limit")),
                cells.words(said.get("files")),
                cells.percent(kept),
                cells.plain(over),
            ]
            rows.append((results.named(row), [*made, *table.counts_of(data, row, kept)]))
    heads = [
        Column("limit", numeric=False),
        Column("files"),
        Column("kept of it"),
        Column("over it at most"),
        *cells.COUNTS,
    ]
    note = (
        "Eight times the limit was written. Over the limit counts what exceeds it by more than one line, at any moment."
    )
    return cells.grid("Limit of a log", heads, rows, note=note)


def _disturbed(data: ScenarioData) -> Grid:
    rows: _Rows = []
    for loads in results.targets(data).values():
        stopped, crash = (results.count(data, loads.get(load), "stalled_writers") for load in ("stopped", "crash"))
        if stopped or crash:
            who = lookup.most_frequent(lookup.notes_of(data, loads["stopped"]).get("stopped")) if stopped else ""
            crashed = lookup.most_frequent(lookup.notes_of(data, loads["crash"]).get("crashed")) if crash else ""
            made = [_stands(stopped, who), _loss(data, loads.get("stopped")), _stands(crash, crashed)]
            rows.append((results.named(next(iter(loads.values()))), [*made, _loss(data, loads.get("crash"))]))
    heads = [
        *(Column("writer, reader stopped", numeric=False), Column("lines lost")),
        *(Column("writer, collector crashed", numeric=False), Column("lines dropped")),
    ]
    note = "A writer stalls when it has not written 16 lines of 4 KiB within three seconds."
    return cells.grid("When the reader stops, and when the collector crashes", heads, rows, note=note)


def _stands(found: Summary | None, who: str) -> Cell:
    if found is None or found.median is None:
        return Cell(NONE)
    return Cell("stalls" if found.median >= 0.5 else "continues", who)
