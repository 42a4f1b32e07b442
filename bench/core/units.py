"""Format numbers for people. Numbers are stored in base units; prefixes exist only here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Unit = Literal["s", "bytes", "bytes/s", "1/s", "ratio", "count", "s/GB"]
"""The base units that numbers are stored in."""

_TIME_STEPS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_NOTHING = 1e-3
"""A value below this fraction of the smallest unit is shown as 0."""
_BYTE_STEPS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1.0, "B"))
_RATE_STEPS = ((1e9, "G/s"), (1e6, "M/s"))
_LONG = 1e8
"""A rate of something named, such as ``rounds/s``, has a prefix from here on: nobody counts so many digits."""
_BIT_STEPS = ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s"), (1.0, "bit/s"))
_PREFIXED = {
    "s": (_TIME_STEPS, ""),
    "s/GB": (_TIME_STEPS, "/GB"),
    "bytes": (_BYTE_STEPS, ""),
    "bytes/s": (_BYTE_STEPS, "/s"),
    "bit/s": (_BIT_STEPS, ""),
}
"""Unit → its prefixes, and what follows them."""


def format_value(value: float | None, unit: str, digits: int = 3) -> str:
    """Format a number with significant digits and a unit prefix (``12.4 ms``, ``3.81 MiB``); ``–`` for ``None``."""
    return "–" if value is None else in_scale(value, scale(value, unit), digits)


def format_with_interval(value: float, low: float, high: float, unit: str) -> str:
    """Format a number and its interval in one unit, which is written once: ``665 µs [559, 758]``."""
    chosen = scale(value, unit)
    ends = [in_scale(end, Scale(chosen.factor, "", chosen.least)) for end in (low, high)]
    return f"{in_scale(value, chosen)} [{', '.join(ends)}]"


@dataclass(frozen=True)
class Scale:
    """A unit with its prefix: what a number is divided by, the name, and the size below which a number is shown as 0."""

    factor: float = 1.0
    name: str = ""
    least: float = 0.0


def scale(value: float, unit: str) -> Scale:
    """Return the prefix with which a number of this size is easy to read."""
    if unit in _PREFIXED:
        steps, ending = _PREFIXED[unit]
        factor, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
        return Scale(factor, f"{name}{ending}", steps[-1][0] * _NOTHING)
    if unit == "1/s" and abs(value) >= _RATE_STEPS[-1][0]:
        return Scale(*next(step for step in _RATE_STEPS if abs(value) >= step[0]))
    if unit.endswith("/s") and abs(value) >= _LONG:  # what is counted has a name: rounds/s
        factor, name = next(step for step in _RATE_STEPS if abs(value) >= step[0])
        return Scale(factor, f"{name[0]} {unit}")
    return Scale(1.0, "" if unit in ("ratio", "count") else unit)


def in_scale(value: float, chosen: Scale, digits: int = 3) -> str:
    """Format a number with a given prefix."""
    if abs(value) < chosen.least:  # a rounding error of floating point, not a measurement
        value = 0.0
    return f"{significant(value / chosen.factor, digits)} {chosen.name}".rstrip()


def significant(value: float, digits: int = 3) -> str:
    """Format a number with significant digits and no exponent (0.0000123, 0.0123, 1.23, 123, 1230), unless it is below 1e-6."""
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    return f"{rounded:.{max(0, decimals)}f}" if decimals < 9 else f"{rounded:.{digits - 1}e}"
