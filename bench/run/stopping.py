"""Decide when a scenario has enough blocks: a rule fixed beforehand that looks at precision only, never at a difference.

At least 8 blocks, then 4 more at a time, until the interval of every primary metric is narrow enough, there are 40, or the time
is up. Stopping on the width of an interval hardly changes its coverage (tests/benchmarks/test_stopping_rule.py); stopping at "no
regression yet" would. The reason is kept in ``run.json``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import store
from bench.core.clock import now_s
from bench.core.errors import UsageError
from bench.core.metrics import metric_named
from bench.core.model import NULL, SENTINEL, Invocation, Scenario, StopReason, Summary
from bench.stats.samples import of_frames
from bench.stats.summaries import precision, summarise

FIRST, STEP, MOST = 8, 4, 40
"""Blocks before the first look, blocks between two looks, and the largest number of blocks."""


@dataclass
class StoppingRule:
    """The stopping rule of one run.

    Attributes:
        precision: Relative half width of the intervals at which a scenario stops (0.05: ±5 %).
        budget_s: Time for all scenarios together, seconds; ``None`` for no limit. Each gets an equal part of the rest.
        folder: The run's folder.
        scenarios: The scenarios in their order.
        stopped: Scenario → blocks and reason (``precision``, ``budget`` or ``cap``).
    """

    precision: float
    budget_s: float | None
    folder: Path
    scenarios: Mapping[str, Scenario]
    stopped: dict[str, dict[str, str | int | float]] = field(default_factory=dict)
    _now: tuple[str, int] = ("", -1)
    _part: tuple[float, float] = (0.0, math.inf)

    def __post_init__(self) -> None:
        self._began_s = now_s()

    def wants(self, invocation: Invocation) -> bool:
        """Say whether an invocation is still needed; a block is measured as a whole or not at all."""
        if invocation.scenario in self.stopped:
            return False
        at = (invocation.scenario, invocation.block)
        if at != self._now:
            if invocation.scenario != self._now[0]:
                self._begin(invocation.scenario)
            self._now = at
            self._look(invocation)
        return invocation.scenario not in self.stopped

    def finish(self) -> dict[str, dict[str, str | int | float]]:
        """Return how each scenario stopped; one that ran to its end reached the cap."""
        for name, scenario in self.scenarios.items():
            self.stopped.setdefault(name, {"blocks": scenario.blocks, "reason": StopReason.CAP})
        return self.stopped

    def _begin(self, name: str) -> None:
        names = list(self.scenarios)
        left = len(names) - names.index(name)
        rest = math.inf if self.budget_s is None else max(0.0, self.budget_s - (now_s() - self._began_s))
        self._part = (now_s(), rest / left)

    def _look(self, invocation: Invocation) -> None:
        done = invocation.block - self.scenarios[invocation.scenario].warmup_blocks
        spent = now_s() - self._part[0]
        if done >= 1 and spent * (done + 1) / done > self._part[1]:
            self.stopped[invocation.scenario] = {"blocks": done, "reason": StopReason.BUDGET}
        elif done >= FIRST and (done - FIRST) % STEP == 0:
            half = self._half(invocation.scenario)
            if half <= self.precision:
                self.stopped[invocation.scenario] = {"blocks": done, "reason": StopReason.PRECISION, "half_width": half}

    def _half(self, name: str) -> float:
        run = store.load(self.folder)
        found = summarise(of_frames(store.measurements(run), store.outcomes(run), run.meta["scenarios"]))
        scenario = self.scenarios[name]
        return widest([one for one in found if one.scenario == name], scenario.baseline, scenario.primary)


def widest(summaries: Sequence[Summary], baseline: str, primary: Sequence[str]) -> float:
    """Return the largest relative half width over the primary series: of the ratio to the baseline, or else of the median.

    Infinite when a series has no interval, and when none has a value. Single series without a value are left out; a metric
    without noise has a half width of 0.
    """
    halves = [_half_of(one, baseline) for one in summaries if one.metric in primary and _decides(one)]
    return max(halves, default=math.inf)


def _decides(one: Summary) -> bool:
    return one.n > 0 and one.target not in (NULL, SENTINEL)


def _half_of(one: Summary, baseline: str) -> float:
    if metric_named(one.metric).exact:
        return 0.0
    if one.ratio_ci is not None and one.target != baseline and one.ratio_ci.low > 0:
        return math.log(one.ratio_ci.high / one.ratio_ci.low) / 2
    found = precision(one)
    return math.inf if found is None else found


def duration(text: str) -> float:
    """Convert ``90s``, ``10m`` or ``2h`` to seconds.

    Raises:
        UsageError: The text is none of these, or not above 0.
    """
    factor = {"s": 1, "m": 60, "h": 3600}.get(text.strip()[-1:], 0)
    try:
        value = float(text.strip()[:-1]) * factor
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        msg = f"'{text}' is not a duration: write 90s, 10m or 2h, above 0"
        raise UsageError(msg)
    return value
