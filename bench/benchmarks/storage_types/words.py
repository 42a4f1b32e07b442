"""Say the result of ``storage-types``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.core.model import NULL, SENTINEL, Status, Summary
from bench.display import prose
from bench.display.data import ScenarioData
from bench.display.prose import joined, nothing, told

if TYPE_CHECKING:
    import pandas as pd


def words(data: ScenarioData) -> str:
    """Say how fast each place is, how long a flush takes, and whether all keep what they promise."""
    sentences = [
        prose.ends(
            data.summaries,
            "storage.write_bytes_per_s",
            data.baseline,
            "Past the page cache data are written",
            prose.DIRECT,
        ),
        _flushes(data.summaries),
        _promises(data.outcomes),
    ]
    if not any(sentences):
        return nothing("storage metric")
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _flushes(summaries: Sequence[Summary]) -> str:
    rows = told(summaries, "storage.fsync_s")
    return f"An fsync takes {prose.lowest_to_highest(rows)}" if rows else ""


def _promises(outcomes: pd.DataFrame) -> str:
    if outcomes.empty:
        return ""
    told_of = [bool((notes or {}).get("kept")) for notes in outcomes["notes"]]
    kept = set(outcomes.loc[told_of, "target"])
    broken = set(outcomes.loc[outcomes["status"] == Status.FAILED, "target"]) - {NULL, SENTINEL}
    if not kept and not broken:
        return ""
    if broken:
        return f"Not every invocation did with the data what its place promises, or failed otherwise: {joined(sorted(broken), 6)}"
    return f"All {len(kept)} places did with the data what they promise" if len(kept) > 1 else ""
