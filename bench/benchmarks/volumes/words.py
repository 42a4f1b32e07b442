"""The result of ``volumes`` in sentences: volumes against the documentation, changes seen, sizes kept."""

from __future__ import annotations

from bench.benchmarks.volumes import tables
from bench.benchmarks.volumes.changes import CHANGES, SIDES
from bench.core.units import significant
from bench.display import lookup, prose
from bench.display.data import ScenarioData, Variant


def words(data: ScenarioData) -> str:
    """Say what outlives its container, who sees changes of the other side, and whether a tmpfs keeps its size."""
    return prose.paragraph([*_removals(data), *_changes(data), *_sizes(data)]) or prose.no_values("volumes metric")


def finding(data: ScenarioData) -> str:
    """Count the volumes that stay or go as documented, and the mounts across which every change is seen."""
    kept, total = _counted(data)
    shared = _shared(data)
    said = [f"{kept} of {total} volumes stay or go as documented"] if total else []
    if shared:
        whole = sum(not _unseen(data, row) for row in shared)
        said.append(f"{whole} of {len(shared)} mounts show every change")
    return "; ".join(said)


def _counted(data: ScenarioData) -> tuple[int, int]:
    total = sum(tables.stays(data, row) is not None for row in lookup.without_control(data))
    return total - len(tables.deviations(data)), total


def _removals(data: ScenarioData) -> list[str]:
    kept, total = _counted(data)
    if not total:
        return []
    if kept == total:
        return [f"All {total} volumes stay or go as documented when their container is removed"]
    return [text.removesuffix(".") for text in tables.deviations(data)]


def _shared(data: ScenarioData) -> list[Variant]:
    """Return the mounts that are meant to be shared."""
    return [
        row
        for row in lookup.without_control(data)
        if tables.case_of(row) in tables.MOUNTS[:2] and tables.is_seen(data, row, SIDES[0], CHANGES[0]) is not None
    ]


def _unseen(data: ScenarioData, row: Variant, metric: str = "seen") -> list[tuple[str, str]]:
    """Return side and change of what was not seen, or not told of by inotify."""
    every = [(side, change) for side in SIDES for change in CHANGES]
    return [(side, change) for side, change in every if not tables.is_seen(data, row, side, change, metric)]


def _named(row: Variant) -> str:
    return f"{row.target} ({tables.case_of(row).removesuffix('-changes')})"


def _changes(data: ScenarioData) -> list[str]:
    shared = _shared(data)
    if not shared:
        return []
    blind = [_named(row) for row in shared if _unseen(data, row)]
    deaf = [_named(row) for row in shared if _unseen(data, row, "notified")]
    times = prose.with_values(data.summaries, "volumes.seen_s")
    slowest = max(times, key=lambda row: row.median or 0.0, default=None)
    said = [f"Some changes are not seen on the other side of {prose.joined(blind)}" if blind else ""]
    if not blind:
        said = [f"Every change is seen on the other side of all {len(shared)} shared mounts"]
    if slowest is not None:
        what = f"{slowest.params.get('change', 'a change')} in {slowest.target}"
        said.append(f"The slowest, {what}, is seen after {prose.median_text(slowest)}")
    said.append(f"inotify misses changes across {prose.joined(deaf)}" if deaf else "")
    return said


def _sizes(data: ScenarioData) -> list[str]:
    ratios = prose.with_values(data.summaries, "volumes.size_ratio")
    off = [f"{row.target} {significant(row.median or 0.0)}×" for row in ratios if row.median != 1]
    said = []
    if ratios:
        said.append(
            f"A tmpfs is not full at the requested size: {prose.joined(off)}"
            if off
            else "Every tmpfs is full at the requested size"
        )
    free = [row.target for row in prose.with_values(data.summaries, "volumes.charged") if not row.median]
    said.append(f"It does not count as the container's memory in {prose.joined(free)}" if free else "")
    spared = [row.target for row in prose.with_values(data.summaries, "volumes.killed") if not row.median]
    said.append(f"The container survives going beyond its memory limit in {prose.joined(spared)}" if spared else "")
    return said
