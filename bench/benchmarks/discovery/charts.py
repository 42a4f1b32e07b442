"""The chart of ``discovery``: lookups, and the time until a new name resolves."""

from __future__ import annotations

from bench.benchmarks.discovery import tables
from bench.core.model import NULL
from bench.display import lookup, svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.data import ScenarioData
from bench.display.prose import all_decided, block_counts, if_decided, span, value


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the chart."""
    return [draw(data, f"{data.stem}-lookup")]


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the lookups with one mark a kind of name, and beside them the time until a new name resolves."""
    rows = [(row, theme.colour(row.engine, row.kind)) for row in lookup.without_control(data)]
    asked = tables.asked(data)
    lookups, later, counts = {}, {}, []
    for index, (row, _) in enumerate(rows):
        for kind, what in enumerate(asked):
            if (one := what.of(data, row)) and (dot := matrix.dot_of(one)):
                lookups[index, kind] = dot
                counts.append(one.n)
        if dot := matrix.dot_of(tables.RESOLVABLE.of(data, row)):
            later[index, 0] = dot
    panels = [dot_panels.Panel("one lookup", "s", lookups), dot_panels.Panel("request → name resolves", "s", later)]
    kept, panels = dot_panels.compact(list(rows), panels)
    if not panels:
        return None
    look = dot_panels.Look(kept, [what.title for what in asked] or ["a new name"])
    caption = (
        "One question and its answer over UDP, by the kind of name that is asked for, and how long after its request a new "
        f"instance’s name resolves. Medians of the blocks{if_decided(counts)}. {block_counts(counts)}"
    )
    return dot_panels.plot(look, panels, name=name, kind="lookup", title=_title(data), caption=caption)


def _title(data: ScenarioData) -> str:
    """Compare the slowest lookup of another instance's name with the baseline's lookup."""
    asked = [what for what in tables.asked(data) if what.more.get("name") == "other"]
    rows = [row for row in data.invoked if row.target not in (NULL, data.baseline)]
    found = [one for what in asked for row in rows if (one := what.of(data, row))]
    if not all_decided(found):
        return "How long a lookup takes"
    title = f"The name of another instance takes {span(found)}"
    bare = [
        value(one)
        for what in sorted(tables.asked(data), key=lambda what: what.more.get("name") != "other")
        for row in data.invoked
        if row.target == data.baseline and (one := what.of(data, row)) and one.median
    ]
    return title + (f"; a lookup without a name service {bare[0]} ({data.baseline})" if bare else "")
