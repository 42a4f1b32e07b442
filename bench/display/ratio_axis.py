"""A logarithmic axis of ratios whatever they span, so that 1.04× never looks as far from 1 as 40× does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST = 0.8, 1.25
"""Range that every axis has at least."""
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_WIDE = 4.0
"""Span from which ticks are 1, 2 and 5 times powers of ten."""


def limits(values: Iterable[float]) -> tuple[float, float]:
    """Return the ends of the axis that holds all ratios, with a little room beside them."""
    known = [value for value in values if value > 0 and math.isfinite(value)]
    low, high = min((LEAST[0], *known)), max((LEAST[1], *known))
    room = (high / low) ** 0.04
    return low / room, high * room


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Return round ratios between two ends, at most about ``most``."""
    if high / low <= _WIDE:
        step = next((one for one in _STEPS if (high - low) / one <= most), _STEPS[-1])
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return [round(number * step, 4) for number in range(first, last + 1)]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for parts in ((1, 2, 5), (1, 3), (1,)):
        found = [part * 10.0**power for power in powers for part in parts]
        found = [one for one in found if low <= one <= high]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]


def apply(panel: Axes, values: Iterable[float], most: int = 7) -> None:
    """Scale the x axis of a panel to ratios; 1 is in it and drawn by the caller."""
    low, high = limits(values)
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    panel.xaxis.set_major_locator(FixedLocator(ticks(low, high, most)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}×"))
