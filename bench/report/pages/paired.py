"""One series divided by another block by block, where the other one is not the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench import stats
from bench._series import log_ratios
from bench.model import Interval, ParamValue, Summary
from bench.report.data import ScenarioData, Variant
from bench.report.table import NONE, Cell, interval_text, ratio_text
from bench.units import METRICS


@dataclass(frozen=True)
class Times:
    """How many times as much: Hodges-Lehmann ratio, its interval, and the blocks that both have."""

    ratio: float
    ci: Interval | None
    n: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves 1 out."""
        return self.ci is not None and not self.ci.low <= 1 <= self.ci.high

    @property
    def text(self) -> str:
        """Ratio and interval on one line."""
        return ratio_text(self.ratio) + (f" [{interval_text(self.ci, 'ratio')}]" if self.ci else "")


@dataclass(frozen=True)
class Quantity:
    """One thing that is measured: metric, params beside the variant's, and what to call it."""

    metric: str
    more: Mapping[str, ParamValue]
    title: str

    def of(self, data: ScenarioData, row: Variant | None) -> Summary | None:
        """Return a variant's series, only when it has a value."""
        found = data.summary(row, self.metric, **self.more) if row else None
        return found if found and found.median is not None else None


def times(data: ScenarioData, above: Variant | None, below: Variant | None, what: Quantity) -> Times | None:
    """Divide two variants' values of the same blocks; ``None`` without a common block or where a value is not positive."""
    if above is None or below is None:
        return None
    upper, lower = (data.series(row, what.metric, **what.more) for row in (above, below))
    logs = log_ratios(upper, lower) if upper and lower else None
    if logs is None or not len(logs):
        return None
    ci = stats.signed_rank_ci(logs, stats.LEVEL)
    return Times(math.exp(stats.hodges_lehmann(logs)), _exp(ci), len(logs))


def cost(data: ScenarioData, above: Variant | None, below: Variant | None, what: Quantity) -> Times | None:
    """Do the same so that more is always worse: of what is better when it is higher, the inverse."""
    return _turned(times(data, above, below, what), what.metric)


def cost_to_baseline(data: ScenarioData, row: Variant | None, what: Quantity) -> Times | None:
    """Return the summary's ratio to the baseline so that more is always worse; ``None`` for the baseline itself."""
    found = what.of(data, row)
    if found is None or not found.ratio or found.target == data.baseline:
        return None
    return _turned(Times(found.ratio, found.ratio_ci, found.ratio_n), what.metric)


def cell(found: Times | None) -> Cell:
    """Write a ratio with its interval."""
    return Cell(NONE) if found is None else Cell(ratio_text(found.ratio), interval_text(found.ci, "ratio"))


def turned(what: Quantity) -> bool:
    """Say whether a quantity is a rate, so that its ratio is turned round."""
    return what.metric in METRICS and METRICS[what.metric].better == "higher"


def _turned(found: Times | None, metric: str) -> Times | None:
    if found is None or metric not in METRICS or METRICS[metric].better == "lower":
        return found
    ci = Interval(1 / found.ci.high, 1 / found.ci.low, found.ci.level) if found.ci else None
    return Times(1 / found.ratio, ci, found.n)


def _exp(ci: Interval | None) -> Interval | None:
    return Interval(math.exp(ci.low), math.exp(ci.high), ci.level) if ci else None
