"""What all formats start from: the series of a run, their values and their names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench import store
from bench.core.model import NULL, SENTINEL, Summary
from bench.stats.exact import Floats, median_ci
from bench.stats.series import Series, block_values, series_of, usable
from bench.stats.summaries import summarise


@dataclass(frozen=True)
class Named:
    """One series with its summary's numbers.

    Attributes:
        series: Its block values.
        low: Lower end of the median's 95 % interval, ``None`` for too few blocks; ``high`` the upper end.
    """

    series: Series
    low: float | None
    high: float | None

    @property
    def name(self) -> str:
        """``scenario/target/metric``, and its parameters where it has any: what every tool shows."""
        return "/".join([self.series.scenario, self.series.target, self.series.metric, *self.words])

    @property
    def words(self) -> list[str]:
        """Parameters as ``key=value``."""
        return [f"{key}={value}" for key, value in self.params.items()]

    @property
    def params(self) -> dict[str, str]:
        """Parameters as text."""
        return {key: str(value) for key, value in json.loads(self.series.params).items()}

    @property
    def values(self) -> Floats:
        """The block values."""
        return self.series.values

    @property
    def median(self) -> float:
        """Their median."""
        return float(np.median(self.values))


def named(run: store.Run) -> Iterator[Named]:
    """Yield every series of a run; controls are left out, they are no result."""
    blocks = block_values(usable(store.measurements(run), store.outcomes(run)))
    for one in series_of(blocks).values():
        if one.target not in (NULL, SENTINEL):
            ci = median_ci(one.values)
            yield Named(one, ci.low if ci else None, ci.high if ci else None)


def summaries(run: store.Run) -> list[Summary]:
    """Return the summaries of a run."""
    return summarise(store.measurements(run), store.outcomes(run), run.meta["scenarios"])


def quartiles(values: Floats) -> tuple[float, float]:
    """Return the first and third quartile (linear interpolation)."""
    low, high = np.quantile(values, (0.25, 0.75))
    return float(low), float(high)


def deviation(values: Floats) -> float:
    """Return the sample's standard deviation, 0 for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def finite(value: float) -> float | None:
    """Return a number that JSON can hold, ``None`` for one that it cannot."""
    return value if math.isfinite(value) else None
