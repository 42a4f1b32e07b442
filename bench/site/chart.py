"""Drawings of a series over the runs: the chart of its page, and the small one of a table's row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

from markupsafe import Markup

from bench.core.units import format_value, in_scale, scale
from bench.display import svg, theme
from bench.site.history import Kind, Mark
from bench.site.records import Point

WIDTH, HEIGHT = 720.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 14.0, 24.0, 30.0
_LEAST = 0.1
"""Share of the median that the value axis shows on either side at least: a change of 1 % must not look large."""
_MANY = 150
"""Runs from which on single values are drawn smaller, without whiskers."""
_NAMED = 24
"""Marks that are numbered in the chart; with more, the numbers would cover each other."""


@dataclass(frozen=True)
class Track:
    """What a chart is drawn of.

    Attributes:
        points: Place → numbers.
        places: The places of the axis, with and without a value.
        dates: Place → date of the run.
        finished: Places of complete runs.
        marks: What is marked.
    """

    points: Mapping[int, Point]
    places: Sequence[int]
    dates: Mapping[int, str]
    finished: frozenset[int]
    marks: Sequence[Mark]


def draw(track: Track, unit: str, colour: str, words: tuple[str, str, str, str]) -> svg.Plot:
    """Draw a series; ``words`` are the name, title, caption and alternative text."""
    name, title, caption, alt = words
    axis = _Axis(track, unit)
    body = [*axis.grid(), *_marks(axis, track.marks), *_whiskers(axis), *_line(axis, colour), *_dots(axis, colour)]
    return svg.Plot(name, "series", title, caption, alt, "".join(body), WIDTH, HEIGHT)


class _Axis:
    """The two axes of a chart."""

    def __init__(self, track: Track, unit: str) -> None:
        self.track = track
        self.order = {place: number for number, place in enumerate(track.places)}
        self.known = {place: one for place, one in track.points.items() if one.median is not None}
        values = [one.median for one in self.known.values() if one.median is not None]
        middle = median(values) if values else 0.0
        room = _LEAST * abs(middle) or 1.0
        low, high = min([*values, middle - room]), max([*values, middle + room])
        pad = 0.06 * (high - low)
        self.low, self.high = low - pad if low < 0 or low - pad > 0 else 0.0, high + pad
        self.scale = scale(max(abs(self.low), abs(self.high)), unit)

    def x(self, place: float) -> float:
        """Return the x coordinate of a run in user units of the SVG; a half stands between two."""
        last = max(len(self.order) - 1, 1)
        number = self.order.get(int(place), 0) + (place - int(place))
        if len(self.order) == 1:
            return round((_LEFT + WIDTH - _RIGHT) / 2, 1)
        return round(_LEFT + 6 + (WIDTH - _LEFT - _RIGHT - 12) * number / last, 1)

    def y(self, value: float) -> float:
        """Return the y coordinate of a value in user units of the SVG, at the edge if it lies beyond."""
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1.0)
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * share, 1)

    def grid(self) -> Iterator[str]:
        """Yield the lines and texts of both axes."""
        ticks = _ticks(self.low / self.scale.factor, self.high / self.scale.factor)
        digits = _digits(ticks)
        for tick in ticks:
            y, text = self.y(tick * self.scale.factor), in_scale(tick * self.scale.factor, self.scale, digits)
            yield f'<path d="M{_LEFT:g} {y:g}H{WIDTH - _RIGHT:g}" style="fill:none;{_stroke(theme.GRID)}"/>'
            yield _text(_LEFT - 6, y + 3.5, text, "end")
        shown = self.track.places
        steps = min(len(shown), 5)
        for number in range(steps):
            place = shown[round(number * (len(shown) - 1) / max(steps - 1, 1))]
            anchor = "start" if number == 0 and steps > 1 else "end" if number == steps - 1 and steps > 1 else "middle"
            yield _text(self.x(place), HEIGHT - 10, self.track.dates.get(place, ""), anchor)


def _ticks(low: float, high: float) -> list[float]:
    """Return three to six round numbers between two."""
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * one for one in (1, 2, 5, 10) if size * one >= raw)
    first = math.ceil(low / step)
    return [round(number * step, 12) for number in range(first, math.floor(high / step) + 1)]


def _digits(ticks: Sequence[float]) -> int:
    """Return the digits with which the ticks of an axis differ."""
    largest = max(map(abs, ticks), default=0.0)
    if len(ticks) < 2 or not largest:
        return 2
    return max(1, math.floor(math.log10(largest)) - math.floor(math.log10(abs(ticks[1] - ticks[0]))) + 1)


def _marks(axis: _Axis, marks: Sequence[Mark]) -> Iterator[str]:
    """Draw each mark as a line between the runs before and after it, with its number in the list of marks."""
    looks = {
        Kind.EPOCH: (theme.INK, "6 3", 1.0),
        Kind.VERSION: (theme.MUTED, "1.5 3", 1.0),
        Kind.ACKNOWLEDGED: (theme.MUTED, "8 2 1.5 2", 1.2),
    }
    for number, mark in enumerate(marks, 1):
        if mark.step:
            colour, dashes, width = theme.HEAT["dearer" if mark.step["worse"] else "cheaper"], "", 2.0
        else:
            colour, dashes, width = looks[mark.kind]
        x = axis.x(_from(axis, mark.place)) - (0 if mark.kind is Kind.ACKNOWLEDGED else _half(axis))
        style = f"fill:none;{_stroke(colour)};stroke-width:{width:g}" + (
            f";stroke-dasharray:{dashes}" if dashes else ""
        )
        yield f'<path d="M{x:g} {_TOP - 4:g}V{HEIGHT - _BOTTOM:g}" style="{style}"/>'
        if len(marks) <= _NAMED:
            up = 12.0 if number % 2 else 3.0
            yield _text(x, _TOP - up, str(number), "middle")


def _from(axis: _Axis, place: int) -> int:
    """Return the first place of the axis from a run on."""
    return next((one for one in axis.track.places if one >= place), axis.track.places[-1])


def _half(axis: _Axis) -> float:
    return (WIDTH - _LEFT - _RIGHT - 12) / max(len(axis.order) - 1, 1) / 2


def _line(axis: _Axis, colour: str) -> Iterator[str]:
    """Join neighbouring values; where a run has none, or a new epoch begins, the line is broken."""
    broken = {_from(axis, mark.place) for mark in axis.track.marks if mark.kind is Kind.EPOCH}
    path, joined = "", False
    for place in axis.track.places:
        value = axis.known[place].median if place in axis.known else None
        if value is None or place not in axis.track.finished:
            joined = joined and value is not None
            continue
        path += f"{'L' if joined and place not in broken else 'M'}{axis.x(place):g} {axis.y(value):g}"
        joined = True
    if path:
        yield f'<path d="{path}" style="fill:none;{_stroke(colour)};stroke-width:1.4;stroke-opacity:.75"/>'


def _dots(axis: _Axis, colour: str) -> Iterator[str]:
    """Draw each value, the oldest first: filled for a complete run, hollow for one that did not finish."""
    size = 1.5 if len(axis.known) > _MANY else 3.0
    hollow = f' style="{_paint(theme.SURFACE)};{_stroke(colour)}"'
    yield f'<g style="{_paint(colour)}">'
    for place in sorted(axis.known):
        style = "" if place in axis.track.finished else hollow
        at = axis.y(axis.known[place].median or 0.0)
        yield f'<circle cx="{axis.x(place):g}" cy="{at:g}" r="{size:g}"{style}/>'
    yield "</g>"


def _whiskers(axis: _Axis) -> Iterator[str]:
    """Draw the intervals of all values as one path."""
    ends = [(axis.x(at), axis.y(one.low), axis.y(one.high)) for at, one in axis.known.items()
            if one.low is not None and one.high is not None]  # fmt: skip
    if ends:
        path = "".join(f"M{x:g} {low:g}V{high:g}" for x, low, high in ends)
        yield f'<path d="{path}" style="fill:none;{_stroke(theme.MUTED)};stroke-width:1;stroke-opacity:.55"/>'


def _paint(colour: str) -> str:
    return f"fill:{colour};fill:var({theme.VARIABLES[colour]})"


def _stroke(colour: str) -> str:
    return f"stroke:{colour};stroke:var({theme.VARIABLES[colour]})"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    style = f"font:11px {escape(svg.FONTS)};{_paint(theme.MUTED)}"
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" style="{style}">{escape(text)}</text>'


_SPARK = 110.0, 22.0
_LAST = 40


def spark(points: Mapping[int, Point], places: Sequence[int], steps: Mapping[int, bool]) -> Markup:
    """Draw the last 40 values of a series; ``steps`` are the places of its lasting steps → whether it got worse.

    It is a picture beside numbers, hidden from screen readers. Its range is 10 % on either side of the median at least.
    """
    shown = list(places)[-_LAST:]
    known = {at: value for at in shown if at in points and (value := points[at].median) is not None}
    width, height = _SPARK
    middle = median(known.values()) if known else 0.0
    room = _LEAST * abs(middle) or 1.0
    low, high = min([*known.values(), middle - room]), max([*known.values(), middle + room])
    place = {at: 3 + (width - 6) * number / max(len(shown) - 1, 1) for number, at in enumerate(shown)}
    level = {at: 3 + (height - 6) * (high - value) / (high - low) for at, value in known.items()}
    path, joined = "", False
    for at in shown:
        if at in known:
            path += f"{'L' if joined else 'M'}{place[at]:.0f} {level[at]:.1f}"
        joined = at in known
    drawn = "".join(
        f'<path class="{"worse" if worse else "better"}" d="M{place[at]:.0f} 1V{height - 1:g}"/>'
        for at, worse in steps.items() if at in place
    )  # fmt: skip
    last = max(known, default=None)
    dot = "" if last is None else f'<circle cx="{place[last]:.0f}" cy="{level[last]:.1f}" r="2.2"/>'
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    drawing = f'<svg class="spark" {size} aria-hidden="true" focusable="false">{drawn}<path d="{path}"/>{dot}</svg>'
    return Markup(drawing)  # noqa: S704 - numbers only


def alternative(title: str, track: Track, unit: str) -> str:
    """Return the text that stands for a chart: its first, last, lowest and highest value."""
    values = [(at, one.median) for at in track.places if (one := track.points.get(at)) and one.median is not None]
    if not values:
        return f"{title}. No value."
    every = [value for _, value in values]
    first, last = values[0], values[-1]
    return (
        f"{title}. {len(values)} runs with a value of {len(track.places)}: first {format_value(first[1], unit)} on "
        f"{track.dates.get(first[0], '')}, last {format_value(last[1], unit)} on {track.dates.get(last[0], '')}, "
        f"lowest {format_value(min(every), unit)}, highest {format_value(max(every), unit)}."
    )
