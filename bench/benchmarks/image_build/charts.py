"""The charts of ``image-build``: what common mistakes cost, and how long each recipe takes."""

from __future__ import annotations

from bench.benchmarks.image_build import tables
from bench.benchmarks.image_build.pairs import BUILD, DISK, costliest, quantities, ratio, recipe_of
from bench.benchmarks.image_build.pairs import pairs as pairs_of
from bench.display import canvas, paired, svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.data import Label, Row, ScenarioData
from bench.display.prose import all_decided, block_counts, if_decided, joined
from bench.display.table import ratio_text

_SAME = 0.001
"""A quantity whose ratios all differ from 1 by no more than this is named in the caption instead of drawn."""


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the pairs, then the build times."""
    return [pairs(data, f"{data.stem}-pairs"), times(data, f"{data.stem}-times")]


def pairs(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw mistake ÷ good practice, one panel a quantity."""
    every = pairs_of(data)
    found = [
        (what, {index: times for index, pair in enumerate(every) if (times := ratio(data, pair, what))})
        for what in quantities(data)
    ]
    panels = [
        matrix.Panel(
            what.title,
            {
                index: matrix.Dot(one.ratio, None if one.exact else one.ci, ratio_text(one.ratio))
                for index, one in of.items()
            },
        )
        for what, of in found
        if any(abs(one.ratio - 1) > _SAME for one in of.values())
    ]
    same = [what.title for what, of in found if of and what.title not in {panel.title for panel in panels}]
    kept, panels = matrix.compact(every, panels)
    if not panels:
        return None
    rows = [(tables.label(pair), theme.colour(pair.target.partition(":")[0])) for pair in kept]
    title = _title(data)
    counts = [one.n for _, of in found for one in of.values()]
    caption = (
        f"The mistake divided by the habit, paired block by block (Hodges-Lehmann){if_decided(counts)}; right of the "
        "line the mistake takes more. All panels have the same axis. "
        f"{f'The same with both: {joined(same, 6)}. ' if same else ''}"
        f"{block_counts(counts)}"
    )
    said = [
        f"{what.title} of {tables.label(every[index]).text} {paired.text(one)}"
        for what, of in found
        for index, one in of.items()
    ]
    look = matrix.Look(rows, "ratio", reference=1.0, shared=True)
    return matrix.plot(look, panels, canvas.Words(name, "pairs", title, caption, f"{title}. {'; '.join(said)}"))


def _title(data: ScenarioData) -> str:
    """Name a mistake that costs time and one that costs disk space; only with intervals."""
    parts = []
    for metric, verb in ((BUILD, "costs time"), (DISK, "costs disk space")):
        found = costliest(data, metric)
        if found and found.times.ci is None:
            return "The mistake in multiples of the habit"
        if found:
            where = f" {found.what.title}" if metric == BUILD else ""
            pair = found.pair
            parts.append(f"{recipe_of(pair.bad)} {verb}, {paired.text(found.times)}{where} ({pair.target})")
    text = ", and ".join(parts)
    return text[:1].upper() + text[1:] if text else "None of these mistakes makes a build longer or an image larger"


def times(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the build times of each recipe by state of the cache."""
    chosen = [what for what in quantities(data) if what.metric == BUILD]
    recipes = tables.recipes(data)
    rows: list[tuple[Row, str]] = [
        (Label(recipe_of(row), row.target), theme.colour(row.engine, row.kind)) for row in recipes
    ]
    found = {
        (index, kind): one
        for index, row in enumerate(recipes)
        for kind, what in enumerate(chosen)
        if (one := what.of(data, row))
    }
    dots = {key: dot for key, one in found.items() if (dot := matrix.dot_of(one))}
    kept, panels = dot_panels.compact(rows, [dot_panels.Panel("time to build", "s", dots)])
    if not panels:
        return None
    look = dot_panels.Look(kept, [what.title for what in chosen])
    slow = max(found, key=lambda key: found[key].median or 0.0)
    fast = min((key for key in found if key[1] == slow[1]), key=lambda key: found[key].median or 0.0)
    title = "Time to build by recipe and state of the cache"
    if all_decided(found.values()):
        title = (
            f"{chosen[slow[1]].title.capitalize()}: from {dots[fast].text} ({_called(rows[fast[0]][0])}) to "
            f"{dots[slow].text} ({_called(rows[slow[0]][0])})"
        )
    built = [one.n for one in found.values()]
    caption = (
        "Time of one build: with an empty cache, after a change of a source, and again with nothing changed. Medians of the "
        f"blocks{if_decided(built)}. {block_counts(built)}"
    )
    return dot_panels.plot(look, panels, name=name, kind="times", title=title, caption=caption)


def _called(row: Row) -> str:
    return f"{row.name} in {row.details}"
