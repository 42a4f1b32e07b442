"""What storage drivers and places for data cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench import _growth
from bench._headline.words import TIMES, blocks, joined, nothing, told
from bench._series import NULL, SENTINEL
from bench.model import ParamValue, Skipped, Status, Summary
from bench.units import format_value, significant

if TYPE_CHECKING:
    import pandas as pd

_COPY = "storage.copy_up_s"
_MOST = 3
"""Findings that one paragraph has room for."""

_DIRECT: Mapping[str, ParamValue] = {"pattern": "sequential", "cache": "direct"}


def drivers(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any], skipped: Sequence[Skipped] = ()) -> str:
    """Say where copy-up grows with the file, what a life takes, how fast the disk is, and what cannot run here."""
    baseline = str(scenario_meta.get("baseline", "host"))
    candidates = [
        _growing(summaries),
        _lives(summaries),
        _ends(summaries, "storage.write_bytes_per_s", baseline, "Past the page cache drivers write", _DIRECT),
        _ends(summaries, "storage.metadata_per_s", baseline, "Files are created", {"action": "create"}),
        _caches(summaries),
        _unpacked(summaries),
    ]
    sentences = [sentence for sentence in candidates if sentence][:_MOST]
    if not sentences and not any(row.metric.startswith("storage.") and row.median is not None for row in summaries):
        return nothing("storage metric")
    names = [item.target for item in skipped]
    if names:
        sentences.append(f"{'Cannot' if len(names) > 1 else 'One cannot'} run here: {joined(names, 6)}")
    return " ".join(f"{sentence}." for sentence in sentences)


def places(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any], outcomes: pd.DataFrame | None = None) -> str:
    """Say how fast each place is, how long a flush takes, and whether all keep what they promise."""
    baseline = str(scenario_meta.get("baseline", "host"))
    sentences = [
        _ends(summaries, "storage.write_bytes_per_s", baseline, "Past the page cache data are written", _DIRECT),
        _flushes(summaries),
        _promises(outcomes),
    ]
    if not any(sentences):
        return nothing("storage metric")
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _growing(summaries: Sequence[Summary]) -> str:
    rows = [row for row in told(summaries, _COPY, {"write": "first"}) if row.engine != "host"]
    found: list[tuple[str, _growth.Growth]] = []
    for target in dict.fromkeys(row.target for row in rows):
        mine = [row for row in rows if row.target == target]
        points = sorted((float(row.params["file_bytes"]), row.median or 0.0) for row in mine)
        found.append((target, _growth.growth(points)))
    said = _growth.statement(found)
    return said + blocks(rows) if said else ""


def _lives(summaries: Sequence[Summary]) -> str:
    """Tell what creating an instance takes, of the deepest image."""
    rows = told(summaries, "storage.create_s")
    deepest = max((float(row.params.get("layers", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("layers", 0) == deepest]
    layers = "1 layer" if deepest == 1 else f"{deepest:.0f} layers"
    return f"To create an instance of an image of {layers} takes {_range(rows)}{blocks(rows)}" if rows else ""


def _ends(summaries: Sequence[Summary], metric: str, baseline: str, verb: str, params: Mapping[str, ParamValue]) -> str:
    """Tell of the slowest and the fastest in multiples of the baseline, or in their own unit where it has no value."""
    every = [row for row in told(summaries, metric, params) if row.target != baseline]
    rows = [row for row in every if row.ratio is not None]
    if not rows:
        return f"{verb} at {_range(every)}{blocks(every)}" if every else ""
    rows.sort(key=lambda row: row.ratio or 0.0)
    ends = rows if len(rows) < 2 else [rows[0], rows[-1]]
    texts = [f"{significant(row.ratio or 0.0)}{TIMES} ({row.target})" for row in ends]
    return f"{verb} at {' to '.join(texts)} the speed of {baseline}{blocks(rows)}"


def _range(rows: Sequence[Summary]) -> str:
    """Write the smallest and the largest value with their targets."""
    ordered = sorted(rows, key=lambda row: row.median or 0.0)
    ends = ordered if len(ordered) < 2 else [ordered[0], ordered[-1]]
    return " to ".join(f"{format_value(row.median, row.unit)} ({row.target})" for row in ends)


def _caches(summaries: Sequence[Summary]) -> str:
    """Tell how much page cache the most readers of one file take."""
    rows = told(summaries, "storage.shared_cache_bytes")
    most = max((float(row.params.get("readers", 0)) for row in rows), default=0.0)
    rows = [row for row in rows if row.params.get("readers", 0) == most]
    return f"{most:.0f} readers of one file take {_range(rows)} of page cache{blocks(rows)}" if rows else ""


def _unpacked(summaries: Sequence[Summary]) -> str:
    rows = told(summaries, "storage.unpack_s")
    return f"To unpack an image takes {_range(rows)}{blocks(rows)}" if rows else ""


def _flushes(summaries: Sequence[Summary]) -> str:
    rows = told(summaries, "storage.fsync_s")
    return f"An fsync takes {_range(rows)}" if rows else ""


def _promises(outcomes: pd.DataFrame | None) -> str:
    if outcomes is None or outcomes.empty:
        return ""
    told_of = [bool((notes or {}).get("kept")) for notes in outcomes["notes"]]
    kept = set(outcomes.loc[told_of, "target"])
    broken = set(outcomes.loc[outcomes["status"] == Status.FAILED, "target"]) - {NULL, SENTINEL}
    if not kept and not broken:
        return ""
    if broken:
        return f"Not every invocation did with the data what its place promises, or failed otherwise: {joined(sorted(broken), 6)}"
    return f"All {len(kept)} places did with the data what they promise" if len(kept) > 1 else ""
