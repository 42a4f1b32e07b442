"""Say the result of ``image-build``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from bench.core.model import Summary
from bench.core.units import format_value
from bench.display import paired
from bench.display.data import ScenarioData
from bench.display.prose import nothing, told
from bench.stats.pairs import Times, ratio
from bench.stats.series import Series, block_values, series_of

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


def words(data: ScenarioData) -> str:
    """Say which mistake costs most time and which most bytes, in multiples of the habit that avoids it."""
    rows = told(data.summaries, "image.build_s")
    if not rows:
        return nothing("image.build_s")
    series = list(series_of(block_values(data.points)).values())
    sentences = [
        _worst(series, "image.build_s", "Most time is lost by"),
        _worst(series, "image.bytes", "Most disk by"),
        _again(rows),
    ]
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


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
    return f"{verb} {bad} instead of {good} in {target}: {paired.text(worst)}{where}{few}"


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
