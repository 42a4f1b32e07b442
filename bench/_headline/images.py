"""What images weigh, and what they cost to build and to pull."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench._headline.words import TIMES, blocks, nothing, told
from bench._pairs import Times, ratio
from bench._series import Series, block_values, series_of
from bench.model import Summary
from bench.units import format_value, significant

if TYPE_CHECKING:
    import pandas as pd

PAIRS = (
    ("good-order", "bad-order", "sources copied last"),
    ("multi-stage", "single-stage", "compiler left behind"),
    ("one-run", "many-run", "one RUN instead of many"),
    ("clean-same", "clean-later", "removed in the same layer"),
    ("ignore", "no-ignore", "with .dockerignore"),
)
"""The habit, the mistake, and what the habit is."""

COUNTS = 1.01
"""Less than this many times as much is no mistake worth a sentence."""

_CACHES = {
    "cold": "in a cold build",
    "source-change": "after a change of the source",
    "unchanged": "with nothing changed",
}


def size(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any]) -> str:
    """Say which form of the application is smallest, which largest, and how much of the largest others share."""
    del scenario_meta
    rows = sorted(told(summaries, "image.bytes"), key=lambda row: row.median or 0.0)
    if not rows:
        return nothing("image.bytes")
    small, large = rows[0], rows[-1]
    sentences = [f"On disk the application takes {_bytes(small)} as {_form(small)}"]
    if large is not small:
        sentences[0] += f" and {_bytes(large)} as {_form(large)}"
        sentences[0] += f", {significant((large.median or 0.0) / small.median)}{TIMES}" if small.median else ""
    sentences += [_part(summaries, large, "image.compressed_bytes", "Compressed that is"), _shared(summaries)]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def build(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any], points: pd.DataFrame | None = None) -> str:
    """Say which mistake costs most time and which most bytes, in multiples of the habit that avoids it."""
    del scenario_meta
    rows = told(summaries, "image.build_s")
    if not rows:
        return nothing("image.build_s")
    series = list(series_of(block_values(points)).values()) if points is not None else []
    sentences = [
        _worst(series, "image.build_s", "Most time is lost by"),
        _worst(series, "image.bytes", "Most disk by"),
        _again(rows),
    ]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def pull(summaries: Sequence[Summary], scenario_meta: Mapping[str, Any]) -> str:
    """Say what share of the time to ready the pull has, and what many layers add."""
    del scenario_meta
    rows = sorted(told(summaries, "pull.share_ratio"), key=lambda row: row.median or 0.0)
    if not rows:
        return nothing("pull.share_ratio")
    ends = rows if len(rows) < 2 else [rows[0], rows[-1]]
    texts = [f"{100 * (row.median or 0.0):.0f} % ({_layered(row)})" for row in ends]
    sentences = [f"The pull is {' to '.join(texts)} of the time until ready{blocks(rows)}", _deeper(summaries)]
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


def _worst(series: Sequence[Series], metric: str, verb: str) -> str:
    """Tell the pair with the largest ratio; of those that are sure where any is."""
    found = list(_ratios(series, metric))
    sure = [one for one in found if one[0].sure] or found
    if not sure:
        return ""
    worst, target, good, bad, cache = max(sure, key=lambda one: one[0].ratio)
    if worst.ratio < COUNTS:
        return ""
    few = f" ({worst.n} {'block' if worst.n == 1 else 'blocks'}, too few for an interval)" if worst.ci is None else ""
    where = f" {_CACHES.get(cache, cache)}" if cache else ""
    return f"{verb} {bad} instead of {good} in {target}: {worst.text}{where}{few}"


def _ratios(series: Sequence[Series], metric: str) -> Iterator[tuple[Times, str, str, str, str]]:
    of: dict[tuple[str, str, str], Series] = {}
    for one in series:
        params = json.loads(one.params)
        if one.metric == metric:
            of[one.target, str(params.get("recipe")), str(params.get("cache", ""))] = one
    for target, recipe, cache in of:
        for good, bad, _ in PAIRS:
            if recipe == bad and (found := ratio(of[target, bad, cache], of.get((target, good, cache)))):
                yield found, target, good, bad, cache


def _again(rows: Sequence[Summary]) -> str:
    """Tell what a build takes in which nothing changed."""
    same = sorted((row for row in rows if row.params.get("cache") == "unchanged"), key=lambda row: row.median or 0.0)
    if not same:
        return ""
    ends = same if len(same) < 2 else [same[0], same[-1]]
    texts = [f"{format_value(row.median, row.unit)} ({row.params.get('recipe')} in {row.target})" for row in ends]
    return f"With nothing changed a build takes {' to '.join(texts)}"


def _layered(row: Summary) -> str:
    layers = row.params.get("layers")
    return row.target if layers is None else f"{row.target}, {layers} {'layer' if layers == 1 else 'layers'}"


def _deeper(summaries: Sequence[Summary]) -> str:
    """Tell of the target where the most layers cost most over the fewest."""
    rows = told(summaries, "pull.ready_s")
    layers = sorted({float(row.params.get("layers", 0)) for row in rows})
    if len(layers) < 2:
        return ""
    of = {(row.target, float(row.params.get("layers", 0))): row.median or 0.0 for row in rows}
    grown = [
        (of[target, layers[-1]] / of[target, layers[0]], target)
        for target in dict.fromkeys(row.target for row in rows)
        if of.get((target, layers[0])) and (target, layers[-1]) in of
    ]
    if not grown:
        return ""
    most, target = max(grown)
    few = "1 layer" if layers[0] == 1 else f"{layers[0]:.0f} layers"
    return f"The same bytes in {layers[-1]:.0f} layers instead of {few} take up to {significant(most)}{TIMES} as long ({target})"
