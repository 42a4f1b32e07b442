"""The named series of a run, from which all exports of block values start."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench import store
from bench.core.model import NULL, SENTINEL
from bench.stats.exact import Floats, median_ci
from bench.stats.series import Series, block_values, series_of, usable


@dataclass(frozen=True)
class NamedSeries:
    """One series with its name and the interval of its median.

    Attributes:
        series: The series with its block values.
        low: Lower end of the 95 % interval of the median, ``None`` when there are too few blocks.
        high: Upper end of the same interval.
    """

    series: Series
    low: float | None
    high: float | None

    @property
    def name(self) -> str:
        """Return ``scenario/target/metric``, followed by the parameters if there are any."""
        return "/".join([self.series.scenario, self.series.target, self.series.metric, *self.labels])

    @property
    def labels(self) -> list[str]:
        """Return the parameters as ``key=value``."""
        return [f"{key}={value}" for key, value in self.params.items()]

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


def named_series(run: store.Run) -> Iterator[NamedSeries]:
    """Yield every series of a run except those of the controls."""
    blocks = block_values(usable(store.measurements(run), store.outcomes(run)))
    for one in series_of(blocks).values():
        if one.target not in (NULL, SENTINEL):
            ci = median_ci(one.values)
            yield NamedSeries(one, ci.low if ci else None, ci.high if ci else None)


def quartiles(values: Floats) -> tuple[float, float]:
    """Return the first and third quartile (linear interpolation)."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(low), float(high)


def deviation(values: Floats) -> float:
    """Return the sample standard deviation, 0 for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def finite(value: float) -> float | None:
    """Return the value, or ``None`` when it is NaN or infinite, which JSON cannot represent."""
    return value if math.isfinite(value) else None
