"""The small drawing of a ratio: a dot with its interval on a logarithmic scale that a whole table shares."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from bench.stats.pairs import Times

WIDTH, HEIGHT = 64.0, 12.0
_EDGE = 4.0
_MIDDLE = HEIGHT / 2
_LEAST = 0.5, 2.0
"""Range that every scale has at least: what is 1.1× must not look far from 1."""


@dataclass(frozen=True)
class Axis:
    """A logarithmic scale between two ratios."""

    low: float
    high: float

    def at(self, ratio: float) -> float:
        """Return the place of a ratio."""
        share = math.log(ratio / self.low) / math.log(self.high / self.low)
        return round(_EDGE + (WIDTH - 2 * _EDGE) * min(max(share, 0.0), 1.0), 1)

    @property
    def ticks(self) -> list[float]:
        """The decades in it, or 0.5 and 2 where it holds none but 1."""
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        decades = [10.0**power for power in range(first, last + 1) if power]
        return decades or [ratio for ratio in (0.5, 2.0, 5.0) if self.low <= ratio <= self.high]


def axis(found: Iterable[Times]) -> Axis:
    """Return the scale that holds all ratios with their intervals."""
    ends = [*_LEAST]
    for one in found:
        ends += [one.ratio, *((one.ci.low, one.ci.high) if one.ci else ())]
    known = [end for end in ends if end > 0 and math.isfinite(end)]
    return Axis(min(known), max(known))


def tone(found: Times) -> str:
    """Return ``worse``, ``better`` or ``same``: which side of 1 a ratio is on; with an interval that holds 1, neither."""
    if found.ratio == 1 or (found.ci and not found.exact and not found.sure):
        return "same"
    return "worse" if found.ratio > 1 else "better"


def drawing(found: Times, scale: Axis, *, exact: bool) -> Markup:
    """Draw a ratio: a square if it is exact, a dot with a whisker if it has an interval, else a hollow ring."""
    at, name = scale.at(found.ratio), tone(found)
    if exact or found.exact:
        mark = f'<rect class="sq {name}" x="{at - 2.6:g}" y="{_MIDDLE - 2.6:g}" width="5.2" height="5.2"/>'
    elif found.ci:
        low, high = scale.at(found.ci.low), scale.at(found.ci.high)
        whisker = f"M{low:g} {_MIDDLE:g}H{high:g}M{low:g} {_MIDDLE - 2.5:g}v5M{high:g} {_MIDDLE - 2.5:g}v5"
        mark = (
            f'<path class="wh {name}" d="{whisker}"/><circle class="dot {name}" cx="{at:g}" cy="{_MIDDLE:g}" r="2.6"/>'
        )
    else:
        mark = f'<circle class="ring {name}" cx="{at:g}" cy="{_MIDDLE:g}" r="2.9"/>'
    return _svg(_ground(scale) + mark)


def _ground(scale: Axis) -> str:
    """Draw the scale: its line, its ticks, and 1."""
    ticks = "".join(f"M{scale.at(tick):g} {_MIDDLE - 1.5:g}v3" for tick in scale.ticks)
    one = scale.at(1.0)
    line = f'<path class="ax" d="M{_EDGE:g} {_MIDDLE:g}H{WIDTH - _EDGE:g}"/><path class="tk" d="{ticks}"/>'
    return f'{line}<path class="one" d="M{one:g} 0V{HEIGHT:g}"/>'


def _svg(inner: str) -> Markup:
    size = f'width="{WIDTH:g}" height="{HEIGHT:g}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
    return Markup(f'<svg class="g" {size} aria-hidden="true" focusable="false">{inner}</svg>')  # noqa: S704 - numbers only
