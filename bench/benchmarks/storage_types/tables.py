"""Where data are kept: how fast each place is beside the host, and whether it keeps what it promises."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import NULL, Status
from bench.display import cells, lookup, storage, table
from bench.display.data import Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid

FSYNC = (
    Quantity("storage.fsync_s", {}, "fsync, median"),
    Quantity("storage.fsync_p99_s", {}, "fsync, 99th percentile"),
)
_MEANT = {
    "yes": "kept",
    "no": "gone, as it should be",
    "refused": "writing refused, as it should be",
}
BROKEN, UNKNOWN = "broken", "not checked"


def tables(data: ScenarioData) -> list[Grid]:
    """Return speed, fsync and small files with their ratios to the baseline, and what was promised."""
    most = None if data.columns is None else 2  # a terminal has room for two pairs of columns and more rows
    parts = [part for title, chosen in measures(data).items() for part in _parts(title, chosen, most)]
    return cells.filled(
        [*(cells.ratio_grid(data, title, places(data), part) for title, part in parts), _promises(data)]
    )


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric.startswith("storage."))


def measures(data: ScenarioData) -> dict[str, list[Quantity]]:
    """Return title → what was measured, of what has values."""
    rows = places(data)
    found = storage.by_cache("Throughput", storage.streams(data))
    found |= storage.by_cache("Operations a second", storage.singles(data))
    found["Flushing to disk"] = [what for what in FSYNC if any(what.of(data, row) for row in rows)]
    done = storage.actions(data)
    found["Small files a second"] = [Quantity(storage.FILES, {"action": action}, action) for action in done]
    return {title: chosen for title, chosen in found.items() if chosen}


def places(data: ScenarioData) -> list[Variant]:
    """Return the rows."""
    return [row for row in data.invoked if row.target != NULL]


def promise(data: ScenarioData, row: Variant) -> tuple[str, str]:
    """Return in words whether a place does with data what it promises, and how that was seen.

    A place that broke its promise fails its invocation, so the reason of the first failure tells how.
    """
    said = lookup.said(data, row)
    mine = lookup.outcomes_of(data, row)
    failed = [str(reason) for reason in mine.loc[mine["status"] == Status.FAILED, "reason"]]
    if "kept" not in said:
        skipped = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
        return (BROKEN, failed[0]) if failed else (UNKNOWN, skipped[0] if skipped else "")
    word = _MEANT.get(max(said["kept"], key=lambda text: said["kept"][text]), lookup.usual(said["kept"]))
    how = cells.words(said.get("how")).text
    if failed:
        return f"{word}, but {len(failed)} of {len(mine)} failed", f"{how}. Failed: {failed[0]}"
    return word, "" if how == NONE else how


def _parts(title: str, chosen: Sequence[Quantity], most: int | None) -> list[tuple[str, Sequence[Quantity]]]:
    """Cut a table into parts of a few quantities each, named by what they have."""
    if most is None or len(chosen) <= most:
        return [(title, chosen)]
    parts = [chosen[place : place + most] for place in range(0, len(chosen), most)]
    return [(f"{title}: {', '.join(what.title for what in part)}", part) for part in parts]


def _promises(data: ScenarioData) -> Grid:
    """Say of each place what became of the data."""
    rows: list[tuple[Row, list[Cell]]] = []
    for row in places(data):
        word, how = promise(data, row)
        rows.append((row, [Cell(word), Cell(how or NONE)]))
    heads = [Column("Promise", numeric=False), Column("How it was seen", numeric=False)]
    return cells.grid("What became of the data", heads, rows)
