"""One run against another, or two targets of one run: which series changed, by how much, and how sure that is.

Two targets of one run are paired block by block: whatever the host did, it did to both (the strong way). Two runs are not (the
weak way): only the sentinel ties them, and what it says of the host widens every interval. Method and sources: docs/method.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from bench import store
from bench.compare import judge
from bench.compare import rates as _rates
from bench.compare.side_cache import Half, half, pooled
from bench.compare.sides import Side, are_paired, check_factors, differences, find_side, why_nothing
from bench.core import units
from bench.core.errors import UsageError
from bench.core.metrics import METRICS, Metric
from bench.core.model import NULL, SENTINEL, Comparison, Interval, Verdict
from bench.stats.series import Key, Series
from bench.stats.shift import false_discovery, shift, shift_ci

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
        runs: Ids of the runs that make the base where it is more than one side's, the newest first.
    """

    base: str
    new: str
    paired: bool
    results: Sequence[Comparison]
    notes: Sequence[str] = ()
    runs: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 when something regressed, 5 when the host was too noisy to decide (anything or a whole scenario), else 0."""
        verdicts = {one.verdict for one in self.results}
        if Verdict.REGRESSED in verdicts:
            return 1
        undecided = verdicts <= {Verdict.INCONCLUSIVE, Verdict.INVALID}
        return 5 if Verdict.INVALID in verdicts or undecided else 0


@dataclass(frozen=True)
class Rules:
    """How sure a comparison has to be.

    Attributes:
        threshold: Smallest relative change that counts, ``None``: each metric's own.
        level: Level of the intervals.
        correct: Whether "regressed" is corrected over its family, as "improved" always is; not where fresh blocks decide.
    """

    threshold: float | None = None
    level: float = judge.LEVEL
    correct: bool = True


def compare(
    base: Side, new: Side, rules: Rules = Rules(), *, factors: Collection[str] = (), force: bool = False
) -> Compared:
    """Compare every series that both sides have.

    ``factors`` are the facts of the host that are compared (``kernel``, …): two runs may differ in them, and in nothing else.
    ``force`` compares what should not be compared, and says so.

    Raises:
        UsageError: The two cannot be compared, or have nothing in common.
    """
    paired = are_paired(base, new)
    check_factors(base.run, new.run, factors)
    apart = {} if paired else differences(base.run, new.run)
    strange = [sentence for name, sentence in apart.items() if name not in factors]
    if strange and not force:
        msg = (
            f"the runs differ in what is not compared: {'; '.join(strange)}; compare runs of the same host and workload, "
            "name what is compared with --factor, or use --force, which labels the result"
        )
        raise UsageError(msg)
    halves = (half(base, paired=paired), half(new, paired=paired))
    tie = _Tie(halves, paired=paired)
    results = _results(halves, tie, rules)
    if not results:
        told = [*filter(None, map(why_nothing, (base, new)))] or [_only(halves) or "their metrics or parameters differ"]
        msg = f"'{base.name}' and '{new.name}' have no series in common: {'; '.join(told)}"
        raise UsageError(msg)
    told = [f"FORCED: {text}" for text in strange] + [f"compared: {apart[name]}" for name in factors if name in apart]
    return Compared(base.name, new.name, paired, results, [*told, tie.sentence(), *filter(None, [_only(halves)])])


def against(
    nights: Iterable[store.Run],
    new: Side,
    rules: Rules = Rules(),
    *,
    without: Mapping[str, AbstractSet[Key]],
) -> Compared | None:
    """Compare a run with several earlier ones of the same host, the newest first, as one base.

    Each series has the newest runs that may stand for it (:func:`bench.compare.side_cache.pooled`); with three or
    more of them its interval
    holds the spread between runs, too. ``None`` when no run can stand for anything.
    """
    mine = half(new, paired=False)
    base = pooled(nights, mine.series.keys(), without)
    if base is None:
        return None
    halves = (base, mine)
    tie = _Tie(halves, paired=False)
    results = _results(halves, tie, rules)
    if not results:
        return None
    name = base.runs[0] if len(base.runs) == 1 else f"{len(base.runs)} runs, {base.runs[-1]} to {base.runs[0]}"
    return Compared(name, new.name, False, results, [tie.sentence(), *filter(None, [_only(halves)])], base.runs)


class _Tie:
    """What ties two unpaired sides: the sentinel's log ratio between them, for each series over its own runs."""

    def __init__(self, halves: tuple[Half, Half], *, paired: bool) -> None:
        self.paired = paired
        self._base, self._new = halves
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

    def sentence(self) -> str:
        """Say how strong the comparison is."""
        if self.paired:
            return "paired block by block within one run"
        several = len(self._base.runs) > 1
        kind = f"{len(self._base.runs)} earlier runs as one base" if several else "two runs"
        kind = "one import that names no blocks" if self._base.runs == self._new.runs else kind
        base, new = self._base.sentinel(self._base.runs), self._new.sentinel(self._new.runs)
        interval = self._between(self._base.runs)
        if interval is None:
            sides = f"{len(base)} and {len(new)} blocks have it"
            return f"{kind}, not paired, and no sentinel ties them ({sides}): a host that changed cannot be told apart"
        ratio, low, high = (units.significant(math.exp(x), 4) for x in (shift(new, base), interval.low, interval.high))
        widened = "every interval is widened by it" + (", and by how far those runs lie apart" if several else "")
        return f"{kind}, not paired: tied by the sentinel alone, new ÷ base {ratio} [{low}, {high}]; {widened}"


def _results(halves: tuple[Half, Half], tie: _Tie, rules: Rules) -> list[Comparison]:
    found = [
        (
            item,
            metric,
            judge.estimate(_samples(halves, item, other, tie.paired), metric, tie.of(other.key), rules.level),
        )
        for item, other, metric in _common(halves)
    ]
    base, new = halves
    rates = list(_rates.rates(base.tried, new.tried, (base.side.target, new.side.target)))
    q_values = _family(new.side, found, rates)
    made = [
        _comparison(
            item,
            metric,
            one,
            judge.decide(
                one,
                metric,
                metric.min_effect if rules.threshold is None else rules.threshold,
                q if rules.correct or not judge.is_worse(one, metric) else None,
            ),
            q=q,
            doubt="" if metric.exact else _moved(tie.of(item.key)) or _doubt(halves, item.scenario),
        )
        for (item, metric, one), q in zip(found, q_values[: len(found)], strict=True)
    ]
    corrected = q_values[len(found) :] if rules.correct else [rate.p for rate in rates]
    made += [_rates.row(rate, q, rules.level) for rate, q in zip(rates, corrected, strict=True)]
    return sorted(made, key=lambda one: _SEVERITY.index(one.verdict))


def _moved(drift: Interval | None) -> str:
    if drift is None or abs(drift.low + drift.high) / 2 <= _DRIFT_LIMIT:
        return ""
    return f"the sentinel says that the host changed by more than {round(100 * math.expm1(_DRIFT_LIMIT))} %"


def _common(halves: tuple[Half, Half]) -> Iterator[tuple[Series, Series, Metric]]:
    """Yield new series, base series and metric of what both have; controls only when they are named."""
    base, new = halves
    for (scenario, target, params, metric), item in new.series.items():
        if target == SENTINEL or (new.side.target is None and target == NULL):
            continue
        if new.side.target not in (None, target):
            continue
        other = base.series.get((scenario, base.side.target or target, params, metric))
        if other is not None and metric in METRICS:
            yield item, other, METRICS[metric]


def _samples(halves: tuple[Half, Half], item: Series, other: Series, paired: bool) -> judge.Samples:
    late = [side.late.get((one.scenario, one.target), 0) for side, one in zip(halves, (other, item), strict=True)]
    more = max(0, math.ceil(late[1] - late[0]))
    if not paired:
        medians = halves[0].medians.get(other.key, np.empty(0))
        return judge.Samples(item.values, other.values, paired=False, late=more, medians=medians)
    _, mine, theirs = np.intersect1d(item.blocks, other.blocks, assume_unique=True, return_indices=True)
    return judge.Samples(item.values[mine], other.values[theirs], paired=True, late=more)


def _family(
    new: Side, found: Sequence[tuple[Series, Metric, judge.Estimate]], rates: Sequence[_rates.Rate]
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
    metric: Metric,
    found: judge.Estimate,
    decision: judge.Decision,
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


def _doubt(halves: tuple[Half, Half], scenario: str) -> str:
    return next((side.doubts[scenario] for side in halves if scenario in side.doubts), "")


def _only(halves: tuple[Half, Half]) -> str:
    """Name the series that one side has alone, by scenario and metric."""
    if halves[0].side.target is not None:
        return ""
    names = [{(key[0], key[3]) for key in side.series if key[1] != SENTINEL} for side in halves]
    parts = []
    for word, mine, theirs in (("base", names[0], names[1]), ("new", names[1], names[0])):
        if alone := sorted(f"{scenario}: {metric}" for scenario, metric in mine - theirs):
            more = f" and {len(alone) - 5} more" if len(alone) > 5 else ""
            parts.append(f"only in the {word}: {', '.join(alone[:5])}{more}")
    return "; ".join(parts)
