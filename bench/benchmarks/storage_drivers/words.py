"""Say the result of ``storage-drivers``."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.storage_drivers.growth import Growth, growth, statement
from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData
from bench.display.prose import blocks, joined, nothing, told

_COPY = "storage.copy_up_s"
_MOST = 3
"""Findings that one paragraph has room for."""


def words(data: ScenarioData) -> str:
    """Say where copy-up grows with the file, what a life takes, how fast the disk is, and what cannot run here."""
    candidates = [
        _growing(data.summaries),
        _lives(data.summaries),
        prose.ends(
            data.summaries,
            "storage.write_bytes_per_s",
            data.baseline,
            "Past the page cache drivers write",
            prose.DIRECT,
        ),
        prose.ends(data.summaries, "storage.metadata_per_s", data.baseline, "Files are created", {"action": "create"}),
        _caches(data.summaries),
        _unpacked(data.summaries),
    ]
    sentences = [sentence for sentence in candidates if sentence][:_MOST]
    if not sentences and not any(
        row.metric.startswith("storage.") and row.median is not None for row in data.summaries
    ):
        return nothing("storage metric")
    names = [item.target for item in data.skipped]
    if names:
        sentences.append(f"{'Cannot' if len(names) > 1 else 'One cannot'} run here: {joined(names, 6)}")
    return " ".join(f"{sentence}." for sentence in sentences)


def _growing(summaries: Sequence[Summary]) -> str:
    rows = [row for row in told(summaries, _COPY, {"write": "first"}) if row.engine != "host"]
    found: list[tuple[str, Growth]] = []
    for target in dict.fromkeys(row.target for row in rows):
        mine = [row for row in rows if row.target == target]
        points = sorted((float(row.params["file_bytes"]), row.median or 0.0) for row in mine)
        found.append((target, growth(points)))
    said = statement(found)
    return said + blocks(rows) if said else ""


def _lives(summaries: Sequence[Summary]) -> str:
    """Tell what creating an instance takes, of the deepest image."""
    rows = told(summaries, "storage.create_s")
    deepest = max((float(row.params.get("layers", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("layers", 0) == deepest]
    layers = "1 layer" if deepest == 1 else f"{deepest:.0f} layers"
    return (
        f"To create an instance of an image of {layers} takes {prose.lowest_to_highest(rows)}{blocks(rows)}"
        if rows
        else ""
    )


def _caches(summaries: Sequence[Summary]) -> str:
    """Tell how much page cache the most readers of one file take."""
    rows = told(summaries, "storage.shared_cache_bytes")
    most = max((float(row.params.get("readers", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("readers", 0) == most]
    return (
        f"{most:.0f} readers of one file take {prose.lowest_to_highest(rows)} of page cache{blocks(rows)}"
        if rows
        else ""
    )


def _unpacked(summaries: Sequence[Summary]) -> str:
    rows = told(summaries, "storage.unpack_s")
    return f"To unpack an image takes {prose.lowest_to_highest(rows)}{blocks(rows)}" if rows else ""
