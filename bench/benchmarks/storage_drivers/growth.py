"""Whether copy-up, the first write into a file of the image, takes longer for a larger file.

The verdict is on the medians over the blocks, one for each size. Words, tables and charts all use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.benchmarks.storage_drivers import operations
from bench.core.model import Interval
from bench.core.units import format_with_interval, significant
from bench.display import lookup
from bench.display.data import ScenarioData, Variant
from bench.stats.fit import line

Kind = Literal["grows linearly", "grows, not along a line", "no growth shown", "too few sizes"]

LINEAR = 0.95
"""R² of a line from which on the growth is called linear."""

GROWN = 2.0
"""Time of the largest file ÷ time of the smallest from which on a time can be said to grow."""

COPIED = 1 / (100 * 2.0**30)
"""Slope in seconds a byte below which nothing was copied: no memory moves 100 GiB/s, so a lower slope is noise."""

GIB = 2.0**30

_SIZES = 3
"""Fewest sizes that a line is fitted through."""


@dataclass(frozen=True)
class Growth:
    """How a time depends on the size of a file.

    Attributes:
        kind: The verdict.
        slope: Slope in seconds a byte; ``None`` with too few sizes.
        ci: Interval of the slope.
        r2: Coefficient of determination of the line.
        times: Time of the largest file ÷ time of the smallest.
    """

    kind: Kind
    slope: float | None = None
    ci: Interval | None = None
    r2: float | None = None
    times: float | None = None


def from_points(points: Sequence[tuple[float, float]]) -> Growth:
    """Judge pairs of size in bytes and time in seconds, sorted by size.

    A time grows if the interval of the slope lies above 0, the slope is at least ``COPIED``, and the largest file takes at
    least ``GROWN`` times as long as the smallest.
    """
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


def growth_of(data: ScenarioData, row: Variant | None) -> Growth:
    """Judge the first write of one driver; ``row`` is its variant with the operation ``copy-up``."""
    found = lookup.over(data, row, operations.COPY, "file_bytes", write="first") if row else []
    return from_points([(size, one.median) for size, one in found if one.median is not None])


def growths(data: ScenarioData) -> list[tuple[Variant, Growth]]:
    """Judge the first write of every driver, in display order."""
    rows = [row for of in operations.drivers(data).values() if (row := of.get("copy-up"))]
    return [(row, growth_of(data, row)) for row in rows]


def statement(rows: Sequence[tuple[str, Growth]]) -> str:
    """Write one sentence that groups the names by verdict, with the numbers of each group's first; empty without a verdict."""
    kinds: dict[Kind, list[tuple[str, Growth]]] = {}
    for name, found in rows:
        kinds.setdefault(found.kind, []).append((name, found))
    said = [f"{verb} {_first(kinds[kind])}" for kind, verb in _VERBS.items() if kind in kinds]
    return f"Copy-up {'; it '.join(said)}" if said else ""


def _first(rows: Sequence[tuple[str, Growth]]) -> str:
    """Write the first name with its numbers and the number of others."""
    name, found = rows[0]
    numbers = f"{significant(found.times or 0.0)}× from the smallest file to the largest"
    if found.kind != "no growth shown":
        ends = (found.ci.low, found.ci.high) if found.ci else (found.slope or 0.0,) * 2
        slope = format_with_interval((found.slope or 0.0) * GIB, ends[0] * GIB, ends[1] * GIB, "s")
        numbers = f"R² {significant(found.r2 or 0.0, 4)}, {slope} a GiB"
    return f"{name} ({numbers})" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")
