"""Divide one series by another block by block."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.core.model import Interval
from bench.stats.exact import signed_rank
from bench.stats.series import Series, log_ratios

LEVEL = 0.95


@dataclass(frozen=True)
class Times:
    """Hodges-Lehmann ratio of two series, its interval, and the number of blocks that both have."""

    ratio: float
    ci: Interval | None
    n: int

    @property
    def sure(self) -> bool:
        """Whether the interval excludes 1."""
        return self.ci is not None and not self.ci.low <= 1 <= self.ci.high

    @property
    def exact(self) -> bool:
        """Whether the ratio was the same in every block, as it mostly is for bytes and layers."""
        return self.ci is not None and self.ci.low == self.ci.high

    def inverse(self) -> Times:
        """Return the inverse ratio."""
        ci = Interval(1 / self.ci.high, 1 / self.ci.low, self.ci.level) if self.ci else None
        return Times(1 / self.ratio, ci, self.n)


def ratio(above: Series | None, below: Series | None) -> Times | None:
    """Divide the values of common blocks; ``None`` without a common block or when a value is not positive."""
    logs = log_ratios(above, below) if above and below else None
    if logs is None or not len(logs):
        return None
    centre, ci = signed_rank(logs, LEVEL)
    scaled = Interval(math.exp(ci.low), math.exp(ci.high), ci.level) if ci else None
    return Times(math.exp(centre), scaled, len(logs))
