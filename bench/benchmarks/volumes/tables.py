"""The tables of ``volumes``: what outlives a container, what is seen of a change, how much a tmpfs takes; and what deviates."""

from __future__ import annotations

from collections import Counter

from bench.benchmarks.volumes.changes import CHANGES, SIDES
from bench.benchmarks.volumes.removal import DOCUMENTED
from bench.core.model import Status, Summary
from bench.display import cells, lookup, prose
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid

MOUNTS = ("bind-changes", "volume-changes", "tmpfs-changes")
_REMOVALS = {
    "named-rm": Column("named volume", "rm", numeric=False),
    "named-rm-v": Column("named volume", "rm -v", numeric=False),
    "anonymous-rm": Column("anonymous volume", "rm", numeric=False),
    "anonymous-rm-v": Column("anonymous volume", "rm -v", numeric=False),
}
_ON = {"instance": "What the instance sees of a change on the host", "host": "What the host sees of a change inside"}
_SEEN = (
    "Each file is looked at every millisecond, and inotify tells of changes where it works across the mount. “Not seen” was not "
    "there for as long as is looked. A tmpfs shares nothing with the host and is the negative control."
)
_REMOVED = "Another container reads the content back. Documented: only an anonymous volume goes, and only with “-v”."
_FULL = (
    "Bytes until no more can be written ÷ the size that was asked for; whether they count as the container's memory; and "
    "what becomes of a container whose tmpfs may hold twice its memory limit, with the bytes that it came to ÷ the limit."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return the truth table of removals, one table a side of what is seen, and the sizes."""
    return cells.filled([_removed(data), *(_seen(data, side) for side in SIDES), _sizes(data)])


def notes(data: ScenarioData) -> list[str]:
    """Say what is not as documented, where inotify does not exist, and what was skipped."""
    said = [*deviations(data)]
    refused = {row.text: lookup.most_frequent(lookup.notes_of(data, row).get("inotify")) for row in data.invoked}
    said += [f"{name}: no inotify, {reason}." for name, reason in refused.items() if reason]
    skipped = Counter((row.target, reason) for row in data.invoked if (reason := _skipped(data, row)))
    said += [f"{target}: {reason} ({prose.plural(count, 'case')})." for (target, reason), count in skipped.items()]
    return said


def case_of(row: Variant) -> str:
    """Return the case of a variant."""
    return lookup.param_of(row, "case")


def stays(data: ScenarioData, row: Variant) -> bool | None:
    """Say whether the volume outlived its container; ``None`` without a number."""
    found = data.summary(row, "volumes.outlives")
    return None if found is None or found.median is None else bool(found.median)


def deviations(data: ScenarioData) -> list[str]:
    """Name every volume that stayed or went against the documentation, with the engine's version."""
    said = []
    for row in lookup.without_control(data):
        wanted, found = DOCUMENTED.get(case_of(row)), stays(data, row)
        if found is not None and wanted is not None and found is not wanted:
            version = lookup.most_frequent(lookup.notes_of(data, row).get("version"))
            told, seen = ("stays", "goes") if wanted else ("goes", "stays")
            said.append(f"{row.text} ({version}): the volume {seen}, documented is that it {told}.")
    return said


def is_seen(data: ScenarioData, row: Variant, side: str, change: str, metric: str = "seen") -> bool | None:
    """Say whether a change was seen, or told of by inotify, on a side; ``None`` without a number."""
    found = data.summary(row, f"volumes.{metric}", change=change, side=side)
    return None if found is None or found.median is None else bool(found.median)


def _targets(data: ScenarioData) -> list[str]:
    return list(dict.fromkeys(row.target for row in lookup.without_control(data)))


def _removed(data: ScenarioData) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for target in _targets(data):
        mine = {case_of(row): row for row in lookup.without_control(data) if row.target == target}
        found = {case: stays(data, mine[case]) if case in mine else None for case in _REMOVALS}
        if any(one is not None for one in found.values()):
            rows.append((Label(target), [_stay(case, one) for case, one in found.items()]))
    return cells.grid("What becomes of a volume when its container is removed", _REMOVALS.values(), rows, note=_REMOVED)


def _stay(case: str, found: bool | None) -> Cell:
    if found is None:
        return Cell(NONE)
    return Cell("stays" if found else "goes", "" if found is DOCUMENTED[case] else "not as documented")


def _seen(data: ScenarioData, side: str) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for row in lookup.without_control(data):
        if case_of(row) in MOUNTS and is_seen(data, row, side, CHANGES[0]) is not None:
            label = Label(row.target, case_of(row).removesuffix("-changes"))
            rows.append((label, [_change(data, row, side, change) for change in CHANGES]))
    heads = [Column(change, "told by inotify", numeric=False) for change in CHANGES]
    return cells.grid(_ON[side], heads, rows, note=_SEEN if side == SIDES[0] else "")


def _change(data: ScenarioData, row: Variant, side: str, change: str) -> Cell:
    if not is_seen(data, row, side, change):
        return Cell("not seen")
    told = "told" if is_seen(data, row, side, change, "notified") else "not told"
    took = data.summary(row, "volumes.seen_s", change=change) if side == SIDES[0] else None
    return Cell("seen" if took is None else cells.plain(took).text, told)


def _sizes(data: ScenarioData) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for target in _targets(data):
        mine = {case_of(row): row for row in lookup.without_control(data) if row.target == target}
        full, beyond = (mine.get(case) for case in ("tmpfs-size", "tmpfs-beyond-memory"))
        ratio = data.summary(full, "volumes.size_ratio") if full else None
        killed = data.summary(beyond, "volumes.killed") if beyond else None
        if ratio is not None or killed is not None:
            charged = data.summary(full, "volumes.charged") if full else None
            reached = data.summary(beyond, "volumes.reached_ratio") if beyond else None
            ends = _said(killed, "killed", "not killed")
            rows.append((Label(target), [cells.plain(ratio), _said(charged, "yes", "no"), ends, cells.plain(reached)]))
    heads = [
        *(Column("full at ÷ asked"), Column("counts as memory", numeric=False)),
        *(Column("beyond the memory limit", numeric=False), Column("reached ÷ limit")),
    ]
    return cells.grid("How much a tmpfs takes", heads, rows, note=_FULL)


def _said(found: Summary | None, yes: str, no: str) -> Cell:
    return Cell(NONE if found is None or found.median is None else yes if found.median else no)


def _skipped(data: ScenarioData, row: Variant) -> str:
    """Return why all invocations of a variant were skipped; otherwise empty."""
    mine = lookup.outcomes_of(data, row)
    reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
    return reasons[0] if reasons and len(reasons) == len(mine) else ""
