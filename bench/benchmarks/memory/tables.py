"""The tables of ``memory``: what each further instance takes, how well a line fits, and the parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.core.model import Interval, Summary
from bench.display import cells, lookup, table
from bench.display.data import Label, Row, ScenarioData, Variant, params_key
from bench.display.table import NONE, Cell, Column, Grid, ratio_cell
from bench.stats.fit import line

SLOPE = "memory.slope_bytes"
TAKEN = "memory.available_delta_bytes"
SUMMED = ("unreclaimable_slab", "page_tables", "kernel_stacks", "per_cpu", "vmalloc", "tmpfs", "withheld")
"""Parts of the kernel's memory that MemAvailable counts as used; other parts are shown but not added."""

DOUBT = 0.10
MANY = 50
"""From this many instances on, an unexplained share above ``DOUBT`` is flagged."""

_COLUMNS = (
    ("available", "MemAvailable"),
    ("anonymous", "anonymous"),
    ("pss", "PSS"),
    ("rss", "RSS"),
    ("uss", "USS"),
    ("cgroup", "cgroup"),
    ("kernel", "kernel"),
    ("payload", "payload"),
    ("unexplained", "unexplained"),
)
_BRIEF = ("available", "pss", "cgroup", "kernel", "unexplained")
_NOTE = (
    "Slopes of a line over N, each way of counting on its own: they overlap and must not be added. The columns that do "
    "add up are anonymous + kernel + unexplained = MemAvailable, but for what the harness and processes outside the run "
    "took meanwhile."
)


@dataclass(frozen=True)
class Share:
    """A part of what each further instance takes from MemAvailable: name and slope in bytes, which may be negative."""

    name: str
    slope: float


def tables(data: ScenarioData) -> list[Grid]:
    """Return the slopes and how well a line fits; in a report also the parts."""
    if data.columns is not None:
        return cells.filled([_slopes(data, _BRIEF), _fits(data, brief=True)])
    every = [name for name, _ in _COLUMNS]
    return cells.filled([_slopes(data, every), _fits(data), _components(data), _kernel(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables, with the targets whose unexplained rest is too large."""
    flagged = [f"{row.text}: {text}" for row in data.invoked if (text := remainder(data, row))]
    outside = [(row.text, lookup.notes_of(data, row).get("not_counted")) for row in data.invoked]
    flagged += [f"{name}: {texts.most_common(1)[0][0]}" for name, texts in outside if texts]
    return table.notes(data, lambda item: item.metric == SLOPE and item.params.get("column") == "available") + flagged


def slope(data: ScenarioData, row: Variant, column: str = "available") -> Summary | None:
    """Return the marginal cost of an instance in one column."""
    return data.summary(row, SLOPE, column=column)


def fitted(data: ScenarioData, row: Variant, column: str = "available") -> Interval | None:
    """Return the interval of the fit: the medians of its lower and upper ends over the blocks."""
    low, high = (data.summary(row, f"memory.slope_{end}_bytes", column=column) for end in ("low", "high"))
    if low is None or high is None or low.median is None or high.median is None:
        return None
    return Interval(low.median, high.median, 0.95)


def details(data: ScenarioData, found: Summary) -> dict[str, object]:
    """Return the interval of the fit behind a slope, in bytes; nothing for any other series."""
    if found.metric != SLOPE:
        return {}
    row = Variant(found.target, params_key(found.params), found.engine)
    low, high = (data.median(row, f"memory.slope_{end}_bytes") for end in ("low", "high"))
    return {"fit_ci_low": low, "fit_ci_high": high}


def top(data: ScenarioData, row: Variant) -> float | None:
    """Return the number of instances at the top of the ramp."""
    taken = lookup.over(data, row, TAKEN, "instances")
    return taken[-1][0] if taken else None


def unexplained(data: ScenarioData, row: Variant) -> float | None:
    """Return the unexplained fraction of the memory taken at the top of the ramp."""
    said = data.summary(row, "memory.unexplained_ratio")
    walked = lookup.over(data, row, "memory.unexplained_ratio", "instances")
    found = walked[-1][1] if walked else said
    return found.median if found else None


def remainder(data: ScenarioData, row: Variant) -> str:
    """Return a sentence if the unexplained rest is too large to be noise; otherwise empty."""
    share, many = unexplained(data, row), top(data, row)
    if share is None or many is None or many < MANY or abs(share) <= DOUBT:
        return ""
    return (
        f"{cells.minus(f'{100 * share:.0f}')} % of what {many:.0f} instances took is in none of the columns; up to "
        f"{100 * DOUBT:.0f} % can be noise, this is not: trust the whole, not its parts"
    )


def shares(data: ScenarioData, row: Variant) -> list[Share]:
    """Split the slope of MemAvailable into anonymous memory by component and the kernel's parts in ``SUMMED``.

    Each part is fitted over the same N as the whole; a part that is absent at an N counts as 0 there. The slope of a
    variant is the median of the slopes of its blocks.
    """
    walked = [
        Share(f"{kind}:{name}", size)
        for kind, metric, param in (
            ("process", "memory.anonymous_bytes", "component"),
            ("kernel", "memory.kernel_bytes", "part"),
        )
        for name, size in slopes(data, row, metric, param).items()
    ]
    kernel = {f"kernel:{part}" for part in SUMMED}
    return [share for share in walked if share.name in kernel or not share.name.startswith("kernel:")]


def slopes(data: ScenarioData, row: Variant, metric: str, param: str) -> dict[str, float]:
    """Return the slope of each part over N in bytes an instance: the median over the blocks."""
    found: dict[str, dict[int, dict[float, float]]] = {}
    for point in lookup.points(data, row, metric, "instances"):
        if param in point.more and point.at > 0:
            found.setdefault(str(point.more[param]), {}).setdefault(point.block, {})[point.at] = point.value
    grid = _readings(data, row, metric)
    return {name: middle for name, blocks in found.items() if (middle := _middle(blocks, grid)) is not None}


def _readings(data: ScenarioData, row: Variant, metric: str) -> dict[int, set[float]]:
    """Return the numbers of instances at which memory was read, for each block."""
    grid: dict[int, set[float]] = {}
    for name in (TAKEN, metric):
        for point in lookup.points(data, row, name, "instances"):
            if point.at > 0:
                grid.setdefault(point.block, set()).add(point.at)
    return grid


def _middle(blocks: dict[int, dict[float, float]], grid: dict[int, set[float]]) -> float | None:
    lines = [
        line(sorted(at), [blocks.get(block, {}).get(n, 0.0) for n in sorted(at)]).slope
        for block, at in grid.items()
        if len(at) > 1
    ]
    return float(np.median(lines)) if lines else None


def _slopes(data: ScenarioData, columns: Sequence[str]) -> Grid:
    shown = [(name, title) for name, title in _COLUMNS if name in columns]
    heads = [Column(title, "fit's 95 %" if name == "available" else "") for name, title in shown]
    heads += [Column(f"× {data.baseline}", cells.CI), *cells.COUNTS[:1]]
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        main = slope(data, row)
        made = [_slope_cell(data, row, name) for name, _ in shown]
        rows.append((row, [*made, ratio_cell(main, data.baseline), cells.counts(data, row, main)]))
    return cells.grid("What each further instance takes", heads, rows, note=_NOTE)


def _slope_cell(data: ScenarioData, row: Variant, column: str) -> Cell:
    found = slope(data, row, column)
    if column != "available" or found is None:
        return cells.plain(found)
    return cells.number(found.median, found.unit, fitted(data, row))


def _fits(data: ScenarioData, *, brief: bool = False) -> Grid:
    heads = [
        Column("before the first"),
        Column("R²"),
        Column("top N"),
        Column("taken there"),
        Column("unexplained there"),
        Column("processes each"),
    ]
    heads += [] if brief else [Column("network namespaces each")]
    rows = [(row, _fit(data, row)[: len(heads)]) for row in data.invoked if slope(data, row)]
    note = (
        "“Before the first” is where the line meets N = 0: what the first instance brings beside its own, and what a "
        f"daemon grew by. A rest beyond {100 * DOUBT:.0f} % of what was taken, at {MANY} instances or more, is flagged (!)."
    )
    return cells.grid("How well a line fits", heads, rows, note=note)


def _fit(data: ScenarioData, row: Variant) -> list[Cell]:
    many, share = top(data, row), unexplained(data, row)
    last, fit = partial(_last, data, row), data.summary(row, "memory.fit_r2", column="available")
    return [
        cells.value(data.summary(row, "memory.intercept_bytes", column="available")),
        cells.r_squared(fit.median if fit else None),
        cells.number(many, "count"),
        cells.plain(last(TAKEN)),
        Cell(cells.plain(last("memory.unexplained_bytes")).text, _share(share, flagged=bool(remainder(data, row)))),
        _each(last("memory.processes"), many),
        _each(last("memory.network_namespaces"), many),
    ]


def _share(share: float | None, *, flagged: bool) -> str:
    if share is None:
        return ""
    return cells.minus(f"{'! ' * flagged}{round(100 * share, 1) + 0.0:.1f} %")  # + 0.0 turns a negative zero into 0


def _last(data: ScenarioData, row: Variant, metric: str) -> Summary | None:
    walked = lookup.over(data, row, metric, "instances")
    return walked[-1][1] if walked else None


def _each(found: Summary | None, many: float | None) -> Cell:
    return (
        Cell(NONE) if found is None or found.median is None or not many else cells.number(found.median / many, "count")
    )


def _components(data: ScenarioData) -> Grid:
    """Show the sizes of each target and component at the top of the ramp, and the slope of its anonymous memory."""
    heads = [Column(name) for name in ("PSS", "RSS", "USS", "anonymous", "anonymous, each further")]
    metrics = [f"memory.{name}_bytes" for name in ("pss", "rss", "uss", "anonymous")]
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        many, each = top(data, row), slopes(data, row, "memory.anonymous_bytes", "component")
        for component in dict.fromkeys(
            str(name) for metric in metrics for name in lookup.param_values(data, metric, "component")
        ):
            walked = [lookup.over(data, row, metric, "instances", component=component) for metric in metrics]
            found = [steps[-1][1] if steps and steps[-1][0] == many else None for steps in walked]
            if any(one is not None and one.median for one in found):
                label = Label(row.text, f"{component}, N = {many:.0f}")
                rows.append((label, [*map(cells.plain, found), cells.number(each.get(component), "bytes")]))
    note = "All instances together at the top of the ramp, by who holds it; the last column is its slope over N."
    return cells.grid("Whose memory it is", heads, rows, note=note)


def _kernel(data: ScenarioData) -> Grid:
    parts = list(map(str, lookup.param_values(data, "memory.kernel_bytes", "part")))
    parts.sort(key=lambda part: SUMMED.index(part) if part in SUMMED else len(SUMMED))
    heads = [Column(part.replace("_", " "), "" if part in SUMMED else "not in the sum") for part in parts]
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        each = slopes(data, row, "memory.kernel_bytes", "part")
        if each:
            rows.append((row, [cells.number(each.get(part), "bytes") for part in parts]))
    return cells.grid("The kernel's part, each further instance", heads, rows)
