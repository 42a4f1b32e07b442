"""What the usual mistakes of a build cost beside the habits that avoid them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.image_build import tables as page
from bench.benchmarks.image_build.words import COUNTS
from bench.core.units import format_value
from bench.display import canvas, paired, svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.charts.words import many, plural_blocks
from bench.display.data import Label, Row, ScenarioData
from bench.display.table import ratio_text

_SAME = 0.001
"""Ratios that all lie nearer to 1 are told in words: a panel of them would show nothing but its own axis."""


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the pairs, then how long each recipe takes."""
    return [pairs(data, f"{data.stem}-pairs"), times(data, f"{data.stem}-times")]


def pairs(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw mistake ÷ habit, one panel a quantity."""
    every = page.pairs(data)
    found = [
        (what, {place: times for place, pair in enumerate(every) if (times := page.times(data, pair, what))})
        for what in page.quantities(data)
    ]
    panels = [
        matrix.Panel(
            what.title,
            {
                place: matrix.Dot(one.ratio, None if one.exact else one.ci, ratio_text(one.ratio))
                for place, one in of.items()
            },
        )
        for what, of in found
        if any(abs(one.ratio - 1) > _SAME for one in of.values())
    ]
    same = [what.title for what, of in found if of and what.title not in {panel.title for panel in panels}]
    kept, panels = matrix.compact(every, panels)
    if not panels:
        return None
    rows = [(page.label(pair), theme.colour(pair.target.partition(":")[0])) for pair in kept]
    title = _title(data, every)
    caption = (
        "The mistake divided by the habit, paired block by block (Hodges-Lehmann), with its 95\u00a0% interval; right of the "
        "line the mistake takes more. Every panel has its own axis. "
        f"{f'The same with both: {many(same, 6)}. ' if same else ''}"
        f"{plural_blocks(one.n for _, of in found for one in of.values())}"
    )
    said = [
        f"{what.title} of {page.label(every[place]).text} {paired.text(one)}"
        for what, of in found
        for place, one in of.items()
    ]
    look = matrix.Look(rows, "ratio", reference=1.0)
    with canvas.sheet(matrix.height(look, panels)) as figure:
        matrix.draw(figure, look, panels)
        return canvas.finish(figure, canvas.Words(name, "pairs", title, caption, f"{title}. {'; '.join(said)}"))


def _title(data: ScenarioData, every: Sequence[page.Pair]) -> str:
    """Name the mistake that costs most time, and the one that costs most bytes; unsure ones only where none is sure."""
    parts = []
    for metric, verb in ((page.BUILD, "costs most time"), ("image.bytes", "most disk")):
        found = [
            (one, pair, what.title)
            for what in page.quantities(data)
            for pair in every
            if what.metric == metric and (one := page.times(data, pair, what)) and one.ratio >= COUNTS
        ]
        found = [item for item in found if item[0].sure] or found
        if found:
            one, pair, what = max(found, key=lambda item: item[0].ratio)
            where = f" {what}" if metric == page.BUILD else ""
            parts.append(f"{page.recipe_of(pair.bad)} {verb}, {paired.text(one)}{where} ({pair.target})")
    said = ", and ".join(parts)
    return said[:1].upper() + said[1:] if said else "None of these mistakes makes a build longer or an image larger"


def times(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw how long each recipe takes, cold and after a change."""
    chosen = [what for what in page.quantities(data) if what.metric == page.BUILD]
    recipes = page.recipes(data)
    rows: list[tuple[Row, str]] = [
        (Label(page.recipe_of(row), row.target), theme.colour(row.engine)) for row in recipes
    ]
    found = {
        (place, kind): one
        for place, row in enumerate(recipes)
        for kind, what in enumerate(chosen)
        if (one := what.of(data, row))
    }
    dots = {key: matrix.Dot(one.median or 0.0, one.ci, format_value(one.median, "s")) for key, one in found.items()}
    kept, panels = dot_panels.compact(rows, [dot_panels.Panel("time to build", "s", dots)])
    if not panels:
        return None
    look = dot_panels.Look(kept, [what.title for what in chosen])
    slow = max(found, key=lambda key: found[key].median or 0.0)
    fast = min((key for key in found if key[1] == slow[1]), key=lambda key: found[key].median or 0.0)
    title = (
        f"{chosen[slow[1]].title.capitalize()}: from {dots[fast].text} ({_called(rows[fast[0]][0])}) to {dots[slow].text} "
        f"({_called(rows[slow[0]][0])})"
    )
    caption = (
        "Time of one build: with an empty cache, after a change of a source, and again with nothing changed. Medians of the "
        f"blocks with their 95\u00a0% intervals. {plural_blocks(one.n for one in found.values())}"
    )
    with canvas.sheet(dot_panels.height(look)) as figure:
        dot_panels.draw(figure, look, panels)
        words = canvas.Words(name, "times", title, caption, f"{title}. {dot_panels.said(look, panels)}")
        return canvas.finish(figure, words)


def _called(row: Row) -> str:
    return f"{row.name} in {row.details}"
