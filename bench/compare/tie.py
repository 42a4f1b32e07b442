"""What ties the two sides of a comparison: their blocks within one run, the sentinel between two."""

from __future__ import annotations

import math

from bench.compare.side_cache import SideData
from bench.compare.verdicts import Tie, TieKind
from bench.core.model import Interval
from bench.stats.series import Key
from bench.stats.shift import shift, shift_ci


class Sentinels:
    """Estimates the sentinel's log ratio between two unpaired sides, for each series over its own runs."""

    def __init__(self, base: SideData, new: SideData, *, paired: bool) -> None:
        self.paired = paired
        self._base, self._new = base, new
        self._found: dict[tuple[str, ...], Interval | None] = {}

    def of(self, key: Key) -> Interval | None:
        """Return the interval of the sentinel's log ratio for one series of the base; ``None`` when nothing ties it."""
        runs = self._base.parts.get(key, self._base.runs)
        if self.paired:
            return None
        if runs not in self._found:
            self._found[runs] = self._between(runs)
        return self._found[runs]

    def _between(self, runs: tuple[str, ...]) -> Interval | None:
        base, new = self._base.sentinel(runs), self._new.sentinel(self._new.runs)
        return shift_ci(new, base) if len(base) and len(new) else None

    def tie(self) -> Tie:
        """Return how strong the comparison is."""
        if self.paired:
            return Tie(TieKind.PAIRED)
        runs = self._base.runs
        kind = TieKind.SEVERAL_RUNS if len(runs) > 1 else TieKind.TWO_RUNS
        kind = TieKind.ONE_IMPORT if runs == self._new.runs else kind
        base, new = self._base.sentinel(runs), self._new.sentinel(self._new.runs)
        blocks, interval = (len(base), len(new)), self._between(runs)
        if interval is None:
            return Tie(kind, len(runs), blocks)
        scaled = Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
        return Tie(kind, len(runs), blocks, math.exp(shift(new, base)), scaled)
