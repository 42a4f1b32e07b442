"""Format numbers for people. Numbers are stored in base units; prefixes exist only here."""

from __future__ import annotations

import math
from typing import Literal

Unit = Literal["s", "bytes", "bytes/s", "1/s", "ratio", "count", "s/GB"]
"""The base units that numbers are stored in."""

_TIME_STEPS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_NOTHING = 1e-3
"""A value below this fraction of the smallest unit is shown as 0."""
_BYTE_STEPS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1.0, "B"))
_RATE_STEPS = ((1e9, "G/s"), (1e6, "M/s"))
_PREFIXED = {
    "s": (_TIME_STEPS, ""),
    "s/GB": (_TIME_STEPS, "/GB"),
    "bytes": (_BYTE_STEPS, ""),
    "bytes/s": (_BYTE_STEPS, "/s"),
}
"""Unit → its prefixes, and what follows them."""


def format_value(value: float | None, unit: str, digits: int = 3) -> str:
    """Format a number with significant digits and a unit prefix (``12.4 ms``, ``3.81 MiB``); ``–`` for ``None``."""
    if value is None:
        return "–"
    if unit in _PREFIXED:
        steps, ending = _PREFIXED[unit]
        return _scaled(value, steps, digits, ending)
    if unit == "1/s" and abs(value) >= _RATE_STEPS[-1][0]:
        return _scaled(value, _RATE_STEPS, digits, "")
    text = significant(value, digits)
    return text if unit in ("ratio", "count") else f"{text} {unit}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...], digits: int, suffix: str) -> str:
    factor, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    if abs(value) < factor * _NOTHING:  # a rounding error of floating point, not a measurement
        value = 0.0
    return f"{significant(value / factor, digits)} {name}{suffix}"


def significant(value: float, digits: int = 3) -> str:
    """Format a number with significant digits and no exponent (0.0000123, 0.0123, 1.23, 123, 1230), unless it is below 1e-6."""
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    return f"{rounded:.{max(0, decimals)}f}" if decimals < 9 else f"{rounded:.{digits - 1}e}"
