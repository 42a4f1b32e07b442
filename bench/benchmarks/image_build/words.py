"""Say the result of ``image-build``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData
from bench.display.lookup import first_and_last
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
    rows = prose.with_values(data.summaries, "image.build_s")
    if not rows:
        return prose.no_values("image.build_s")
    series = list(series_of(block_values(data.points)).values())
    sentences = [
        _worst(series, "image.build_s", "Most time is lost by"),
        _worst(series, "image.bytes", "Most disk by"),
        _again(rows),
    ]
    return prose.paragraph(sentences)


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
    same = sorted((row for row in rows if row.params.get("cache") == "unchanged"), key=prose.median_of)
    if not same:
        return ""
    ends = first_and_last(same)
    texts = [f"{prose.median_text(row)} ({row.params.get('recipe')} in {row.target})" for row in ends]
    return f"With nothing changed a build takes {' to '.join(texts)}"
