"""The named series of a run, from which all exports of block values start."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import store
from bench.core.metrics import METRICS
from bench.core.model import FAILED_STATUSES, NULL, SENTINEL
from bench.stats.exact import Floats, median_ci
from bench.stats.series import Series, attempted, block_values, series_of, usable

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NamedSeries:
    """One series with its name and the interval of its median.

    Attributes:
        series: The series with its block values.
        low: Lower end of the 95 % interval of the median, ``None`` when there are too few blocks.
        high: Upper end of the same interval.
        again: 2 for the second series whose name and parameters read the same, and so on.
    """

    series: Series
    low: float | None
    high: float | None
    again: int = 1

    @property
    def name(self) -> str:
        """Return ``scenario/target/metric``, followed by the parameters if there are any."""
        return "/".join([self.series.scenario, self.series.target, self.series.metric, *self.labels])

    @property
    def labels(self) -> list[str]:
        """Return the parameters as ``key=value``; what tells the series from another of this name comes last."""
        more = [f"({self.again})"] if self.again > 1 else []
        return [*(f"{key}={value}" for key, value in self.params.items()), *more]

    @property
    def params(self) -> dict[str, str]:
        """Return the parameters as text."""
        return {key: str(value) for key, value in json.loads(self.series.params).items()}

    @property
    def values(self) -> Floats:
        """Return the block values."""
        return self.series.values

    @property
    def median(self) -> float:
        """Return the median of the block values."""
        return float(np.median(self.values))

    @property
    def stats(self) -> dict[str, float]:
        """Return ``median``, and ``ci_low`` and ``ci_high`` where there is an interval."""
        ends = {} if self.low is None or self.high is None else {"ci_low": self.low, "ci_high": self.high}
        return {"median": self.median, **ends}


def started(run: store.Run) -> datetime | None:
    """Return when a run began by its host's clock, UTC; ``None`` where it does not say it."""
    try:
        began = datetime.fromisoformat(str(run.meta["started_at"]))
    except (KeyError, ValueError):
        return None
    return began.replace(tzinfo=began.tzinfo or UTC).astimezone(UTC)


def named_series(run: store.Run) -> Iterator[NamedSeries]:
    """Yield every series of a run except those of the controls; no two have the same name or the same labels."""
    yield from named(store.measurements(run, coded=True), store.outcomes(run))


def named(measurements: pd.DataFrame, outcomes: pd.DataFrame) -> Iterator[NamedSeries]:
    """Yield the same of the lines of a run that were read already."""
    blocks = block_values(usable(measurements, outcomes))
    taken: set[tuple[str, ...]] = set()
    for one in series_of(blocks).values():
        if one.target not in (NULL, SENTINEL):
            ci = median_ci(one.values)
            found = NamedSeries(one, ci.low if ci else None, ci.high if ci else None)
            while taken & (names := _names(found)):
                found = replace(found, again=found.again + 1)
            taken |= names
            yield found


def _names(one: NamedSeries) -> set[tuple[str, ...]]:
    """Return what exports tell a series by: its name, its labels, and its name without the metric beside the metric."""
    scenario, target, metric = one.series.scenario, one.series.target, one.series.metric
    return {
        (one.name,),
        (scenario, target, metric, ",".join(one.labels)),
        ("/".join([scenario, target, *one.labels]), metric),
    }


def recorded(run: store.Run, one: NamedSeries) -> dict[str, Any]:
    """Return what a format without fields for it has to carry of a series, so that an import gives the same series."""
    series = one.series
    return {
        "scenario": series.scenario,
        "target": series.target,
        "engine": series.engine,
        "metric": series.metric,
        "params": json.loads(series.params),
        "blocks": series.blocks.tolist(),
        "baseline": _scenario(run, series.scenario).get("baseline", ""),
    }


def failed(run: store.Run) -> list[dict[str, Any]]:
    """Return the failed attempts of a run, with the metric that each would have given first."""
    tried = attempted(store.outcomes(run))
    rows = (
        tried[tried["status"].isin(FAILED_STATUSES) & ~tried["target"].isin((NULL, SENTINEL))] if len(tried) else tried
    )
    columns = ["scenario", "target", "engine", "block", "status", "reason", "params"]
    found: list[dict[str, Any]] = []
    for values in rows[columns].itertuples(index=False, name=None):
        row = dict(zip(columns, values, strict=True))
        scenario = _scenario(run, row["scenario"])
        if primary := [name for name in scenario.get("primary", ()) if name in METRICS and METRICS[name].unit == "s"]:
            known = {"metric": primary[0], "baseline": scenario.get("baseline", "")}
            found.append({**row, **known, "params": json.loads(row["params"])})
    return found


def _scenario(run: store.Run, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = run.meta["scenarios"].get(name, {})
    return found


def quartiles(values: Floats) -> tuple[float, float]:
    """Return the first and third quartile (linear interpolation), in the unit of the values."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(low), float(high)


def deviation(values: Floats) -> float:
    """Return the sample standard deviation in the unit of the values, 0 for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def finite(value: float) -> float | None:
    """Return the value, or ``None`` when it is NaN or infinite, which JSON cannot represent."""
    return value if math.isfinite(value) else None
