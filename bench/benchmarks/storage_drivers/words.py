"""The result of ``storage-drivers`` in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.storage_drivers.growth import growths, statement
from bench.benchmarks.storage_drivers.operations import COPY, size_text
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
            "Past the page cache, drivers write",
            prose.DIRECT,
        ),
        prose.speed_range(
            data.summaries, "storage.metadata_per_s", data.baseline, "Files are created", {"action": "create"}
        ),
        _caches(data.summaries),
        _unpacked(data.summaries),
    ]
    sentences = [sentence for sentence in candidates if sentence][:_MOST]
    sentences += [said for said in [prose.restriction(_measured(data.summaries))] if said]
    if not sentences and not _measured(data.summaries):
        return prose.no_values("storage metric")
    names = [item.target for item in data.skipped]
    if names:
        sentences.append(f"Cannot run here: {prose.joined(names, 6)}")
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give the time of the first write into the largest file."""
    rows = prose.with_values(data.summaries, COPY, {"write": "first"})
    largest = max((float(row.params.get("file_bytes", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("file_bytes") == largest]
    rows = [row for row in rows if row.engine != "host"] or rows
    if rows:
        return f"copy-up {size_text(int(largest))}: {prose.listed(data, rows)}"
    rows = prose.with_values(data.summaries, "storage.create_s")
    return f"create: {prose.listed(data, prose.same_params_as_first(rows))}" if rows else ""


def _measured(summaries: Sequence[Summary]) -> list[Summary]:
    return [row for row in summaries if row.metric.startswith("storage.") and row.median is not None]


def _growing(data: ScenarioData) -> str:
    """Say on which drivers copy-up grows with the file; only with intervals, else give its time for the largest file."""
    rows = [row for row in prose.with_values(data.summaries, COPY, {"write": "first"}) if row.engine != "host"]
    if any(not prose.is_decided(row) for row in rows):
        largest = max(float(row.params.get("file_bytes", 0)) for row in rows)
        mine = [row for row in rows if row.params.get("file_bytes") == largest]
        return f"The first write into a file of {size_text(int(largest))} takes {prose.span(mine, most=6)}"
    return statement([(row.target, growth) for row, growth in growths(data) if row.engine != "host"])


def _lives(summaries: Sequence[Summary]) -> str:
    """Give the time to create an instance of the image with the most layers."""
    rows = prose.with_values(summaries, "storage.create_s")
    deepest = max((float(row.params.get("layers", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("layers", 0) == deepest]
    layers = prose.plural(deepest, "layer")
    return f"Creating an instance from an image of {layers} takes {prose.span(rows)}" if rows else ""


def _caches(summaries: Sequence[Summary]) -> str:
    """Give the page cache that the largest number of readers of one file take."""
    rows = prose.with_values(summaries, "storage.shared_cache_bytes")
    most = max((float(row.params.get("readers", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("readers", 0) == most]
    return f"{most:.0f} readers of one file take {prose.span(rows)} of page cache" if rows else ""


def _unpacked(summaries: Sequence[Summary]) -> str:
    rows = prose.with_values(summaries, "storage.unpack_s")
    return f"Unpacking an image takes {prose.span(rows)}" if rows else ""
