"""One run against another, or two targets of one run: which series changed, by how much, and how sure that is.

Two targets of one run are paired block by block: whatever the host did, it did to both (the strong way). Two runs are not (the
weak way): only the sentinel ties them, and what it says of the host widens every interval. Method and sources: docs/method.md.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench import _judge, _rates, stats, store, units
from bench._exact import Floats
from bench._series import SENTINEL, Key, Series, attempted, block_values, series_of, usable
from bench._shift import false_discovery, shift, shift_ci
from bench._sides import Side, are_paired, differences, find_side
from bench.errors import UsageError
from bench.model import Comparison, Interval, Status, Verdict

__all__ = ["Compared", "Side", "compare", "find_side"]

_DRIFT_LIMIT = math.log(1.1)
"""A host whose fixed workload takes a tenth more or less cannot be compared across runs at all."""

_SEVERITY = list(Verdict)


@dataclass(frozen=True)
class Compared:
    """A whole comparison.

    Attributes:
        base: Name of the base.
        new: Name of the new side.
        paired: Whether the two sides share their blocks.
        results: Every series that both have.
        notes: What must be read with it: how strong it is, what only one side has, what was forced.
    """

    base: str
    new: str
    paired: bool
    results: Sequence[Comparison]
    notes: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        """1 when something regressed, 5 when the host was too noisy to decide (anything or a whole scenario), else 0."""
        verdicts = {one.verdict for one in self.results}
        if Verdict.REGRESSED in verdicts:
            return 1
        undecided = verdicts <= {Verdict.INCONCLUSIVE, Verdict.INVALID}
        return 5 if Verdict.INVALID in verdicts or undecided else 0


@dataclass
class _Half:
    """What is computed once of a side."""

    side: Side
    series: Mapping[Key, Series] = field(default_factory=dict)
    tried: pd.DataFrame = field(default_factory=pd.DataFrame)
    doubts: Mapping[str, str] = field(default_factory=dict)
    late: Mapping[tuple[str, str], int] = field(default_factory=dict)


def compare(base: Side, new: Side, *, threshold: float | None = None, force: bool = False) -> Compared:
    """Compare every series that both sides have.

    ``threshold`` is the smallest relative change that counts, instead of the metric registry's. ``force`` compares what
    should not be compared, and says so.

    Raises:
        UsageError: The two cannot be compared, or have nothing in common.
    """
    paired = are_paired(base, new)
    strange = [] if paired else differences(base.run, new.run)
    if strange and not force:
        msg = (
            f"the runs differ in what is not compared: {'; '.join(strange)}; compare runs of the same host and workload, "
            "or use --force, which labels the result"
        )
        raise UsageError(msg)
    halves = (_half(base, paired=paired), _half(new, paired=paired))
    drift, notes = _drift(halves, paired=paired)
    results = _results(halves, paired=paired, drift=drift, threshold=threshold)
    if not results:
        msg = f"'{base.name}' and '{new.name}' have no series in common: {_only(halves) or 'neither has any'}"
        raise UsageError(msg)
    forced = [f"FORCED: {text}" for text in strange]
    return Compared(base.name, new.name, paired, results, [*forced, *notes, *filter(None, [_only(halves)])])


def _half(one: Side, *, paired: bool) -> _Half:
    measurements, outcomes = store.measurements(one.run), store.outcomes(one.run)
    scenarios = one.run.meta["scenarios"]
    # A drift within a run moves both halves of a pair; of two runs it moves one.
    deciding = {"null", "position"} | (set() if paired else {"sentinel"})
    checks = stats.checks(measurements, outcomes, scenarios)
    doubts = {check.scenario: check.sentence for check in checks if not check.ok and check.name in deciding}
    tried = attempted(outcomes)
    over = tried[tried["status"] == Status.TIMEOUT] if len(tried) else tried
    late = Counter(zip(map(str, over["scenario"]), map(str, over["target"]), strict=True))
    return _Half(one, series_of(block_values(usable(measurements, outcomes))), tried, doubts, late)


def _drift(halves: tuple[_Half, _Half], *, paired: bool) -> tuple[Interval | None, list[str]]:
    """Return the interval of the sentinel's log ratio between two runs, and what is to be said of it."""
    if paired:
        return None, ["paired block by block within one run"]
    base, new = (_sentinel(half) for half in halves)
    interval = shift_ci(new, base) if len(base) and len(new) else None
    if interval is None:
        sides = f"{len(base)} and {len(new)} blocks have it"
        return None, [
            f"two runs, not paired, and no sentinel ties them ({sides}): a host that changed cannot be told apart"
        ]
    ratio, low, high = (units.significant(math.exp(x), 4) for x in (shift(new, base), interval.low, interval.high))
    text = f"two runs, not paired: tied by the sentinel alone, new ÷ base {ratio} [{low}, {high}]"
    return interval, [f"{text}; every interval is widened by it"]


def _sentinel(half: _Half) -> Floats:
    values = [one.values for one in half.series.values() if one.target == SENTINEL and one.metric == "sentinel.work_s"]
    whole = np.concatenate(values) if values else np.empty(0)
    logs: Floats = np.log(whole[whole > 0])
    return logs


def _results(
    halves: tuple[_Half, _Half], *, paired: bool, drift: Interval | None, threshold: float | None
) -> list[Comparison]:
    found = [
        (item, metric, _judge.estimate(_samples(halves, item, other, paired=paired), metric, drift))
        for item, other, metric in _common(halves)
    ]
    base, new = halves
    rates = list(_rates.rates(base.tried, new.tried, (base.side.target, new.side.target)))
    q_values = _family(halves[1].side, found, rates)
    noisy = f"the sentinel says that the host changed by more than {round(100 * math.expm1(_DRIFT_LIMIT))} %"
    moved = drift is not None and abs(drift.low + drift.high) / 2 > _DRIFT_LIMIT
    made = [
        _comparison(
            item,
            metric,
            one,
            _judge.decide(one, metric, metric.min_effect if threshold is None else threshold, q),
            q=q,
            doubt="" if metric.exact else (noisy if moved else "") or _doubt(halves, item.scenario),
        )
        for (item, metric, one), q in zip(found, q_values[: len(found)], strict=True)
    ]
    made += [_rates.row(rate, q, _judge.LEVEL) for rate, q in zip(rates, q_values[len(found) :], strict=True)]
    return sorted(made, key=lambda one: _SEVERITY.index(one.verdict))


def _common(halves: tuple[_Half, _Half]) -> Iterator[tuple[Series, Series, units.Metric]]:
    """Yield new series, base series and metric of what both have; controls only when they are named."""
    base, new = halves
    for (scenario, target, params, metric), item in new.series.items():
        if target == SENTINEL or (new.side.target is None and target == "null"):
            continue
        if new.side.target not in (None, target):
            continue
        other = base.series.get((scenario, base.side.target or target, params, metric))
        if other is not None and metric in units.METRICS:
            yield item, other, units.METRICS[metric]


def _samples(halves: tuple[_Half, _Half], item: Series, other: Series, *, paired: bool) -> _judge.Samples:
    late = [half.late.get((one.scenario, one.target), 0) for half, one in zip(halves, (other, item), strict=True)]
    more = max(0, late[1] - late[0])
    if not paired:
        return _judge.Samples(item.values, other.values, paired=False, late=more)
    _, mine, theirs = np.intersect1d(item.blocks, other.blocks, assume_unique=True, return_indices=True)
    return _judge.Samples(item.values[mine], other.values[theirs], paired=True, late=more)


def _family(
    new: Side, found: Sequence[tuple[Series, units.Metric, _judge.Estimate]], rates: Sequence[_rates.Rate]
) -> list[float | None]:
    """Return q of each: metrics that decide are one family, the others and the failures a second one."""
    p_values: list[float | None] = [one.p for *_, one in found] + [rate.p for rate in rates]
    primary = {(name, metric) for name, meta in new.run.meta["scenarios"].items() for metric in meta["primary"]}
    first = [(item.scenario, item.metric) in primary for item, *_ in found] + [False] * len(rates)
    q_values: list[float | None] = [None] * len(p_values)
    for wanted in (True, False):
        places = [i for i, p in enumerate(p_values) if p is not None and first[i] is wanted]
        for place, q in zip(places, false_discovery([p_values[i] or 0.0 for i in places]), strict=True):
            q_values[place] = q
    return q_values


def _comparison(
    item: Series,
    metric: units.Metric,
    found: _judge.Estimate,
    decision: _judge.Decision,
    *,
    q: float | None,
    doubt: str,
) -> Comparison:
    samples, relative = found.samples, found.relative and found.centre is not None
    ci = found.ci if relative else None
    return Comparison(
        scenario=item.scenario,
        target=item.target,
        params=json.loads(item.params),
        metric=item.metric,
        unit=metric.unit,
        n=samples.n,
        base=float(np.median(samples.base)) if len(samples.base) else None,
        new=float(np.median(samples.new)) if len(samples.new) else None,
        ratio=math.exp(found.centre or 0.0) if relative else None,
        ci=Interval(math.exp(ci.low), math.exp(ci.high), ci.level) if ci else None,
        verdict=Verdict.INVALID if doubt else decision.verdict,
        mde=decision.mde,
        q=q,
        reason=doubt or decision.reason,
    )


def _doubt(halves: tuple[_Half, _Half], scenario: str) -> str:
    return next((half.doubts[scenario] for half in halves if scenario in half.doubts), "")


def _only(halves: tuple[_Half, _Half]) -> str:
    """Name the series that one side has alone, by scenario and metric."""
    if halves[0].side.target is not None:
        return ""
    names = [{(key[0], key[3]) for key in half.series if key[1] != SENTINEL} for half in halves]
    parts = []
    for word, mine, theirs in (("base", names[0], names[1]), ("new", names[1], names[0])):
        if alone := sorted(f"{scenario}: {metric}" for scenario, metric in mine - theirs):
            more = f" and {len(alone) - 5} more" if len(alone) > 5 else ""
            parts.append(f"only in the {word}: {', '.join(alone[:5])}{more}")
    return "; ".join(parts)
