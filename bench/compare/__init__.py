"""Compare one run with another, or two targets of one run: which series changed, by how much, and how sure that is.

Two targets of one run are paired block by block: whatever the host did, it did to both (the strong way). Two runs are not paired
(the weak way): only the sentinel ties them, and the drift that it shows widens every interval. Method: docs/method.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import numpy as np

from bench import store
from bench.compare import instrument, judge, parameters, products, rates
from bench.compare.doubts import doubted
from bench.compare.side_cache import SideData, pooled, side_data
from bench.compare.sides import (
    Side,
    are_paired,
    check_factors,
    difference_text,
    differences,
    engine_differences,
    find_side,
    unmatched_text,
    why_nothing,
)
from bench.compare.tie import Sentinels
from bench.compare.verdicts import Compared, Comparison, Reason, Unmatched, Verdict
from bench.core.errors import UsageError
from bench.core.metrics import METRICS, Metric
from bench.core.model import NULL, SENTINEL, Interval
from bench.stats.series import Key, Series
from bench.stats.shift import false_discovery

__all__ = ["Compared", "Comparison", "Reason", "Side", "Verdict", "compare", "find_side"]

_DRIFT_LIMIT = math.log(1.1)
"""A host whose fixed workload takes 10 % more or less time cannot be compared across runs at all."""

_SEVERITY = list(Verdict)


@dataclass(frozen=True)
class Rules:
    """How sure a comparison has to be.

    Attributes:
        threshold: Smallest relative change that counts; ``None`` uses each metric's own.
        level: Level of the intervals.
        correct: Whether "regressed" is corrected for the size of its family, as "improved" always is. Not needed where fresh
            blocks decide afterwards.
        products: Whether two targets that are two products are called slower and faster, not regressed and improved.
    """

    threshold: float | None = None
    level: float = judge.LEVEL
    correct: bool = True
    products: bool = True


def compare(
    base: Side, new: Side, rules: Rules = Rules(), *, factors: Collection[str] = (), force: bool = False
) -> Compared:
    """Compare every series that both sides have.

    ``factors`` are the facts of the host that are compared (``kernel``, …): two runs may differ in them and in nothing else.
    ``force`` compares runs that differ in other facts, too, and records those facts in ``forced``.

    Raises:
        UsageError: The two cannot be compared, or have no series in common.
    """
    paired = are_paired(base, new)
    check_factors(base.run, new.run, factors)
    apart = [] if paired else [*differences(base.run, new.run), *parameters.differing(base.run, new.run)]
    strange = tuple(one for one in apart if one.name not in factors)
    if strange and not force:
        msg = (
            f"the runs differ in more than what is compared: {'; '.join(map(difference_text, strange))}; compare runs of the "
            "same host, parameters and workload, name what is compared with --factor, or use --force, which labels the result"
        )
        raise UsageError(msg)
    sides = (side_data(base, paired=paired), side_data(new, paired=paired))
    sentinels = Sentinels(*sides, paired=paired)
    results, unmatched = _results(sides, sentinels, rules), _unmatched(sides)
    if not results:
        told = [*filter(None, map(why_nothing, (base, new)))]
        told = told or [unmatched_text(unmatched) or "their metrics or parameters differ"]
        msg = f"'{base.name}' and '{new.name}' have no series in common: {'; '.join(told)}"
        raise UsageError(msg)
    if rules.products and products.are_two(base, new):
        results = [products.between(one) for one in results]
    return Compared(
        base.name,
        new.name,
        results,
        sentinels.tie(),
        unmatched,
        forced=strange,
        factors=tuple(one for name in factors for one in apart if one.name == name),
        evidence=tuple(products.evidence_differences(*sides)),
        emulated=products.emulated(base, new),
        unrecorded=() if paired else parameters.unrecorded(base.run, new.run),
        unstamped=() if paired else instrument.unrecorded(base.run, new.run),
        engines=() if paired else tuple(engine_differences(base.run, new.run)),
        threshold=rules.threshold,
    )


def against(
    nights: Iterable[store.Run],
    new: Side,
    rules: Rules = Rules(),
    *,
    without: Mapping[str, AbstractSet[Key]],
) -> Compared | None:
    """Compare a run with several earlier ones of the same host, the newest first, as one base.

    Each series has the newest runs that may stand for it (:func:`bench.compare.side_cache.pooled`); with three or more of them
    its interval includes the spread between runs. ``None`` when no run can stand for anything.
    """
    mine = side_data(new, paired=False)
    seen: list[store.Run] = []
    base = pooled(_noted(nights, seen), new.run, mine.series.keys(), without)
    if base is None:
        return None
    sides = (base, mine)
    sentinels = Sentinels(*sides, paired=False)
    results = _results(sides, sentinels, rules)
    if not results:
        return None
    name = base.runs[0] if len(base.runs) == 1 else f"{len(base.runs)} runs, {base.runs[-1]} to {base.runs[0]}"
    return Compared(
        name,
        new.name,
        results,
        sentinels.tie(),
        _unmatched(sides),
        runs=base.runs,
        unrecorded=tuple(dict.fromkeys(run_id for run in seen for run_id in parameters.unrecorded(run, new.run))),
        unstamped=instrument.unrecorded(*seen, new.run),
        left_out=tuple(dict.fromkeys(one for run in seen for one in parameters.differing(run, new.run))),
        threshold=rules.threshold,
    )


def _noted(nights: Iterable[store.Run], seen: list[store.Run]) -> Iterator[store.Run]:
    """Yield runs and note in ``seen`` which ones were looked at."""
    for run in nights:
        seen.append(run)
        yield run


def _results(sides: tuple[SideData, SideData], sentinels: Sentinels, rules: Rules) -> list[Comparison]:
    found = [
        (
            item,
            metric,
            judge.estimate(
                _samples(sides, item, other, sentinels.paired), metric, sentinels.of(other.key), rules.level
            ),
        )
        for item, other, metric in _common(sides)
    ]
    base, new = sides
    failures = list(rates.rates(base.tried, new.tried, (base.side.target, new.side.target)))
    q_values = _family(new.side, found, failures)
    made = [
        _checked(sides, _comparison(item, metric, one, rules, q), metric, sentinels.of(item.key))
        for (item, metric, one), q in zip(found, q_values[: len(found)], strict=True)
    ]
    corrected = q_values[len(found) :] if rules.correct else [rate.p for rate in failures]
    made += [rates.row(rate, q, rules.level) for rate, q in zip(failures, corrected, strict=True)]
    return sorted(made, key=lambda one: _SEVERITY.index(one.verdict))


def _checked(sides: tuple[SideData, SideData], one: Comparison, metric: Metric, drift: Interval | None) -> Comparison:
    """Return a comparison, invalid where the host changed too much or a check of its scenario can explain the change."""
    if metric.exact:
        return one
    if drift is not None and abs(drift.low + drift.high) / 2 > _DRIFT_LIMIT:
        numbers = {"limit": math.expm1(_DRIFT_LIMIT)}
        return replace(
            one, verdict=Verdict.INVALID, reason=Reason.HOST_CHANGED, numbers=numbers, without_doubt=one.verdict
        )
    checks = {side.side.run.run_id: side.doubts.get(one.scenario, ()) for side in sides}
    return doubted(one, list(checks.values()))


def _common(sides: tuple[SideData, SideData]) -> Iterator[tuple[Series, Series, Metric]]:
    """Yield new series, base series and metric where both sides have one; controls only when they are named."""
    base, new = sides
    for (scenario, target, params, metric), item in new.series.items():
        if target == SENTINEL or (new.side.target is None and target == NULL):
            continue
        if new.side.target not in (None, target):
            continue
        other = base.series.get((scenario, base.side.target or target, params, metric))
        if other is not None and metric in METRICS:
            yield item, other, METRICS[metric]


def _samples(sides: tuple[SideData, SideData], item: Series, other: Series, paired: bool) -> judge.Samples:
    pairs = zip(sides, (other, item), strict=True)
    before, after = (side.timeouts.get((one.scenario, one.target), 0) for side, one in pairs)
    more = max(0, math.ceil(after - before))
    if not paired:
        medians = sides[0].medians.get(other.key, np.empty(0))
        return judge.Samples(item.values, other.values, paired=False, timeouts=more, medians=medians)
    _, mine, theirs = np.intersect1d(item.blocks, other.blocks, assume_unique=True, return_indices=True)
    return judge.Samples(item.values[mine], other.values[theirs], paired=True, timeouts=more)


def _family(
    new: Side, found: Sequence[tuple[Series, Metric, judge.Estimate]], failures: Sequence[rates.Rate]
) -> list[float | None]:
    """Return q of each series and rate: primary metrics are one family, the others and the failure rates a second one."""
    p_values: list[float | None] = [one.p for *_, one in found] + [rate.p for rate in failures]
    primary = {(name, metric) for name, meta in new.run.meta["scenarios"].items() for metric in meta["primary"]}
    first = [(item.scenario, item.metric) in primary for item, *_ in found] + [False] * len(failures)
    q_values: list[float | None] = [None] * len(p_values)
    for wanted in (True, False):
        places = [i for i, p in enumerate(p_values) if p is not None and first[i] is wanted]
        for place, q in zip(places, false_discovery([p_values[i] or 0.0 for i in places]), strict=True):
            q_values[place] = q
    return q_values


def _comparison(item: Series, metric: Metric, found: judge.Estimate, rules: Rules, q: float | None) -> Comparison:
    threshold = metric.min_effect if rules.threshold is None else rules.threshold
    corrected = rules.correct or not judge.is_worse(found, metric)
    decision = judge.decide(found, metric, threshold, q if corrected else None)
    samples, relative = found.samples, found.relative and found.raw is not None
    ci = found.raw_ci if relative else None
    return Comparison(
        scenario=item.scenario,
        target=item.target,
        params=json.loads(item.params),
        metric=item.metric,
        unit=metric.unit,
        n=samples.n,
        base=float(np.median(samples.base)) if len(samples.base) else None,
        new=float(np.median(samples.new)) if len(samples.new) else None,
        ratio=math.exp(found.raw or 0.0) if relative else None,
        ci=Interval(math.exp(ci.low), math.exp(ci.high), ci.level) if ci else None,
        verdict=decision.verdict,
        mde=decision.mde,
        q=q,
        reason=decision.reason,
        numbers=decision.numbers,
    )


def _unmatched(sides: tuple[SideData, SideData]) -> Unmatched:
    """Return the series that one side has alone.

    Of two targets only parameters of a metric that both have: a phase or a benchmark may mean nothing for one of them.
    """
    named = [side.side.target for side in sides]
    keys = [
        {key for key in side.series if key[1] not in (SENTINEL, NULL) or key[1] == side.side.target} for side in sides
    ]
    places = [{(key[0], key[3]) for key in mine} | {(key[0], key[1]) for key in mine} for mine in keys]
    shared = places[0] & places[1]
    if named[0] is None or named[1] is None:
        return Unmatched(sorted(keys[0] - keys[1]), sorted(keys[1] - keys[0]), shared)
    mine = [{key for key in found if key[1] == name} for found, name in zip(keys, named, strict=True)]
    series = [{(key[0], key[2], key[3]) for key in found} for found in mine]
    metrics = {(key[0], key[3]) for key in mine[0]} & {(key[0], key[3]) for key in mine[1]}
    alone = [
        sorted(key for key in found if (key[0], key[2], key[3]) not in other and (key[0], key[3]) in metrics)
        for found, other in zip(mine, reversed(series), strict=True)
    ]
    here = {(key[0], key[1]) for found in alone for key in found}
    return Unmatched(alone[0], alone[1], shared | here)
