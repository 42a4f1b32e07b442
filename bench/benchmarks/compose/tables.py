"""The tables of ``compose``: up beside the API, the other operations, order and leftovers, and the requests."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.compose import rows
from bench.core.model import Summary
from bench.display import cells, lookup, paired, prose, table
from bench.display.data import Label, Row, ScenarioData, Variant, metric_title
from bench.display.paired import Quantity
from bench.display.table import Cell, Column, Grid

_UP = (
    rows.READY,
    Quantity("compose.up_s", {}, "up returns"),
    Quantity("compose.own_s", {}, "client's own time"),
    Quantity("compose.engine_s", {}, "engine's answers"),
    Quantity("compose.edge_s", {}, "wait of an edge"),
    Quantity("compose.gap_s", {}, "ran before it was ready"),
)
_OTHERS = (
    Quantity("compose.noop_s", {}, "up again"),
    Quantity("compose.exec_s", {}, "exec"),
    Quantity("compose.logs_s", {}, "logs"),
    Quantity("compose.scale_s", {}, "one more container"),
    Quantity("compose.down_s", {}, "down -v"),
)
_EXACT = {
    "compose.violations": "order violated",
    "compose.noop_changes": "changed by up again",
    "compose.lost_lines": "lines lost",
    "compose.unscaled": "not added",
    "compose.leftovers": "left",
}
_CALLS = ("compose.calls", "compose.noop_calls", "compose.down_calls")
_KIND = "compose.calls_of"
_UP_NOTE = (
    "All ready: from the request until the payload of each service is ready and each service with a check is healthy. × api: "
    "divided by the time of the same project made by requests of the engine's API. The client's own time is the part of up in "
    "which none of its requests waits for an answer: its own work, and its waiting until a service is healthy. Wait of an edge: "
    "from when the dependency was there (its first instruction, or healthy) to the dependent's first instruction. Ran before it "
    "was ready: the longest time from a dependent's first instruction until its dependency was ready."
)
_EXACT_NOTE = (
    "Exact counts, of containers where nothing else is said. The order is violated when a service's first instruction comes "
    "before that of one that it needs, or before that one is healthy. Left: what the client has not removed; Tare removes it."
)
_CALLS_NOTE = "Requests to the engine; of a client that starts programs of the engine, those programs."


def tables(data: ScenarioData) -> list[Grid]:
    """Return times, exact counts and requests."""
    return cells.filled([_up(data), _others(data), _exact(data), _calls(data), _kinds(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    missing = [f"{prose.joined(names, 8)}: {reason}." for reason, names in rows.skipped(data).items()]
    said = [
        (rows.named(row), why) for row in rows.ordered(data) for name in ("health",) if (why := _said(data, row, name))
    ]
    unable = [f"{name}: {why}." for name, why in dict.fromkeys(said)]
    return table.notes(data, lambda item: item.metric == rows.READY.metric) + missing + unable


def _with(data: ScenarioData, metrics: Sequence[str]) -> list[Variant]:
    return [row for row in rows.ordered(data) if any(data.summary(row, name) for name in metrics)]


def _up(data: ScenarioData) -> Grid:
    made: list[tuple[Row, list[Cell]]] = []
    for row in _with(data, [what.metric for what in _UP]):
        found = [what.of(data, row) for what in _UP]
        shown = [*map(cells.value, found), *table.counts_of(data, row, cells.first(found))]
        made.append((row, [shown[0], paired.cell(rows.over_api(data, row, rows.READY)), *shown[1:]]))
    heads = [Column(what.title, cells.CI) for what in _UP]
    heads.insert(1, Column("× api", cells.CI))
    return cells.grid("Up", [*heads, *cells.COUNTS], made, note=_UP_NOTE)


def _others(data: ScenarioData) -> Grid:
    chosen = _with(data, [what.metric for what in _OTHERS])
    made = [(row, cells.quantity_cells(data, row, _OTHERS)) for row in chosen]
    return cells.grid("Other commands", cells.quantity_heads(_OTHERS), made)


def _exact(data: ScenarioData) -> Grid:
    made: list[tuple[Row, list[Cell]]] = []
    for row in _with(data, list(_EXACT)):
        counts = [cells.plain(data.summary(row, name)) for name in _EXACT]
        made.append((row, [*counts, *(Cell(_said(data, row, name)) for name in ("order", "left"))]))
    heads = [Column(title) for title in _EXACT.values()]
    heads += [Column(title, numeric=False) for title in ("the order", "what is left")]
    return cells.grid("Order and leftovers", heads, made, note=_EXACT_NOTE)


def _calls(data: ScenarioData) -> Grid:
    chosen = [Quantity(name, {}, metric_title(name)) for name in _CALLS]
    rows_of = _with(data, _CALLS)
    made = [(row, [Cell(_said(data, row, "client")), *cells.quantity_cells(data, row, chosen)]) for row in rows_of]
    heads = [Column("client", numeric=False), *cells.quantity_heads(chosen)]
    return cells.grid("Requests", heads, made, note=_CALLS_NOTE)


def _kinds(data: ScenarioData) -> Grid:
    """Return the requests of the first project's up by kind: a row a kind, a column a client."""
    first = next(iter(rows.projects(data)), "")
    columns = [row for row in rows.ordered(data) if rows.project_of(row) == first and _kind_of(data, row)]
    names = sorted({name for row in columns for name in _kind_of(data, row)})
    made: list[tuple[Row, list[Cell]]] = [
        (Label(name), [cells.plain(_kind_of(data, row).get(name)) for row in columns]) for name in names
    ]
    heads = [Column(rows.named(row)) for row in columns]
    return cells.grid(f"Requests of up by kind, {first}", heads, made, first="Request", note="Medians of the blocks.")


def _kind_of(data: ScenarioData, row: Variant) -> dict[str, Summary]:
    kinds = map(str, lookup.param_values(data, _KIND, "kind"))
    found = {kind: data.summary(row, _KIND, kind=kind) for kind in kinds}
    return {kind: one for kind, one in found.items() if one}


def _said(data: ScenarioData, row: Variant, name: str) -> str:
    return lookup.most_frequent(lookup.notes_of(data, row).get(name))
