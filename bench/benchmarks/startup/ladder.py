"""A chart of the phases between request and ready, one bar a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from bench.core.model import NULL
from bench.core.units import format_value
from bench.display import canvas, cells, svg, theme
from bench.display.data import ScenarioData, Variant
from bench.display.prose import apart, block_counts_by_target, joined
from bench.display.table import Cell

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READY = "startup.ready_s"
_STEPS = (
    ("startup.created_s", "created", 0.20),
    ("startup.started_s", "started", 0.36),
    ("startup.first_instruction_s", "first instruction", 0.56),
    (READY, "ready", 1.0),
)
_OPACITY = {name: opacity for _, name, opacity in _STEPS}
_CALLS = {"created": "create call", "started": "start call"}


@dataclass(frozen=True)
class Ladder:
    """One bar.

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
        """The latest time of the bar, marks included."""
        return max(at for _, at in (*self.steps, *self.late))


def ladder_of(variant: Variant, data: ScenarioData) -> Ladder | None:
    """Order the phases of a variant by time; ``None`` if it was never ready.

    A phase that the engine lacks is left out, so its time counts to the next one. A phase that ends after a later phase
    is not a step on the path to ready: the engine's call returned late.
    """
    times = [(name, at) for metric, name, _ in _STEPS if (at := data.median(variant, metric)) is not None]
    if not times or times[-1][0] != "ready":
        return None
    late = [index for index, (_, at) in enumerate(times) if any(after < at for _, after in times[index + 1 :])]
    steps = tuple(item for index, item in enumerate(times) if index not in late)
    return Ladder(variant, steps, tuple(times[index] for index in late))


def draw(data: ScenarioData, name: str) -> svg.Plot | None:
    """Draw one panel each for processes, containers and virtual machines, with linear axes of their own."""
    found = [made for item in data.variants if item.target != NULL if (made := ladder_of(item, data))]
    groups = canvas.grouped(found, lambda item: item.variant)
    if not groups:
        return None
    overhead, top, room = 0.72, 0.30, _layout(found, data)
    height = top + sum(overhead + room.row * len(items) for _, items in groups) - 0.12
    with canvas.sheet(height) as figure:
        at = top
        for number, (title, items) in enumerate(groups):
            panel = canvas.axes(figure, at + 0.24, room.row * len(items), room.names, room.values)
            _panel(panel, title, items, data)
            if number == 0:
                _legend(figure, found)
            at += overhead + room.row * len(items)
        return canvas.finish(figure, _words(found, data, name))


def _layout(found: Sequence[Ladder], data: ScenarioData) -> canvas.Layout:
    return canvas.layout([item.variant for item in found], [_value(item, data) for item in found])


def _value(item: Ladder, data: ScenarioData) -> Cell:
    return cells.value(data.summary(item.variant, READY))


def _panel(panel: Axes, title: str, items: Sequence[Ladder], data: ScenarioData) -> None:
    canvas.rows(panel, [item.variant for item in items])
    canvas.linear(panel, 0.0, max(item.end for item in items) * 1.03, "s")
    panel.set_title(title, loc="left", fontsize=canvas.TEXT_PT, color=theme.INK, fontweight="bold", pad=5)
    canvas.gutter(panel, "ready (95 % CI)", [_value(item, data) for item in items])
    for index, item in enumerate(items):
        _bar(panel, index, item)


def _bar(panel: Axes, index: int, item: Ladder) -> None:
    begin, colour = 0.0, theme.colour(item.variant.engine, item.variant.kind)
    # An opaque bar hides the grid under the translucent steps.
    panel.barh(index, item.steps[-1][1], height=0.56, color=theme.SURFACE, linewidth=0)
    for name, at in item.steps:
        panel.barh(index, at - begin, left=begin, height=0.56, color=colour, alpha=_OPACITY[name], linewidth=0)
        _inside(panel, index, begin, at, name)
        begin = at
    for _, at in item.late:
        panel.plot([at, at], [index - 0.36, index + 0.36], color=theme.INK, linewidth=1.4)


def _inside(panel: Axes, index: int, begin: float, end: float, name: str) -> None:
    """Write the duration of a step inside it if it fits; the dark last step gets light text."""
    text = format_value(end - begin, "s", 2)
    room = (end - begin) / panel.get_xlim()[1] * panel.get_position().width * canvas.WIDTH * 72
    if room > len(text) * canvas.SMALL_PT * 0.62 + 4:
        colour = theme.SURFACE if name == "ready" else theme.INK
        panel.text(
            (begin + end) / 2, index, text, ha="center", va="center_baseline", fontsize=canvas.SMALL_PT, color=colour
        )


def _legend(figure: Figure, found: Sequence[Ladder]) -> None:
    present = {name for item in found for name, _ in item.steps}
    handles: list[Artist] = [
        Patch(facecolor=theme.MUTED, alpha=opacity, linewidth=0, label=f"until {name}")
        for _, name, opacity in _STEPS
        if name in present
    ]
    late = sorted({name for item in found for name, _ in item.late})
    if late:
        calls = " and ".join(_CALLS.get(name, name) for name in late)
        handles.append(canvas.mark("|", f"{calls} returned late", size=9, colour=theme.INK, edge=1.4))
    canvas.legend(figure, handles)


def _apart(found: Sequence[Ladder], data: ScenarioData) -> bool:
    """Say whether the first target is certain to be ready before the last one."""
    ordered = sorted(found, key=lambda item: item.steps[-1][1])
    first, last = (data.summary(item.variant, READY) for item in (ordered[0], ordered[-1]))
    return first is not None and last is not None and apart(first, last)


def _words(found: Sequence[Ladder], data: ScenarioData, name: str) -> canvas.Words:
    ends = sorted((item.steps[-1][1], item.variant.text) for item in found)
    (low, first), (high, last) = ends[0], ends[-1]
    title = f"{first} is ready after {format_value(low, 's')}"
    if len(ends) > 1:
        title = "Phases from the request until ready"
        if _apart(found, data):
            title = f"{first} is ready after {format_value(low, 's')}, {last} after {format_value(high, 's')}"
    late = [item.variant.text for item in found if item.late]
    caption = (
        "Time from the request until the payload says that it is ready: differences of the medians of each phase. "
        "Every panel has its own axis. A phase that an engine does not have is part of the next one. "
    )
    if late:
        caption += f"For {joined(late)} the engine's call returned only after the payload had run: a mark, not a step. "
    caption += block_counts_by_target(data, [item.variant for item in found], READY)
    alt = "; ".join(
        f"{item.variant.text}: " + ", ".join(f"{step} {format_value(at, 's')}" for step, at in item.steps)
        for item in found
    )
    return canvas.Words(name, "ladder", title, caption, f"{title}. {alt}")
