"""The charts of ``hardening``: the price of each switch by target, and first and second starts of images of many files."""

from __future__ import annotations

from dataclasses import dataclass

from bench.benchmarks.hardening import rows, tables
from bench.display import svg, theme
from bench.display.charts import dot_panels, matrix
from bench.display.data import ScenarioData, Variant
from bench.display.prose import block_counts, if_decided, joined

_SHOWN = ("getpid", "personality", "compute")


@dataclass(frozen=True)
class Words:
    """Title and caption of a chart, and the names of the kinds of dots in a row."""

    title: str
    caption: str
    kinds: tuple[str, ...] = ("",)


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the charts."""
    return [_price(data), _files(data)]


def _price(data: ScenarioData) -> svg.Plot | None:
    """Draw the ratio of start and calls to the default's, one panel a quantity."""
    chosen = [("start", tables.START), *((what.title, what) for what in tables.RATIOS if what.title in _SHOWN)]
    shown = rows.measured(data)
    panels, counts = [], []
    for title, what in chosen:
        dots = {}
        for index, row in enumerate(shown):
            if (one := what.of(data, row)) and (dot := matrix.dot_of(one)):
                dots[index, 0] = dot
                counts.append(one.n)
        panels.append(dot_panels.Panel(title, "ratio", dots, reference=1.0))
    caption = (
        "Time with the switch as a multiple of the same target's default, in pairs: the start until ready, getpid (a filter "
        "can allow by its number), personality (whose argument a filter checks), and a computation without calls. The row "
        f"“default” compares the default with itself. Medians of the blocks{if_decided(counts)}. {block_counts(counts)}"
    )
    return _plot(data, "price", shown, panels, Words(_title(data, shown), caption))


def _files(data: ScenarioData) -> svg.Plot | None:
    """Draw the first and the second start of an image, and the disk space that they add."""
    shown = rows.of_part(data, "files")
    starts, added, counts = {}, {}, []
    for index, row in enumerate(shown):
        for kind, what in enumerate((tables.FIRST, tables.SECOND)):
            if (one := what.of(data, row)) and (dot := matrix.dot_of(one)):
                starts[index, kind] = dot
                counts.append(one.n)
        if (one := tables.ADDED.of(data, row)) and (dot := matrix.dot_of(one)):
            added[index, 0] = dot
    panels = [dot_panels.Panel("request → ready", "s", starts), dot_panels.Panel("disk use added", "bytes", added)]
    caption = (
        "First and second start of an image that the engine has just loaded, and the disk space that both add. Medians of the "
        f"blocks{if_decided(counts)}. {block_counts(counts)}"
    )
    title = "Mapped users and images of many files"
    return _plot(data, "files", shown, panels, Words(title, caption, ("first start", "second start")))


def _plot(
    data: ScenarioData, kind: str, shown: list[Variant], panels: list[dot_panels.Panel], words: Words
) -> svg.Plot | None:
    labels = [(row, theme.colour(row.engine, row.kind)) for row in shown]
    kept, panels = dot_panels.compact(labels, panels)
    if not panels:
        return None
    look = dot_panels.Look(kept, list(words.kinds))
    return dot_panels.plot(
        look, panels, name=f"{data.stem}-{kind}", kind=kind, title=words.title, caption=words.caption
    )


def _title(data: ScenarioData, shown: list[Variant]) -> str:
    """Name the switches at whose targets a start is certain to take longer than by default."""
    found = [(row, tables.START.of(data, row)) for row in shown if rows.switch_of(row) != "default"]
    slower = [f"{rows.switch_of(row)} of {row.target}" for row, one in found if one and one.ci and one.ci.low > 1]
    if slower:
        return f"A start takes longer with {joined(slower)}"
    decided = found and all(one and one.ci for _, one in found)
    return "No switch makes a start certainly longer" if decided else "What switches cost beside the engine's default"
