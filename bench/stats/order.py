"""Weigh claims about an order, "host ≥ macvlan ≥ bridge": each pair and the whole, by ratios within blocks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import pandas as pd

from bench.core.metrics import metric_named
from bench.core.model import Interval, ParamValue, Skipped, Status
from bench.stats.exact import needed_for, signed_rank
from bench.stats.series import Key, Series, block_values, log_ratios, series_of, usable

ERROR = 0.05
"""Upper limit of the probability that a true order is called contradicted.

Any of its k pairs of neighbours can contradict it, on one side only, so each interval has level 1 - 2 · 0.05 / k (Bonferroni).
"Holds" needs all pairs, and is therefore no more likely to be wrong than a single pair (Berger, 1982).
"""


class OrderVerdict(StrEnum):
    """What the samples say of a claimed order or of one of its pairs."""

    HOLDS = "holds"
    CONTRADICTED = "contradicted"
    NOT_DECIDED = "not decided"
    NOT_MEASURED = "not measured"


class Absence(StrEnum):
    """Why a step of an order has no value."""

    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    SKIPPED = "skipped"
    NO_VALUE = "no value"
    NOT_IN_RUN = "not in run"


class Undivided(StrEnum):
    """Why two steps that were measured have no ratio."""

    ZERO = "zero"
    NO_COMMON_BLOCK = "no common block"


@dataclass(frozen=True)
class Step:
    """One place of an order: its name, and the spellings of the target that stands there (the first one measured)."""

    name: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """One claim: in ``scenario``, by ``metric`` (whose direction the registry knows), the best step comes first."""

    scenario: str
    metric: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Missing:
    """A target of a step without a value; ``reason`` is the recorded one, empty where none was recorded."""

    target: str
    absence: Absence
    reason: str = ""


@dataclass(frozen=True)
class PairFound:
    """One pair of an order.

    Attributes:
        better: Name of the step that is claimed to be at least as good.
        worse: Name of the other one.
        neighbours: Whether nothing that was measured stands between them.
        level: Level of the interval.
        needed: Blocks that an interval of this level needs.
        verdict: What the samples say of it.
        missing: The steps of the pair that have no value.
        undivided: Why there is no ratio although both have values.
        ratio: How many times as good ``better`` is (above 1: as claimed), ``None`` when it was not measured.
        ci: Its interval, ``None`` with too few blocks.
        n: Blocks that both have.
    """

    better: str
    worse: str
    neighbours: bool
    level: float
    needed: int
    verdict: OrderVerdict = OrderVerdict.NOT_MEASURED
    missing: tuple[Missing, ...] = ()
    undivided: Undivided | None = None
    ratio: float | None = None
    ci: Interval | None = None
    n: int = 0


@dataclass(frozen=True)
class OrderFound:
    """One claimed order under one set of params.

    Attributes:
        order: The claim.
        params: Under which it was measured (``{"streams": 1, "direction": "out"}``).
        verdict: What the samples say of the whole.
        pairs: All pairs, neighbours first.
        missing: The steps that have no value.
    """

    order: Order
    params: Mapping[str, ParamValue]
    verdict: OrderVerdict
    pairs: tuple[PairFound, ...]
    missing: tuple[Missing, ...]

    @property
    def grounds(self) -> list[PairFound]:
        """The pairs that the verdict stands on, those with a missing step left out."""
        if self.verdict is OrderVerdict.CONTRADICTED:
            chosen = [pair for pair in self.pairs if pair.neighbours and pair.verdict is self.verdict]
        else:
            contradicted = OrderVerdict.CONTRADICTED
            chosen = [pair for pair in self.pairs if pair.neighbours or pair.verdict is contradicted]
        return [pair for pair in chosen if not pair.missing]


def orders(
    measurements: pd.DataFrame, outcomes: pd.DataFrame, skipped: Iterable[Skipped], claims: Sequence[Order]
) -> list[OrderFound]:
    """Weigh every claim about a scenario of the run, once for each set of params that any of its steps was measured with.

    The frames are those of :mod:`bench.store`; ``skipped`` is :func:`bench.store.skipped` and says why a step was not measured.
    """
    left_out = list(skipped)
    present = set(outcomes["scenario"]) | {item.scenario for item in left_out} if len(outcomes) else set()
    series = series_of(block_values(usable(measurements, outcomes)))
    found = []
    for order in claims:
        if order.scenario in present:
            absent = {step: _missing(order, step, outcomes, left_out) for step in order.steps}
            found += [_weigh(order, params, series, absent) for params in _params(order, series)]
    return found


def _params(order: Order, series: Mapping[Key, Series]) -> list[str]:
    """Return the sets of params under which any step was measured, as JSON text; the empty set when nothing was."""
    targets = {target for step in order.steps for target in step.targets}
    keys = [key for key in series if (key[0], key[3]) == (order.scenario, order.metric) and key[1] in targets]
    return sorted({params for _, _, params, _ in keys}) or ["{}"]


def _missing(order: Order, step: Step, outcomes: pd.DataFrame, skipped: Sequence[Skipped]) -> Missing:
    """Return why a step has no value, provided that it has none."""
    for item in skipped:
        if item.scenario == order.scenario and item.target in step.targets:
            return Missing(item.target, Absence.UNAVAILABLE, item.reason)
    mine = outcomes[(outcomes["scenario"] == order.scenario) & outcomes["target"].isin(step.targets)]
    for target, status, reason in mine[["target", "status", "reason"]].itertuples(index=False):
        if status != Status.OK:
            return Missing(target, Absence.SKIPPED if status == Status.SKIPPED else Absence.FAILED, reason)
    return Missing(step.targets[0], Absence.NO_VALUE if len(mine) else Absence.NOT_IN_RUN)


def _weigh(order: Order, params: str, series: Mapping[Key, Series], absent: Mapping[Step, Missing]) -> OrderFound:
    having: dict[Step, Series] = {}
    for step in order.steps:
        for target in step.targets:
            found = series.get((order.scenario, target, params, order.metric))
            if found is not None:
                having.setdefault(step, found)
    level = 1 - 2 * ERROR / max(len(having) - 1, 1)
    pairs = [_pair(order, pair, having, absent, level) for pair in combinations(order.steps, 2)]
    pairs.sort(key=lambda pair: not pair.neighbours)
    missing = tuple(absent[step] for step in order.steps if step not in having)
    return OrderFound(order, json.loads(params), _whole(pairs), tuple(pairs), missing)


def _whole(pairs: Sequence[PairFound]) -> OrderVerdict:
    """Decide the whole: one pair of neighbours contradicts it; it holds when all do and no wider pair is contradicted."""
    of_neighbours = {pair.verdict for pair in pairs if pair.neighbours}
    for verdict in (OrderVerdict.CONTRADICTED, OrderVerdict.NOT_MEASURED):
        if verdict in of_neighbours:
            return verdict
    contradicted = any(pair.verdict is OrderVerdict.CONTRADICTED for pair in pairs)
    holds = of_neighbours == {OrderVerdict.HOLDS} and not contradicted
    return OrderVerdict.HOLDS if holds else OrderVerdict.NOT_DECIDED


def _pair(
    order: Order,
    pair: tuple[Step, Step],
    having: Mapping[Step, Series],
    absent: Mapping[Step, Missing],
    level: float,
) -> PairFound:
    better, worse = pair
    between = order.steps[order.steps.index(better) + 1 : order.steps.index(worse)]
    neighbours = not any(step in having for step in between)
    same = (better.name, worse.name, neighbours, level, needed_for(level))
    if missing := tuple(absent[step] for step in pair if step not in having):
        return PairFound(*same, missing=missing)
    logs = log_ratios(having[better], having[worse])
    if logs is None or not len(logs):
        return PairFound(*same, undivided=Undivided.ZERO if logs is None else Undivided.NO_COMMON_BLOCK)
    known = metric_named(order.metric)
    logs = logs if known.better == "higher" else -logs
    centre, ci = signed_rank(logs, level)
    scaled = Interval(math.exp(ci.low), math.exp(ci.high), level) if ci else None
    ratio = math.exp(centre)
    return PairFound(*same, verdict=_decide(ratio, scaled, known.min_effect), ratio=ratio, ci=scaled, n=len(logs))


def _decide(ratio: float, ci: Interval | None, min_effect: float) -> OrderVerdict:
    """Decide "at least as good": being behind counts only from the metric's smallest effect on."""
    behind = 1 / (1 + min_effect)
    if ci is None:
        return OrderVerdict.NOT_DECIDED
    if ci.low >= behind:
        return OrderVerdict.HOLDS
    return OrderVerdict.CONTRADICTED if ci.high < 1 and ratio <= behind else OrderVerdict.NOT_DECIDED
