"""Convert series to the units in which people read them: Gbit/s for a network, IOPS for a disk.

Files, ``--json`` and comparisons keep the base units.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.core.metrics import METRICS
from bench.core.model import Interval, Summary

if TYPE_CHECKING:
    import pandas as pd

_FACTORS = {("bytes/s", "bit/s"): 8.0}
"""(base unit, shown unit) → factor; other shown units only name what is counted."""


def summary(found: Summary) -> Summary:
    """Return a series in the unit in which its metric is shown."""
    unit, factor = _shown(found.metric, found.unit)
    if unit == found.unit:
        return found
    return replace(
        found,
        unit=unit,
        median=_times(found.median, factor),
        ci=found.ci and Interval(found.ci.low * factor, found.ci.high * factor, found.ci.level),
        minimum=_times(found.minimum, factor),
        maximum=_times(found.maximum, factor),
    )


def points(frame: pd.DataFrame) -> pd.DataFrame:
    """Return single values in the units in which their metrics are shown; columns as in ``Measurement``."""
    made = frame.copy()
    for metric in dict.fromkeys(frame["metric"]):
        mine = frame["metric"] == metric
        base = str(frame.loc[mine, "unit"].iloc[0])
        unit, factor = _shown(metric, base)
        if unit != base:
            made.loc[mine, "value"] *= factor
            made.loc[mine, "unit"] = unit
    return made


def _shown(metric: str, base: str) -> tuple[str, float]:
    """Return the unit in which a metric is shown, and what a value in its base unit is multiplied by."""
    unit = METRICS[metric].shown_in if metric in METRICS else ""
    if not unit or base != METRICS[metric].unit:
        return base, 1.0
    return unit, _FACTORS.get((base, unit), 1.0)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
