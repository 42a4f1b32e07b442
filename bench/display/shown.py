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
    pairs = frame[["metric", "unit"]].drop_duplicates("metric").itertuples(index=False, name=None)
    changed = {metric: shown for metric, base in pairs if (shown := _shown(metric, base))[0] != base}
    if not changed:
        return frame
    mine = frame["metric"].isin(list(changed))
    factors = (
        frame.loc[mine, "metric"].map({metric: factor for metric, (_, factor) in changed.items()}).astype("float64")
    )
    units = frame["unit"].astype(object)
    units[mine] = frame.loc[mine, "metric"].map({metric: unit for metric, (unit, _) in changed.items()}).astype(object)
    values = frame["value"].astype("float64")
    values[mine] *= factors
    return frame.assign(value=values, unit=units.astype("category"))


def _shown(metric: str, base: str) -> tuple[str, float]:
    """Return the unit in which a metric is shown, and what a value in its base unit is multiplied by."""
    unit = METRICS[metric].shown_in if metric in METRICS else ""
    if not unit or base != METRICS[metric].unit:
        return base, 1.0
    return unit, _FACTORS.get((base, unit), 1.0)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
