"""Whether a time grows with the size of a file: along a line, otherwise, or not at all (pure).

Weighed are the medians of the blocks, one a size, so that a table, a figure and a sentence say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.core.model import Interval
from bench.core.units import format_value, significant
from bench.stats.fit import line

Kind = Literal["grows linearly", "grows, not along a line", "no growth shown", "too few sizes"]

LINEAR = 0.95
"""Part of the variance that a line must explain to be called one."""

GROWN = 2.0
"""The largest file must take this many times as long as the smallest, and the slope's interval lie above 0, before anything is
said to grow."""

COPIED = 1 / (100 * 2.0**30)
"""Seconds for each byte below which nothing can have been copied: no memory moves 100 GiB a second. What grows more slowly
is noise that happens to lie on a line."""

_SIZES = 3


@dataclass(frozen=True)
class Growth:
    """How a time depends on a size.

    Attributes:
        kind: The verdict.
        slope: Seconds for each byte more; ``None`` with too few sizes.
        ci: Interval of the slope.
        r2: Part of the variance that the line explains.
        times: Time of the largest file ÷ time of the smallest.
    """

    kind: Kind
    slope: float | None = None
    ci: Interval | None = None
    r2: float | None = None
    times: float | None = None


def growth(points: Sequence[tuple[float, float]]) -> Growth:
    """Judge pairs of size and time, increasing by size, one a size."""
    times = points[-1][1] / points[0][1] if points and points[0][1] > 0 else None
    if len(points) < _SIZES:
        return Growth("too few sizes", times=times)
    fit = line([size for size, _ in points], [seconds for _, seconds in points])
    flat = fit.ci is None or fit.ci.low <= 0 or fit.slope < COPIED or (times is not None and times < GROWN)
    straight = (fit.r2 or 0.0) >= LINEAR
    kind: Kind = "no growth shown" if flat else "grows linearly" if straight else "grows, not along a line"
    return Growth(kind, fit.slope, fit.ci, fit.r2, times)


_VERBS: dict[Kind, str] = {
    "grows linearly": "grows linearly with the file on",
    "grows, not along a line": "grows, but not along a line, on",
    "no growth shown": "does not measurably grow on",
}

_GIB = 2.0**30


def statement(rows: Sequence[tuple[str, Growth]]) -> str:
    """Say of each kind of growth of copy-up which names have it, with the numbers of the first; empty without any."""
    kinds: dict[Kind, list[tuple[str, Growth]]] = {}
    for name, found in rows:
        kinds.setdefault(found.kind, []).append((name, found))
    said = [f"{verb} {_first(kinds[kind])}" for kind, verb in _VERBS.items() if kind in kinds]
    return f"Copy-up {'; it '.join(said)}" if said else ""


def _first(rows: Sequence[tuple[str, Growth]]) -> str:
    """Name the first with its numbers, and how many others there are."""
    name, found = rows[0]
    numbers = f"{significant(found.times or 0.0)}× from the smallest file to the largest"
    if found.kind != "no growth shown":
        slope = format_value((found.slope or 0.0) * _GIB, "s")
        numbers = f"R² {significant(found.r2 or 0.0, 4)}, {slope} a GiB"
    return f"{name} ({numbers})" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")
