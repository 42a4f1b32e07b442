"""The result of ``storage-types`` in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.core.model import NULL, SENTINEL, Status, Summary
from bench.display import prose
from bench.display.data import ScenarioData

if TYPE_CHECKING:
    import pandas as pd


def words(data: ScenarioData) -> str:
    """Say how fast each mount is, how long an fsync takes, and whether each kept or dropped the data as documented."""
    sentences = [
        prose.speed_range(
            data.summaries,
            "storage.write_bytes_per_s",
            data.baseline,
            "Past the page cache, data are written",
            prose.DIRECT,
        ),
        _flushes(data.summaries),
        prose.restriction(prose.with_values(data.summaries, "storage.fsync_s")),
        _persistence(data.outcomes),
    ]
    if not any(sentences):
        return prose.no_values("storage metric")
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give the time of an fsync on each mount."""
    rows = prose.with_values(data.summaries, "storage.fsync_s")
    return f"fsync: {prose.listed(data, rows)}" if rows else ""


def _flushes(summaries: Sequence[Summary]) -> str:
    rows = prose.with_values(summaries, "storage.fsync_s")
    return f"An fsync takes {prose.span(rows)}" if rows else ""


def _persistence(outcomes: pd.DataFrame) -> str:
    if outcomes.empty:
        return ""
    checked = [bool((notes or {}).get("kept")) for notes in outcomes["notes"]]
    kept = set(outcomes.loc[checked, "target"])
    broken = set(outcomes.loc[outcomes["status"] == Status.FAILED, "target"]) - {NULL, SENTINEL}
    if not kept and not broken:
        return ""
    if broken:
        names = prose.joined(sorted(broken), 6)
        return f"Some invocations failed, or did not keep or drop the data as documented: {names}"
    return f"All {len(kept)} mounts kept or dropped the data as documented" if len(kept) > 1 else ""
