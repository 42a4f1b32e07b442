"""Say the result of ``size``."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import format_value, significant
from bench.display.data import ScenarioData
from bench.display.prose import TIMES, nothing, told


def words(data: ScenarioData) -> str:
    """Say which form of the application is smallest, which largest, and how much of the largest others share."""
    rows = sorted(told(data.summaries, "image.bytes"), key=lambda row: row.median or 0.0)
    if not rows:
        return nothing("image.bytes")
    small, large = rows[0], rows[-1]
    sentences = [f"On disk the application takes {_bytes(small)} as {_form(small)}"]
    if large is not small:
        sentences[0] += f" and {_bytes(large)} as {_form(large)}"
        sentences[0] += f", {significant((large.median or 0.0) / small.median)}{TIMES}" if small.median else ""
    sentences += [_part(data.summaries, large, "image.compressed_bytes", "Compressed that is"), _shared(data.summaries)]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _bytes(row: Summary) -> str:
    return format_value(row.median, row.unit)


def _form(row: Summary) -> str:
    """Name a form; a base is told only of what can have one."""
    base = row.params.get("base")
    return f"{row.target} on {base}" if base and row.engine not in ("host", "libvirt") else row.target


def _part(summaries: Sequence[Summary], of: Summary, metric: str, verb: str) -> str:
    found = [row for row in told(summaries, metric) if (row.target, row.params) == (of.target, of.params)]
    return f"{verb} {_bytes(found[0])}" if found else ""


def _shared(summaries: Sequence[Summary]) -> str:
    """Tell the form of which others have the largest part."""
    whole = {(row.target, str(row.params)): row for row in told(summaries, "image.bytes")}
    found = [
        ((row.median or 0.0) / (of.median or 1.0), row, of)
        for row in told(summaries, "image.shared_bytes")
        if (of := whole.get((row.target, str(row.params)))) and of.median
    ]
    if not found:
        return ""
    part, row, _ = max(found, key=lambda one: one[0])
    return f"Of {_form(row)} {_bytes(row)}, {100 * part:.0f} %, are shared with others" if part else "Nothing is shared"
