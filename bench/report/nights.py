"""Draw a history: small panels of series over the runs, with the steps that lasted and what happened between the runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.ticker import FixedFormatter, FixedLocator

from bench.compare.course import Course, Happened
from bench.core.metrics import metric_named
from bench.display import canvas, legends, paper, svg, theme
from bench.display.data import Variant, metric_title
from bench.stats.series import Key

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_PANEL = 1.05
_HEAD = 0.62
_LEFT = 0.62
_TOP = 0.34
_ROOM = 1.5
"""Width of a gap, in runs."""
_PHONE = 4.3
MOST = 12


@dataclass(frozen=True)
class Paper:
    """Where panels are drawn: how many beside each other, and the width of all in inches."""

    columns: int
    width: float


DESK, PHONE = Paper(2, paper.WIDE), Paper(1, _PHONE)


@dataclass(frozen=True)
class _Axis:
    """The places of the runs on the horizontal axis, where a gap takes room, and the dates written below."""

    places: tuple[float, ...]
    dates: tuple[str, ...]


def drawable(course: Course, key: Key) -> bool:
    """Say whether a series has the three runs that a drawing needs."""
    return len(course.values.get(key, ())) > 2


def draw(course: Course, keys: Sequence[Key], name: str, paper: Paper = DESK) -> svg.Plot | None:
    """Draw a panel a series, at most ``MOST``; ``None`` if no series has three runs."""
    shown = [key for key in keys if drawable(course, key)][:MOST]
    if not shown:
        return None
    count, step = math.ceil(len(shown) / paper.columns), _PANEL + _HEAD + 0.22
    width = (paper.width - _LEFT * paper.columns - 0.25) / paper.columns
    axis = _axis(course)
    handles = _handles(course, shown)
    rows = math.ceil(len(handles) / (2 * paper.columns))
    top = _TOP + 0.15 * (rows - 1)
    with canvas.sheet(top + count * step + 0.1, paper.width) as figure:
        for number, key in enumerate(shown):
            row, column = divmod(number, paper.columns)
            left = _LEFT + column * (width + _LEFT + 0.1)
            panel = canvas.axes(figure, top + _HEAD + row * step, _PANEL, left, paper.width - left - width)
            _panel(panel, course, key, axis)
        legends.legend(figure, handles, columns=min(len(handles), 2 * paper.columns))
        return canvas.finish(figure, _words(course, shown, name))


def _handles(course: Course, shown: Sequence[Key]) -> list[Artist]:
    dearer, cheaper = theme.HEAT["dearer"], theme.HEAT["cheaper"]
    steps = {one.worse for key in shown for one in course.steps.get(key, {}).values()}
    marks: list[Artist] = [legends.mark("o", "a run", size=3.6)]
    marks += [legends.mark("|", "level shift: worse", size=8, colour=dearer)] if True in steps else []
    marks += [legends.mark("|", "level shift: better", size=8, colour=cheaper)] if False in steps else []
    kinds = {one.kind for one in course.events if one.series is None or one.series in shown}
    known = {
        Happened.EPOCH: legends.mark("|", "another epoch", size=8),
        Happened.VERSION: legends.mark("^", "another version", size=4.4),
        Happened.ACKNOWLEDGED: legends.mark("D", "acknowledged", size=5, hollow=True),
        Happened.GAP: legends.mark("s", "no runs", size=6, colour=theme.GRID),
    }
    return marks + [mark for kind, mark in known.items() if kind in kinds]


def _axis(course: Course) -> _Axis:
    gaps = {one.place for one in course.of(Happened.GAP)}
    places, at = [], 0.0
    for place in range(len(course.points)):
        at += (1.0 + (_ROOM if place in gaps else 0.0)) if place else 0.0
        places.append(at)
    days = [one.at[:10] for one in course.points]
    same = len(set(days)) == 1
    return _Axis(tuple(places), tuple(one.at[11:16] if same else one.at[5:10] for one in course.points))


def _panel(panel: Axes, course: Course, key: Key, axis: _Axis) -> None:
    values = course.values[key]
    low, high = min(values.values()), max(values.values())
    pad = max((high - low) * 0.15, abs(high) * 0.02) or 1.0
    panel.set_xlim(axis.places[0] - 0.5, axis.places[-1] + 0.5)
    canvas.linear(panel, low - pad, high + pad, metric_named(key[3]).unit, side="y", ticks=4)
    panel.grid(axis="y")
    panel.set(xlabel="", ylabel="")
    _dates(panel, axis)
    _marks(panel, course, key, axis)
    for run in _stretches(course, values):
        judged = course.points[run[0]].judged
        colour = theme.colour(key[1].partition(":")[0])
        panel.plot(
            [axis.places[place] for place in run],
            [values[place] for place in run],
            color=colour,
            linewidth=1.2 if judged else 0.7,
            marker="o",
            markersize=3.4,
            markerfacecolor=colour if judged else theme.SURFACE,
            zorder=3,
        )
    _title(panel, key)


def _dates(panel: Axes, axis: _Axis) -> None:
    count = len(axis.places)
    shown = sorted({round(part * (count - 1) / 4) for part in range(5)}) if count > 5 else range(count)
    panel.xaxis.set_major_locator(FixedLocator([axis.places[place] for place in shown]))
    panel.xaxis.set_major_formatter(FixedFormatter([axis.dates[place] for place in shown]))


def _marks(panel: Axes, course: Course, key: Key, axis: _Axis) -> None:
    """Draw gaps as bands, epochs and steps as lines, versions at the lower edge, acknowledgements around their run."""
    for one in course.of(Happened.GAP):
        panel.axvspan(
            axis.places[one.place - 1] + 0.5, axis.places[one.place] - 0.5, color=theme.GRID, linewidth=0, zorder=0
        )
    for one in course.of(Happened.EPOCH):
        panel.axvline(axis.places[one.place] - 0.5, color=theme.MUTED, linewidth=1.0, linestyle=(0, (3, 2)), zorder=1.5)
    bottom = panel.get_ylim()[0]
    for one in course.of(Happened.VERSION):
        at = axis.places[one.place] - 0.5
        panel.plot([at], [bottom], marker="^", markersize=5, color=theme.MUTED, clip_on=False, zorder=4)
    for place, step in course.steps.get(key, {}).items():
        colour = theme.HEAT["dearer" if step.worse else "cheaper"]
        panel.axvline(axis.places[place] - 0.5, color=colour, linewidth=1.6, zorder=1.5)
    for one in course.of(Happened.ACKNOWLEDGED, key):
        if one.place in course.values[key]:
            value = course.values[key][one.place]
            panel.plot(
                [axis.places[one.place]], [value], marker="D", markersize=7, color=theme.INK, fillstyle="none", zorder=5
            )


def _stretches(course: Course, values: Mapping[int, float]) -> Iterator[list[int]]:
    """Yield the runs that a line joins: it is broken where a run is missing, in a gap and between epochs."""
    gaps = {one.place for one in course.of(Happened.GAP)}
    run: list[int] = []
    for place in sorted(values):
        follows = bool(run) and place == run[-1] + 1 and place not in gaps
        if follows and course.points[place].epoch == course.points[run[-1]].epoch:
            run.append(place)
            continue
        if run:
            yield run
        run = [place]
    if run:
        yield run


def _title(panel: Axes, key: Key) -> None:
    scenario, target, params, metric = key
    label, top = Variant(target, params, "", note=metric_title(metric)), panel.get_ylim()[1]
    details = canvas.wrap(label.details, 44, 2)
    up = 8.0 + 9.5 * len(details)
    canvas.note(panel, (0, top), (0, up), canvas.shorten(f"{label.name} ({scenario})", 40), weight="bold")
    for number, line in enumerate(details, 1):
        canvas.note(panel, (0, top), (0, up - 9.5 * number - 0.5), line, size=canvas.SMALL_PT, colour=theme.MUTED)


def _words(course: Course, shown: Sequence[Key], name: str) -> canvas.Words:
    steps = sum(len(course.steps.get(key, ())) for key in shown)
    runs = len(course.points)
    title = f"{len(shown)} series over {runs} runs: {steps or 'no'} level shift{'' if steps == 1 else 's'} that lasted"
    caption = (
        "The median of each run, as measured, in time order; each panel has an axis of its own. A line is broken where there is "
        "no value. Hollow runs are of another epoch and are not judged. Level shifts are found after what the sentinel says of "
        "the host was taken out."
    )
    alt = "; ".join(_said(course, key) for key in shown)
    return canvas.Words(name, "nights", title, caption, f"{title}. {alt}")


def _said(course: Course, key: Key) -> str:
    steps = len(course.steps.get(key, ()))
    shifts = f"{steps} level shift{'' if steps == 1 else 's'}"
    return f"{key[1]} {key[3]}: {len(course.values[key])} runs, {shifts}"
