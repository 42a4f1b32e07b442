"""The result of ``storage-drivers`` in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.storage_drivers.growth import growths, statement
from bench.benchmarks.storage_drivers.operations import COPY
from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData

_MOST = 3
"""Findings in one paragraph at most."""


def words(data: ScenarioData) -> str:
    """Say whether copy-up grows with the file, how long creating takes, how fast the disk is, and what cannot run here."""
    candidates = [
        _growing(data),
        _lives(data.summaries),
        prose.speed_range(
            data.summaries,
            "storage.write_bytes_per_s",
            data.baseline,
            "Past the page cache drivers write",
            prose.DIRECT,
        ),
        prose.speed_range(
            data.summaries, "storage.metadata_per_s", data.baseline, "Files are created", {"action": "create"}
        ),
        _caches(data.summaries),
        _unpacked(data.summaries),
    ]
    sentences = [sentence for sentence in candidates if sentence][:_MOST]
    if not sentences and not any(
        row.metric.startswith("storage.") and row.median is not None for row in data.summaries
    ):
        return prose.no_values("storage metric")
    names = [item.target for item in data.skipped]
    if names:
        sentences.append(f"{'Cannot' if len(names) > 1 else 'One cannot'} run here: {prose.joined(names, 6)}")
    return prose.paragraph(sentences)


def _growing(data: ScenarioData) -> str:
    rows = [row for row in prose.with_values(data.summaries, COPY, {"write": "first"}) if row.engine != "host"]
    found = statement([(row.target, growth) for row, growth in growths(data) if row.engine != "host"])
    return found + prose.too_few_blocks(rows) if found else ""


def _lives(summaries: Sequence[Summary]) -> str:
    """Give the time to create an instance of the image with the most layers."""
    rows = prose.with_values(summaries, "storage.create_s")
    deepest = max((float(row.params.get("layers", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("layers", 0) == deepest]
    layers = prose.plural(deepest, "layer")
    return (
        f"To create an instance of an image of {layers} takes {prose.lowest_to_highest(rows)}{prose.too_few_blocks(rows)}"
        if rows
        else ""
    )


def _caches(summaries: Sequence[Summary]) -> str:
    """Give the page cache that the largest number of readers of one file take."""
    rows = prose.with_values(summaries, "storage.shared_cache_bytes")
    most = max((float(row.params.get("readers", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("readers", 0) == most]
    return (
        f"{most:.0f} readers of one file take {prose.lowest_to_highest(rows)} of page cache{prose.too_few_blocks(rows)}"
        if rows
        else ""
    )


def _unpacked(summaries: Sequence[Summary]) -> str:
    rows = prose.with_values(summaries, "storage.unpack_s")
    return f"To unpack an image takes {prose.lowest_to_highest(rows)}{prose.too_few_blocks(rows)}" if rows else ""
