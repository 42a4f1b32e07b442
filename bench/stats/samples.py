"""What one run measured, in the forms that summaries, checks and claims need; each is computed once, when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from bench.stats.findings import PositionEffect
from bench.stats.layers import with_added
from bench.stats.position import position_effects
from bench.stats.series import Key, Series, attempted, block_values, series_of, usable


@dataclass(frozen=True, eq=False)
class Samples:
    """The measurements of one run and how its invocations ended.

    Attributes:
        values: The frame of :func:`bench.stats.series.usable`.
        outcomes: The frame of :func:`bench.store.outcomes`.
        scenarios: The object of that name in ``run.json``.
    """

    values: pd.DataFrame
    outcomes: pd.DataFrame
    scenarios: Mapping[str, Mapping[str, Any]]

    @cached_property
    def tried(self) -> pd.DataFrame:
        """The outcomes that count as attempts."""
        return attempted(self.outcomes)

    @cached_property
    def blocks(self) -> pd.DataFrame:
        """One value a series and block."""
        return block_values(self.values)

    @cached_property
    def series(self) -> Mapping[Key, Series]:
        """The series of those."""
        return series_of(self.blocks)

    @cached_property
    def effects(self) -> Mapping[tuple[str, str], PositionEffect]:
        """(scenario, primary metric) → how the place within a block moves it; metrics computed from others included."""
        return position_effects(self.layered.blocks, self.scenarios)

    @cached_property
    def layered(self) -> Samples:
        """The same samples with those that are computed from others (:mod:`bench.stats.layers`)."""
        more = with_added(self.values, self.scenarios)
        return self if more is self.values else Samples(more, self.outcomes, self.scenarios)


def of_frames(
    measurements: pd.DataFrame, outcomes: pd.DataFrame, scenarios: Mapping[str, Mapping[str, Any]]
) -> Samples:
    """Return the samples of a run, whose frames are those of :mod:`bench.store`."""
    return Samples(usable(measurements, outcomes), outcomes, scenarios)
