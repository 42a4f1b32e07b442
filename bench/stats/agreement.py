"""Compare the figures that a run has of one quantity: from two scenarios, or from two metrics.

A metric declares of what quantity it is a figure (:class:`bench.core.metrics.Quantity`). Two figures of the same target under the
same parameters are of one thing, so each must lie within the uncertainty of the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from bench.core.metrics import METRICS, Metric, Quantity
from bench.core.model import NULL, SENTINEL, Interval, Status
from bench.stats.exact import median_ci, needed_for
from bench.stats.findings import AgreementFound, Answer, Check, CheckName, Figure, FigurePair, SeriesName
from bench.stats.series import Key, Series

LEVEL = 0.95
"""Level of each figure's interval. Two of them that are apart are a difference at a level far above it."""


@dataclass(frozen=True)
class _Given:
    """What a figure is of: the quantity's name, the target, and the values of the parameters that it depends on."""

    quantity: str
    target: str
    values: str


def agreement(series: Mapping[Key, Series], tried: pd.DataFrame, names: Sequence[str]) -> Iterator[Check]:
    """Yield the check of each scenario that has a figure of something that an earlier one, or another metric of it, has as well.

    ``tried`` are the run's attempts (:func:`bench.stats.series.attempted`), ``names`` its scenarios in order.
    """
    of = _Variants(tried)
    earlier: dict[_Given, list[Figure]] = {}
    for name in names:
        mine: dict[_Given, list[Figure]] = {}
        for item in series.values():
            if item.scenario == name and (one := _figure(item, series, of)):
                mine.setdefault(one[0], []).append(one[1])
        pairs = [pair for given, figures in mine.items() for pair in _pairs(figures, earlier.get(given, ()))]
        for given, figures in mine.items():
            earlier.setdefault(given, []).extend(figures)
        if pairs:
            yield Check(CheckName.AGREEMENT, name, _answer(pairs), AgreementFound(tuple(pairs), needed_for(LEVEL)))


def _answer(pairs: Sequence[FigurePair]) -> Answer:
    if any(pair.apart for pair in pairs):
        return Answer.DOUBT
    return Answer.FINE if any(pair.decided for pair in pairs) else Answer.UNDECIDED


def _pairs(mine: Sequence[Figure], before: Sequence[Figure]) -> Iterator[FigurePair]:
    own = [
        (one, two) for place, one in enumerate(mine) for two in mine[:place] if one.series.metric != two.series.metric
    ]
    for one, two in (*own, *product(mine, before)):
        yield FigurePair(one, two, decided=bool(one.ci and two.ci), apart=_are_apart(one, two))


def _are_apart(one: Figure, two: Figure) -> bool:
    """Say whether the intervals do not overlap and the difference is large enough to count for both metrics."""
    if one.ci is None or two.ci is None or (one.ci.low <= two.ci.high and two.ci.low <= one.ci.high):
        return False
    difference = abs(one.value - two.value)
    known = [METRICS[figure.series.metric] for figure in (one, two)]
    least = min(abs(one.value), abs(two.value))
    return all(difference > max(metric.floor, metric.min_effect * least) for metric in known)


def _figure(item: Series, series: Mapping[Key, Series], of: _Variants) -> tuple[_Given, Figure] | None:
    """Return what a series is a figure of and the figure; ``None`` if its metric, target or parameters are of no such kind."""
    known = METRICS.get(item.metric)
    if known is None or known.exact or known.added_from or item.target in (NULL, SENTINEL) or not len(item.values):
        return None
    own: dict[str, Any] = json.loads(item.params)
    given = _given(known, {**of.in_force(item, own), **own})
    if given is None:
        return None
    name = SeriesName(item.target, item.metric, item.params)
    figure = Figure(
        item.scenario, name, float(np.median(item.values)), _interval(item, series, known.quantity), item.unit
    )
    quantity = known.quantity.name if known.quantity else item.metric
    return _Given(quantity, item.target, json.dumps(given, sort_keys=True)), figure


def _given(known: Metric, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parameters that the quantity depends on; all of them where the metric declares no quantity."""
    if known.quantity is None:
        return dict(parameters)
    if any(parameters.get(name) != value for name, value in known.quantity.where.items()):
        return None
    return {name: parameters.get(name, value) for name, value in known.quantity.given.items()}


class _Variants:
    """The variants of a run's targets, with every parameter that was in force."""

    def __init__(self, tried: pd.DataFrame) -> None:
        self._found: dict[tuple[str, str], list[tuple[dict[str, Any], dict[str, Any]]]] = {}
        if tried.empty or "in_force" not in tried:
            return
        well = tried[tried["status"] == Status.OK].drop_duplicates(["scenario", "target", "params"])
        for scenario, target, params, force in well[["scenario", "target", "params", "in_force"]].itertuples(
            index=False
        ):
            known = dict(force) if isinstance(force, Mapping) else {}
            self._found.setdefault((str(scenario), str(target)), []).append((json.loads(params), known))

    def in_force(self, item: Series, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters in force where a series with its ``own`` parameters was measured."""
        of_target = self._found.get((item.scenario, item.target), ())
        return next((force for named, force in of_target if all(own.get(k, v) == v for k, v in named.items())), {})


def _interval(item: Series, series: Mapping[Key, Series], quantity: Quantity | None) -> Interval | None:
    """Return the interval of the median over the blocks, widened to the figure's own (that of a fit) where it has one."""
    over_blocks = median_ci(item.values, LEVEL)
    ends = [series.get((*item.key[:3], name)) for name in (quantity.ends if quantity else ())]
    own = [float(np.median(end.values)) for end in ends if end is not None and len(end.values)]
    low = [*([over_blocks.low] if over_blocks else []), *own]
    high = [*([over_blocks.high] if over_blocks else []), *own]
    return Interval(min(low), max(high), LEVEL) if over_blocks or len(own) == 2 else None
