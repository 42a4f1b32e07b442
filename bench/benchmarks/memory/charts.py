"""The charts of ``memory``: the memory of each further instance by user, and the readings behind it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from bench.benchmarks.memory import ramps, tables
from bench.core.model import Interval
from bench.core.units import format_value
from bench.display import canvas, cells, fits, kinds, legends, lookup, svg, theme
from bench.display.data import ScenarioData, Variant, params_text
from bench.display.prose import block_counts
from bench.display.table import Cell, interval_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REST = "slope less the parts"
_HELPERS = "runtime's processes"
_CLASSES: dict[str, tuple[str, float]] = {
    "payload": ("payload", 1.0),
    "guest's memory": ("guest", 1.0),
    _HELPERS: ("helper", 1.0),
    "daemons": ("daemon", 1.0),
    "kernel: slab": ("kernel", 1.0),
    "kernel: page tables, stacks": ("kernel", 0.62),
    "kernel: the rest": ("kernel", 0.32),
    "outside the run, harness": ("harness", 1.0),
}
"""Name of a part → colour of ``theme.PARTS`` and opacity, in drawing order."""
_CLASS_OF = {
    "process:payload": "payload",
    "process:guest": "guest's memory",
    "process:daemon": "daemons",
    "process:harness": "outside the run, harness",
    "process:elsewhere": "outside the run, harness",
    "kernel:unreclaimable_slab": "kernel: slab",
    "kernel:page_tables": "kernel: page tables, stacks",
    "kernel:kernel_stacks": "kernel: page tables, stacks",
}
_COLUMNS = 3


@dataclass(frozen=True)
class Bar:
    """One target: the slope of MemAvailable, its interval, and its parts in drawing order, all in bytes an instance."""

    row: Variant
    slope: float
    ci: Interval | None
    parts: tuple[tuple[str, float], ...]

    @property
    def rest(self) -> float:
        """The slope less the parts, medians each; negative if they add up to more than the slope."""
        return self.slope - sum(size for _, size in self.parts)

    @property
    def reach(self) -> tuple[float, float]:
        """The left and the right end of the bar, interval included."""
        sizes = [*(size for _, size in self.parts), self.rest]
        left, right = sum(min(size, 0.0) for size in sizes), sum(max(size, 0.0) for size in sizes)
        ends = (self.ci.low, self.ci.high) if self.ci else ()
        return min(left, self.slope, 0.0, *ends), max(right, self.slope, *ends)


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the bars, then the readings."""
    return [weight(data, f"{data.stem}-weight"), ramps.draw(data, f"{data.stem}-ramp")]


def bar_of(data: ScenarioData, row: Variant) -> Bar | None:
    """Build the bar of a target; ``None`` without a slope."""
    found = tables.slope(data, row)
    if found is None or found.median is None:
        return None
    sizes: dict[str, float] = {}
    for share in tables.shares(data, row):
        name = _CLASS_OF.get(share.name, _HELPERS if share.name.startswith("process:") else "kernel: the rest")
        sizes[name] = sizes.get(name, 0.0) + share.slope
    parts = tuple((name, sizes[name]) for name in _CLASSES if name in sizes)
    return Bar(row, found.median, tables.fitted(data, row), parts)


def weight(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw stacked bars, one panel with its own axis for each set of params and kind of target."""
    bars = [made for row in lookup.without_control(data) if (made := bar_of(data, row))]
    panels = [
        (f"{title}{_touching(params)}", items)
        for params in dict.fromkeys(_params(item.row) for item in bars)
        for title, items in kinds.grouped([item for item in bars if _params(item.row) == params], lambda item: item.row)
    ]
    if not panels:
        return None
    room = canvas.layout([_bare(item.row) for item in bars], [_cell(item) for item in bars])
    handles = _handles(bars)
    lines = math.ceil(len(handles) / _COLUMNS)
    overhead, top = 0.74, 0.16 + 0.17 * lines
    with canvas.sheet(top + sum(overhead + room.row * len(items) for _, items in panels) - 0.12) as figure:
        for title, items in panels:
            panel = canvas.axes(figure, top + 0.26, room.row * len(items), room.names, room.values)
            _panel(panel, title, items)
            top += overhead + room.row * len(items)
        legends.legend(figure, handles, _COLUMNS)
        return canvas.finish(figure, _weight_words(data, bars, name))


def _params(row: Variant) -> str:
    return row.params if row.shown is None else row.shown


def _bare(row: Variant) -> Variant:
    """Return a variant whose label leaves out the params, which the panel's title shows."""
    return replace(row, shown="{}")


def _touching(params: str) -> str:
    return f", {params_text(params)}" if json.loads(params) else ""


def _cell(item: Bar) -> Cell:
    return cells.number(item.slope, "bytes", item.ci)


def _handles(bars: Sequence[Bar]) -> list[Patch]:
    present = {name for item in bars for name, size in item.parts if size}
    made = [_patch(name) for name in _CLASSES if name in present]
    made.append(
        Patch(
            facecolor="none",
            edgecolor=theme.MUTED,
            hatch="/////",
            linewidth=0.6,
            label=f"{REST} (left of 0: they are more)",
        )
    )
    return made


def _patch(name: str) -> Patch:
    colour, opacity = _CLASSES[name]
    return Patch(facecolor=theme.PARTS[colour], alpha=opacity, linewidth=0, label=name)


def _panel(panel: Axes, title: str, items: Sequence[Bar]) -> None:
    canvas.rows(panel, [_bare(item.row) for item in items])
    low, high = min(item.reach[0] for item in items), max(item.reach[1] for item in items)
    pad = 0.03 * (high - low or 1.0)
    canvas.linear(panel, low - pad if low < 0 else 0.0, high + pad, "bytes")
    panel.set_title(title, loc="left", fontsize=canvas.TEXT_PT, color=theme.INK, fontweight="bold", pad=5)
    canvas.gutter(panel, "each (fit’s 95 %)", [_cell(item) for item in items])
    if low < 0:
        panel.axvline(0, color=theme.MUTED, linewidth=0.8, zorder=1.5)
    for index, item in enumerate(items):
        _bar(panel, index, item)


def _bar(panel: Axes, index: int, item: Bar) -> None:
    left = right = 0.0
    for name, size in (*item.parts, (REST, item.rest)):
        begin = right if size >= 0 else left
        _segment(panel, index, begin, size, name)
        left, right = (left, right + size) if size >= 0 else (left + size, right)
    panel.plot([item.slope] * 2, [index - 0.4, index + 0.4], color=theme.INK, linewidth=1.5, zorder=5)
    if item.ci:
        panel.plot([item.ci.low, item.ci.high], [index + 0.36] * 2, color=theme.INK, linewidth=1.0, zorder=5)


def _segment(panel: Axes, index: int, begin: float, size: float, name: str) -> None:
    if name == REST:
        panel.barh(
            index,
            size,
            left=begin,
            height=0.54,
            facecolor="none",
            edgecolor=theme.MUTED,
            hatch="/////",
            linewidth=0.6,
            zorder=3,
        )
        return
    colour, opacity = _CLASSES[name]
    panel.barh(index, size, left=begin, height=0.54, color=theme.SURFACE, linewidth=0, zorder=2)  # hides the grid
    panel.barh(index, size, left=begin, height=0.54, color=theme.PARTS[colour], alpha=opacity, linewidth=0, zorder=3)


def _weight_words(data: ScenarioData, bars: Sequence[Bar], name: str) -> canvas.Words:
    ordered = sorted((item for item in bars if _params(item.row) == _params(bars[0].row)), key=lambda item: item.slope)
    ordered = [item for item in ordered if not fits.is_wide(item.slope, item.ci)]
    touching = _touching(_params(bars[0].row))
    title = "What each further instance takes of the memory available"
    if ordered and all(item.ci for item in ordered):
        ends = [f"{_size(item.slope)} ({item.row.target})" for item in ordered[:: max(1, len(ordered) - 1)]]
        title = (
            f"Each further instance{touching}{',' * bool(touching)} takes {' to '.join(ends)} of the memory available"
        )
    caption = (
        "Marginal cost of an instance: slope of the line through MemAvailable over N (mark, under it the fit’s interval), "
        "split into slopes of the anonymous memory of processes and of the kernel’s parts; each is the median of its blocks, so "
        "they need not add up. Hatched is the difference: where the parts are more than the slope it stands left of 0. "
        f"Every panel has its own axis. {_counts(data, bars)}"
    )
    alt = "; ".join(
        f"{item.row.text}: {_size(item.slope)}"
        + (f" [{cells.minus(interval_text(item.ci, 'bytes'))}]" if item.ci else "")
        + f", of it {', '.join(f'{part} {_size(size)}' for part, size in (*item.parts, (REST, item.rest)))}"
        for item in bars
    )
    return canvas.Words(name, "weight", title, caption, f"{title}. {alt}")


def _counts(data: ScenarioData, bars: Sequence[Bar]) -> str:
    return block_counts(found.n for item in bars if (found := tables.slope(data, item.row)))


def _size(amount: float) -> str:
    return cells.minus(format_value(amount, "bytes"))
