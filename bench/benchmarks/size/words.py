"""The result of ``size`` in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.core.units import significant
from bench.display import prose
from bench.display.data import ScenarioData


def words(data: ScenarioData) -> str:
    """Name the smallest and the largest form of the application, and the form that shares the largest part with others."""
    rows = sorted(prose.with_values(data.summaries, "image.bytes"), key=prose.median_of)
    if not rows:
        return prose.no_values("image.bytes")
    small, large = rows[0], rows[-1]
    sentences = [f"On disk the application takes {prose.median_text(small)} as {_form(small)}"]
    if large is not small:
        sentences[0] += f" and {prose.median_text(large)} as {_form(large)}"
        sentences[0] += f", {significant((large.median or 0.0) / small.median)}×" if small.median else ""
    sentences += [_part(data.summaries, large, "image.compressed_bytes", "Compressed that is"), _shared(data.summaries)]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give the bytes on disk of each form of the application."""
    rows = prose.with_values(data.summaries, "image.bytes")
    return (
        f"on disk: {prose.listed(data, list({row.target: row for row in reversed(rows)}.values())[::-1])}"
        if rows
        else ""
    )


def _form(row: Summary) -> str:
    """Name a form, with its base image where it can have one."""
    base = row.params.get("base")
    return f"{row.target} on {base}" if base and row.kind == "container" else row.target


def _part(summaries: Sequence[Summary], of: Summary, metric: str, verb: str) -> str:
    found = [row for row in prose.with_values(summaries, metric) if (row.target, row.params) == (of.target, of.params)]
    return f"{verb} {prose.median_text(found[0])}" if found else ""


def _shared(summaries: Sequence[Summary]) -> str:
    """Name the form with the largest share of bytes that other images use, too."""
    whole = {(row.target, str(row.params)): row for row in prose.with_values(summaries, "image.bytes")}
    found = [
        ((row.median or 0.0) / (of.median or 1.0), row, of)
        for row in prose.with_values(summaries, "image.shared_bytes")
        if (of := whole.get((row.target, str(row.params)))) and of.median
    ]
    if not found:
        return ""
    part, row, _ = max(found, key=lambda one: one[0])
    return (
        f"Of {_form(row)} {prose.median_text(row)}, {100 * part:.0f} %, are shared with others"
        if part
        else "Nothing is shared"
    )
