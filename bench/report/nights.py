"""Draw a history: small panels of series over the nights, with the steps that lasted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import seaborn as sns
from matplotlib.ticker import MaxNLocator

from bench.core.metrics import metric_named
from bench.display import canvas, svg, theme
from bench.display.data import Variant, metric_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 2
_PANEL = 1.05
_HEAD = 0.62
_LEFT = 0.62
MOST = 12


@dataclass(frozen=True)
class Track:
    """One series over the nights.

    Attributes:
        scenario: Its scenario.
        target: Its target.
        params: JSON text.
        metric: Its metric.
        values: Index of a night → median of that night.
        steps: Index of the first night after a step → whether it got worse.
    """

    scenario: str
    target: str
    params: str
    metric: str
    values: Mapping[int, float]
    steps: Mapping[int, bool]


def draw(tracks: Sequence[Track], nights: int, name: str) -> svg.Plot | None:
    """Draw a panel a series, at most ``MOST``; ``None`` if no series has three nights."""
    shown = [one for one in tracks if len(one.values) > 2][:MOST]
    if not shown:
        return None
    count, step = math.ceil(len(shown) / _COLUMNS), _PANEL + _HEAD + 0.22
    width = (canvas.WIDTH - _LEFT * _COLUMNS - 0.25) / _COLUMNS
    with canvas.sheet(0.3 + count * step + 0.1) as figure:
        for number, track in enumerate(shown):
            row, column = divmod(number, _COLUMNS)
            left = _LEFT + column * (width + _LEFT + 0.1)
            panel = canvas.axes(figure, 0.3 + _HEAD + row * step, _PANEL, left, canvas.WIDTH - left - width)
            _panel(panel, track, nights)
        dearer, cheaper = theme.HEAT["dearer"], theme.HEAT["cheaper"]
        marks = [
            canvas.mark("o", "one night", size=3.6),
            canvas.mark("|", "a step that lasted: worse", size=8, colour=dearer),
        ]
        canvas.legend(figure, [*marks, canvas.mark("|", "better", size=8, colour=cheaper)])
        return canvas.finish(figure, _words(shown, nights, name))


def _panel(panel: Axes, track: Track, nights: int) -> None:
    places = sorted(track.values)
    values = [track.values[place] for place in places]
    low, high = min(values), max(values)
    pad = max((high - low) * 0.15, abs(high) * 0.02) or 1.0
    panel.set_xlim(-0.5, max(nights - 0.5, 0.5))
    canvas.linear(panel, low - pad, high + pad, metric_named(track.metric).unit, side="y", ticks=4)
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panel.grid(axis="y")
    colour = theme.colour(track.target.partition(":")[0])
    for at, worse in track.steps.items():
        panel.axvline(at - 0.5, color=theme.HEAT["dearer" if worse else "cheaper"], linewidth=1.6, zorder=1.5)
    sns.lineplot(x=places, y=values, ax=panel, color=colour, linewidth=1.2, legend=False)
    panel.plot(places, values, linestyle="none", marker="o", markersize=3.2, color=colour)
    panel.set(xlabel="", ylabel="")
    label, top = Variant(track.target, track.params, "", note=metric_title(track.metric)), panel.get_ylim()[1]
    details = canvas.wrap(label.details, 44, 2)
    up = 8.0 + 9.5 * len(details)
    canvas.note(panel, (0, top), (0, up), canvas.shorten(f"{label.name} ({track.scenario})", 40), weight="bold")
    for number, line in enumerate(details, 1):
        canvas.note(panel, (0, top), (0, up - 9.5 * number - 0.5), line, size=canvas.SMALL_PT, colour=theme.MUTED)


def _words(shown: Sequence[Track], nights: int, name: str) -> canvas.Words:
    steps = sum(len(one.steps) for one in shown)
    title = f"{len(shown)} series over {nights} nights: {steps or 'no'} step{'' if steps == 1 else 's'} that lasted"
    caption = (
        "The median of each run of this host, as measured, over the runs in time order (0 is the oldest); each panel has an axis "
        "of its own. Steps are found after what the sentinel says of the host was taken out."
    )
    alt = "; ".join(f"{one.target} {one.metric}: {len(one.values)} nights, {len(one.steps)} steps" for one in shown)
    return canvas.Words(name, "nights", title, caption, f"{title}. {alt}")
