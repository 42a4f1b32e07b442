"""The charts of ``limits``: achieved ÷ asked, and the cost of a limit at start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bench.benchmarks.limits import tables
from bench.benchmarks.limits.words import CLOSE
from bench.core.units import significant
from bench.display import canvas, svg, theme
from bench.display.charts import matrix
from bench.display.data import ScenarioData, Variant
from bench.display.prose import block_counts, if_decided
from bench.display.table import interval_text, ratio_text

_DotOf = Callable[[ScenarioData, Mapping[str, Variant], str], tuple[matrix.Dot, int] | None]


@dataclass(frozen=True)
class _Found:
    """Rows, panels, and the number of blocks behind each dot."""

    rows: list[Variant]
    panels: list[matrix.Panel]
    counts: list[int]


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw achieved ÷ asked, then the costs at start."""
    return [achieved(data, f"{data.stem}-achieved"), cost(data, f"{data.stem}-cost")]


def achieved(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw achieved ÷ asked, one panel a limit, all with the same axis."""
    found = _found(data, _achieved)
    if not found.panels:
        return None
    off = [(abs(dot.value - 1), panel.title, row, dot) for panel, row, dot in _every(found)]
    kept = sum(distance <= CLOSE for distance, *_ in off)
    title = f"{kept} of {len(off)} limits are within {100 * CLOSE:.0f}\u00a0% of what was asked for"
    far = max(off, key=lambda item: item[0])
    if far[0] > CLOSE:
        title += f"; {far[1]} of {far[2]} is {_value(far[3])}"
    caption = (
        f"Achieved ÷ asked{if_decided(found.counts)}, one panel a limit; the line is what was asked for, the "
        f"band ±{100 * CLOSE:.0f}\u00a0%. All panels have the same axis. What cannot be done with a target or here has no dot; "
        f"the reasons stand below. {block_counts(found.counts)}"
    )
    return _drawn(found, canvas.Words(name, "achieved", title, caption, _alt(title, found)), band=CLOSE)


def cost(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the time to ready with each limit ÷ that without any."""
    found = _found(data, _cost)
    if not found.panels:
        return None
    title = _dearest(found)
    caption = (
        "Time from request to ready with a limit, as a multiple of the same target’s without any, paired block by block "
        f"(Hodges-Lehmann){if_decided(found.counts)}. All panels have the same axis. {block_counts(found.counts)}"
    )
    return _drawn(found, canvas.Words(name, "cost", title, caption, _alt(title, found)), band=0.0)


def _dearest(found: _Found) -> str:
    """Name a limit that makes a start slower, the one with the largest ratio; only with intervals."""
    every = list(_every(found))
    if not all(dot.ci for *_, dot in every):
        return "Time to start under each limit, compared with none"
    sure = [(dot.value, row, panel.title) for panel, row, dot in every if dot.ci and dot.ci.low > 1]
    if not sure:
        return "No limit makes a start measurably slower"
    value, row, limit = max(sure)
    return f"With the limit {limit} a start of {row} takes {ratio_text(value)} as long as without"


def _found(data: ScenarioData, dot_of: _DotOf) -> _Found:
    every = list(tables.targets(data).values())
    panels, counts = [], []
    for limit in tables.limits(data):
        dots = {}
        for index, variants in enumerate(every):
            made = dot_of(data, variants, limit)
            if made:
                dots[index], count = made
                counts.append(count)
        if dots:
            panels.append(matrix.Panel(limit, dots))
    rows = [tables.named(next(iter(variants.values()))) for variants in every]
    return _Found(*matrix.compact(rows, panels), counts)


def _achieved(data: ScenarioData, variants: Mapping[str, Variant], limit: str) -> tuple[matrix.Dot, int] | None:
    found = data.summary(variants[limit], tables.ACHIEVED) if limit in variants else None
    if found is None or found.median is None:
        return None
    return matrix.Dot(found.median, found.ci, f"{significant(found.median)}×"), found.n


def _cost(data: ScenarioData, variants: Mapping[str, Variant], limit: str) -> tuple[matrix.Dot, int] | None:
    found = tables.cost(data, variants[limit], variants.get(tables.FREE)) if limit in variants else None
    return None if found is None else (matrix.Dot(found.ratio, found.ci, ratio_text(found.ratio)), found.n)


def _drawn(found: _Found, words: canvas.Words, *, band: float) -> svg.Plot:
    rows = [(row, theme.colour(row.engine, row.kind)) for row in found.rows]
    look = matrix.Look(rows, "ratio", reference=1.0, band=band, shared=True)
    return matrix.plot(look, found.panels, words)


def _every(found: _Found) -> Iterator[tuple[matrix.Panel, str, matrix.Dot]]:
    for panel in found.panels:
        for index, dot in panel.dots.items():
            yield panel, found.rows[index].text, dot


def _value(dot: matrix.Dot) -> str:
    return dot.text + (f" [{interval_text(dot.ci, 'ratio')}]" if dot.ci else "")


def _alt(title: str, found: _Found) -> str:
    said = [f"{panel.title} of {row} {_value(dot)}" for panel, row, dot in _every(found)]
    return f"{title}. {'; '.join(said)}"
