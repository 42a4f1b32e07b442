"""A chart of the phases between request and ready, one row a target, all on one logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.core.model import NULL
from bench.core.units import format_value
from bench.display import canvas, cells, legends, svg, theme
from bench.display.data import ScenarioData, Variant
from bench.display.prose import apart, block_counts_by_target, joined
from bench.display.table import Cell

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READY = "startup.ready_s"
_STEPS = (
    ("startup.created_s", "created"),
    ("startup.started_s", "started"),
    ("startup.first_instruction_s", "first instruction"),
    (READY, "ready"),
)
_MARKS = {
    "created": ("o", 4.0, True),
    "started": ("D", 4.0, True),
    "first instruction": ("^", 4.6, True),
    "ready": ("o", 6.0, False),
}
"""Phase → its marker, the marker's size, and whether it is hollow."""
_CALLS = {"created": "create call", "started": "start call"}


@dataclass(frozen=True)
class Ladder:
    """One row.

    Attributes:
        variant: The variant.
        steps: Event and time in seconds from the request, increasing; the last one is ready.
        late: Events and times of calls that returned after a later phase.
    """

    variant: Variant
    steps: tuple[tuple[str, float], ...]
    late: tuple[tuple[str, float], ...]

    @property
    def end(self) -> float:
        """The latest time of the row in seconds, marks included."""
        return max(at for _, at in (*self.steps, *self.late))


def ladder_of(variant: Variant, data: ScenarioData) -> Ladder | None:
    """Order the phases of a variant by time; ``None`` if it was never ready.

    A phase that the engine lacks is left out, so its time counts to the next one. A phase that ends after a later phase
    is not a step on the path to ready: the engine's call returned late.
    """
    times = [(name, at) for metric, name in _STEPS if (at := data.median(variant, metric)) is not None]
    if not times or times[-1][0] != "ready":
        return None
    late = [index for index, (_, at) in enumerate(times) if any(after < at for _, after in times[index + 1 :])]
    steps = tuple(item for index, item in enumerate(times) if index not in late)
    return Ladder(variant, steps, tuple(times[index] for index in late))


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw the phases of all targets on one logarithmic axis, so that 3 ms do not look like 13 s."""
    found = [made for item in data.variants if item.target != NULL if (made := ladder_of(item, data))]
    if not found:
        return None
    top, room = 0.62, _layout(found, data)
    tall = room.row * len(found)
    with canvas.sheet(top + tall + 0.42) as figure:
        panel = canvas.axes(figure, top, tall, room.names, room.values)
        _panel(panel, found, data)
        _legend(figure, found)
        return canvas.finish(figure, _words(found, data, name))


def _layout(found: Sequence[Ladder], data: ScenarioData) -> canvas.Layout:
    return canvas.layout([item.variant for item in found], [_value(item, data) for item in found])


def _value(item: Ladder, data: ScenarioData) -> Cell:
    return cells.value(data.summary(item.variant, READY))


def _panel(panel: Axes, found: Sequence[Ladder], data: ScenarioData) -> None:
    canvas.rows(panel, [item.variant for item in found])
    times = [at for item in found for _, at in (*item.steps, *item.late) if at > 0]
    low, high = min(times) / 1.35, max(times) * 1.15
    panel.set(xscale="log", xlim=(low, high))
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 30 else (1.0, 2.0, 5.0)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: canvas.tick(value, "s")))
    canvas.gutter(panel, "ready (95 % CI)", [_value(item, data) for item in found])
    for index, item in enumerate(found):
        _line(panel, index, item)


def _line(panel: Axes, index: int, item: Ladder) -> None:
    colour = theme.colour(item.variant.engine, item.variant.kind)
    first = min(at for _, at in (*item.steps, *item.late))
    panel.plot([first, item.end], [index, index], color=colour, linewidth=1.6, alpha=0.45, zorder=2)
    for name, at in item.steps:
        marker, size, hollow = _MARKS[name]
        face = theme.SURFACE if hollow else colour
        panel.plot([at], [index], marker=marker, markersize=size, color=colour, markerfacecolor=face, zorder=3)
    for _, at in item.late:
        panel.plot([at, at], [index - 0.3, index + 0.3], color=theme.INK, linewidth=1.4, zorder=3)


def _legend(figure: Figure, found: Sequence[Ladder]) -> None:
    present = {name for item in found for name, _ in item.steps}
    handles: list[Artist] = [
        legends.mark(marker, name, size=size, hollow=hollow)
        for name, (marker, size, hollow) in _MARKS.items()
        if name in present
    ]
    late = sorted({name for item in found for name, _ in item.late})
    if late:
        calls = " and ".join(_CALLS.get(name, name) for name in late)
        handles.append(legends.mark("|", f"{calls} returned late", size=9, colour=theme.INK, edge=1.4))
    legends.legend(figure, handles)


def _apart(found: Sequence[Ladder], data: ScenarioData) -> bool:
    """Say whether the first target is certain to be ready before the last one."""
    ordered = sorted(found, key=lambda item: item.steps[-1][1])
    first, last = (data.summary(item.variant, READY) for item in (ordered[0], ordered[-1]))
    return first is not None and last is not None and apart(first, last)


def _told(variant: Variant) -> str:
    return variant.text + " (emulated)" * ("accel=tcg" in variant.target)


def _words(found: Sequence[Ladder], data: ScenarioData, name: str) -> canvas.Words:
    ends = sorted((item.steps[-1][1], _told(item.variant)) for item in found)
    (low, first), (high, last) = ends[0], ends[-1]
    title = f"{first} is ready after {format_value(low, 's')}"
    if len(ends) > 1:
        title = "Phases from the request until ready"
        if _apart(found, data):
            title = f"{first} is ready after {format_value(low, 's')}, {last} after {format_value(high, 's')}"
    late = [item.variant.text for item in found if item.late]
    caption = (
        "Time from the request to each phase, medians; ready is when the payload says so. One logarithmic axis for all: equal "
        "distances are equal ratios. A phase that an engine does not have is left out. "
    )
    if late:
        caption += f"For {joined(late)} the engine's call returned only after the payload had run: a mark, not a step. "
    caption += block_counts_by_target(data, [item.variant for item in found], READY)
    alt = "; ".join(
        f"{item.variant.text}: " + ", ".join(f"{step} {format_value(at, 's')}" for step, at in item.steps)
        for item in found
    )
    return canvas.Words(name, "ladder", title, caption, f"{title}. {alt}")
