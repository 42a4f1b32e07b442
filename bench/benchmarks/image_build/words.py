"""The result of ``image-build`` in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.image_build import pairs
from bench.core.model import Summary
from bench.display import paired, prose
from bench.display.data import ScenarioData
from bench.display.lookup import first_and_last

_CACHES = {
    "cold": "in a cold build",
    "source-change": "after a change of the source",
    "unchanged": "with nothing changed",
}


def words(data: ScenarioData) -> str:
    """Name the mistakes that cost most time and most disk, and give the time of a build with nothing changed."""
    rows = prose.with_values(data.summaries, pairs.BUILD)
    if not rows:
        return prose.no_values(pairs.BUILD)
    sentences = [
        _worst(data, pairs.BUILD, "Most time is lost by"),
        _worst(data, pairs.DISK, "Most disk by"),
        _again(rows),
    ]
    return prose.paragraph(sentences)


def _worst(data: ScenarioData, metric: str, verb: str) -> str:
    """Name the mistake with the largest ratio of a metric."""
    found = pairs.costliest(data, metric)
    if found is None:
        return ""
    pair, times, cache = found.pair, found.times, str(found.what.more.get("cache", ""))
    few = f" ({prose.plural(times.n, 'block')}, too few for an interval)" if times.ci is None else ""
    where = f" {_CACHES.get(cache, cache)}" if cache else ""
    good, bad = pairs.recipe_of(pair.good), pairs.recipe_of(pair.bad)
    return f"{verb} {bad} instead of {good} in {pair.target}: {paired.text(times)}{where}{few}"


def _again(rows: Sequence[Summary]) -> str:
    """Give the shortest and the longest build with nothing changed."""
    same = sorted((row for row in rows if row.params.get("cache") == "unchanged"), key=prose.median_of)
    if not same:
        return ""
    ends = first_and_last(same)
    texts = [f"{prose.median_text(row)} ({row.params.get('recipe')} in {row.target})" for row in ends]
    return f"With nothing changed a build takes {' to '.join(texts)}"
