"""The result of ``image-build`` in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.image_build import pairs
from bench.core.model import Summary
from bench.display import paired, prose
from bench.display.data import ScenarioData

_CACHES = {
    "cold": "in a cold build",
    "source-change": "after a change of the source",
    "unchanged": "with nothing changed",
}

_BRIEF = {"cold": "cold", "source-change": "changed", "unchanged": "unchanged"}


def words(data: ScenarioData) -> str:
    """Name the mistakes that cost time and disk space, and give the time of a build with nothing changed."""
    rows = prose.with_values(data.summaries, pairs.BUILD)
    if not rows:
        return prose.no_values(pairs.BUILD)
    sentences = [
        "" if pairs.pairs(data) else _takes(rows),
        _costly(data, pairs.BUILD, "time"),
        _costly(data, pairs.DISK, "disk space"),
        _again(rows) if pairs.pairs(data) else "",
        prose.restriction(rows),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Name the mistake with the largest ratio of the build time; without a pair of recipes, give the times of one."""
    rows = prose.with_values(data.summaries, pairs.BUILD)
    if not pairs.pairs(data):
        return _briefly(rows)
    found = pairs.costliest(data, pairs.BUILD)
    if found is None:
        return "no mistake makes a build measurably longer" if rows else ""
    cache = str(found.what.more.get("cache", ""))
    good, bad = pairs.recipe_of(found.pair.good), pairs.recipe_of(found.pair.bad)
    return f"{bad} takes {paired.text(found.times)} the time of {good} {_CACHES.get(cache, cache)}".rstrip()


def _costly(data: ScenarioData, metric: str, what: str) -> str:
    """Name the mistake with the largest ratio of a metric; its interval is beside it."""
    found = pairs.costliest(data, metric)
    if found is None:
        return ""
    pair, times, cache = found.pair, found.times, str(found.what.more.get("cache", ""))
    where = f" {_CACHES.get(cache, cache)}" if cache else ""
    good, bad = pairs.recipe_of(pair.good), pairs.recipe_of(pair.bad)
    verb = f"{bad} instead of {good} costs {what}"
    return f"{verb} in {pair.target}: {paired.text(times)}{where}"


def _of_first(rows: Sequence[Summary]) -> list[Summary]:
    """Return the rows of the first target and recipe."""
    return [
        row for row in rows if (row.target, row.params.get("recipe")) == (rows[0].target, rows[0].params.get("recipe"))
    ]


def _takes(rows: Sequence[Summary]) -> str:
    """Give the times of the first recipe in each state of the cache."""
    known = {row.params.get("cache"): f"{prose.value(row)} {_state(row)}" for row in _of_first(rows)}
    texts = [known[cache] for cache in _CACHES if cache in known]
    return f"{rows[0].params.get('recipe')} takes {prose.joined(texts)}" if texts else ""


def _briefly(rows: Sequence[Summary]) -> str:
    """Give the times of the first recipe in each state of the cache, the state before the time."""
    known = {row.params.get("cache"): prose.value(row) for row in _of_first(rows)}
    return ", ".join(f"{word} {known[cache]}" for cache, word in _BRIEF.items() if cache in known)


def _state(row: Summary) -> str:
    cache = str(row.params.get("cache"))
    return _CACHES.get(cache, cache)


def _again(rows: Sequence[Summary]) -> str:
    """Give the times of a build with nothing changed."""
    same = [row for row in rows if row.params.get("cache") == "unchanged"]
    texts = [f"{prose.value(row)} ({row.params.get('recipe')} in {row.target})" for row in same]
    return f"With nothing changed a build takes {prose.joined(texts)}" if same else ""
