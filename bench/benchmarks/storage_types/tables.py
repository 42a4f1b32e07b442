"""The tables of ``storage-types``: speeds of each mount compared with the baseline, and whether it keeps data as documented."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Status
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
    """Return throughput, operations, fsync and small files with their ratios to the baseline, then the persistence."""
    most = None if data.columns is None else 2  # a terminal has room for two quantities with their ratios
    parts = [part for title, chosen in measures(data).items() for part in _parts(title, chosen, most)]
    return cells.filled(
        [*(cells.ratio_grid(data, title, mounts(data), part) for title, part in parts), _persistence(data)]
    )


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    return table.notes(data, lambda item: item.metric.startswith("storage."))


def measures(data: ScenarioData) -> dict[str, list[Quantity]]:
    """Return the quantities that have values, by title of their table."""
    rows = mounts(data)
    found = storage.by_cache("Throughput", storage.streams(data))
    found |= storage.by_cache("Operations a second", storage.singles(data))
    found["Flushing to disk"] = [what for what in FSYNC if any(what.of(data, row) for row in rows)]
    done = storage.actions(data)
    found["Small files a second"] = [Quantity(storage.FILES, {"action": action}, action) for action in done]
    return {title: chosen for title, chosen in found.items() if chosen}


def mounts(data: ScenarioData) -> list[Variant]:
    """Return the variants without the null control."""
    return lookup.without_control(data)


def persistence(data: ScenarioData, row: Variant) -> tuple[str, str]:
    """Return whether a mount kept or dropped data as documented, and how that was checked, both as text.

    A mount that did otherwise fails its invocation; the second text is then the reason of the first failure.
    """
    said = lookup.notes_of(data, row)
    mine = lookup.outcomes_of(data, row)
    failed = [str(reason) for reason in mine.loc[mine["status"] == Status.FAILED, "reason"]]
    if "kept" not in said:
        skipped = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
        return (BROKEN, failed[0]) if failed else (UNKNOWN, skipped[0] if skipped else "")
    word = _MEANT.get(max(said["kept"], key=lambda text: said["kept"][text]), lookup.most_frequent(said["kept"]))
    how = cells.words(said.get("how")).text
    if failed:
        return f"{word}, but {len(failed)} of {len(mine)} failed", f"{how}. Failed: {failed[0]}"
    return word, "" if how == NONE else how


def _parts(title: str, chosen: Sequence[Quantity], most: int | None) -> list[tuple[str, Sequence[Quantity]]]:
    """Split a table into parts of at most ``most`` quantities, titled with their quantities."""
    if most is None or len(chosen) <= most:
        return [(title, chosen)]
    parts = [chosen[index : index + most] for index in range(0, len(chosen), most)]
    return [(f"{title}: {', '.join(what.title for what in part)}", part) for part in parts]


def _persistence(data: ScenarioData) -> Grid:
    """Show for each mount what happened to the data."""
    rows: list[tuple[Row, list[Cell]]] = []
    for row in mounts(data):
        word, how = persistence(data, row)
        rows.append((row, [Cell(word), Cell(how or NONE)]))
    heads = [Column("Promise", numeric=False), Column("How it was seen", numeric=False)]
    return cells.grid("What became of the data", heads, rows)
