"""Claims about an order, "host ≥ macvlan ≥ bridge": each pair and the whole weighed by ratios within blocks (pure).

For a report: :func:`orders` gives one :class:`OrderVerdict` for each set of params (one stream out, several in, …) of each order
of :data:`ORDERS` that belongs to a scenario of the run. ``verdict`` is one of :data:`VERDICTS`, ``sentence`` says it in full, and
``pairs`` has the parts, those of neighbours first.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import pandas as pd

from bench.core import units
from bench.core.metrics import metric_named
from bench.core.model import Interval, ParamValue, Skipped, Status
from bench.stats.exact import hodges_lehmann, needed_for, signed_rank_ci
from bench.stats.series import Key, Series, block_values, log_ratios, series_of, usable

Verdict = Literal["holds", "contradicted", "not decided", "not measured"]

VERDICTS: tuple[Verdict, ...] = ("holds", "contradicted", "not decided", "not measured")

ERROR = 0.05
"""How often an order that is true may be called contradicted, at the most.

Any of its k pairs of neighbours can do so, on one side only, so that each interval has the level 1 - 2 · 0.05 / k (Bonferroni).
"Holds" needs all pairs, and is therefore no likelier wrong than one of them (Berger, 1982).
"""


@dataclass(frozen=True)
class Step:
    """One place of an order: how it is called, and the spellings of the target that stands there (the first one measured)."""

    name: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """One claim: in ``scenario``, by ``metric`` (whose direction the registry knows), the best step comes first."""

    scenario: str
    metric: str
    steps: tuple[Step, ...]

    @property
    def statement(self) -> str:
        """The claim in words: ``host ≥ macvlan ≥ bridge``; ``≥`` is "at least as good as"."""
        return " ≥ ".join(step.name for step in self.steps)


ORDERS = (
    Order(
        "network-modes",
        "network.throughput_bytes_per_s",
        (
            Step("host", ("docker:network=host",)),
            Step("macvlan", ("docker:network=macvlan",)),
            Step("bridge", ("docker", "docker:network=bridge")),
            Step("published by proxy", ("docker:network=proxied",)),
        ),
    ),
)
"""Every order that is claimed; one more is one more entry."""


@dataclass(frozen=True)
class PairVerdict:
    """One pair of an order.

    Attributes:
        better: Name of the step that is claimed to be at least as good.
        worse: Name of the other one.
        neighbours: Whether nothing that was measured stands between them.
        verdict: One of :data:`VERDICTS`.
        sentence: The verdict with its numbers, or why there is none.
        ratio: How many times as good ``better`` is (above 1: as claimed), ``None`` when it was not measured.
        ci: Its interval, ``None`` with too few blocks.
        n: Blocks that both have.
        lost: Whether one of them has no value at all.
    """

    better: str
    worse: str
    neighbours: bool
    verdict: Verdict
    sentence: str
    ratio: float | None = None
    ci: Interval | None = None
    n: int = 0
    lost: bool = False


@dataclass(frozen=True)
class OrderVerdict:
    """One claimed order under one set of params.

    Attributes:
        scenario: Name of the scenario.
        metric: Name of the metric.
        params: Under which it was measured (``{"streams": 1, "direction": "out"}``).
        statement: The claim.
        verdict: One of :data:`VERDICTS`.
        sentence: Claim, verdict and the pairs that it stands on.
        pairs: All pairs, neighbours first.
    """

    scenario: str
    metric: str
    params: Mapping[str, ParamValue]
    statement: str
    verdict: Verdict
    sentence: str
    pairs: tuple[PairVerdict, ...]


def orders(
    measurements: pd.DataFrame,
    outcomes: pd.DataFrame,
    skipped: Iterable[Skipped] = (),
    table: Sequence[Order] = ORDERS,
) -> list[OrderVerdict]:
    """Weigh every order of the scenarios that the run has; one verdict for each set of params that any step has.

    The frames are those of :mod:`bench.store`, ``skipped`` is :func:`bench.store.skipped`: it tells why a step was not measured.
    """
    left_out = list(skipped)
    present = set(outcomes["scenario"]) | {item.scenario for item in left_out} if len(outcomes) else set()
    series = series_of(block_values(usable(measurements, outcomes)))
    found = []
    for order in table:
        if order.scenario in present:
            reasons = {step: _reason(order, step, outcomes, left_out) for step in order.steps}
            found += [_weigh(order, params, series, reasons) for params in _params(order, series)]
    return found


def _params(order: Order, series: Mapping[Key, Series]) -> list[str]:
    """Return the sets of params under which any step was measured, as JSON text; of none when nothing was."""
    targets = {target for step in order.steps for target in step.targets}
    keys = [key for key in series if (key[0], key[3]) == (order.scenario, order.metric) and key[1] in targets]
    return sorted({params for _, _, params, _ in keys}) or ["{}"]


def _reason(order: Order, step: Step, outcomes: pd.DataFrame, skipped: Sequence[Skipped]) -> str:
    """Say why a step has no value: left out of the plan, failed, not applicable, or not asked for."""
    for item in skipped:
        if item.scenario == order.scenario and item.target in step.targets:
            return f"{item.target} is unavailable: {item.reason}"
    mine = outcomes[(outcomes["scenario"] == order.scenario) & outcomes["target"].isin(step.targets)]
    for target, status, reason in mine[["target", "status", "reason"]].itertuples(index=False):
        if status != Status.OK:
            return f"{target} {'was skipped' if status == Status.SKIPPED else 'failed'}: {reason}"
    return f"{step.targets[0]} gave no such value" if len(mine) else f"{step.targets[0]} is not part of the run"


def _weigh(order: Order, params: str, series: Mapping[Key, Series], reasons: Mapping[Step, str]) -> OrderVerdict:
    having: dict[Step, Series] = {}
    for step in order.steps:
        for target in step.targets:
            found = series.get((order.scenario, target, params, order.metric))
            if found is not None:
                having.setdefault(step, found)
    level = 1 - 2 * ERROR / max(len(having) - 1, 1)
    pairs = [_pair(order, pair, having, reasons, level) for pair in combinations(order.steps, 2)]
    pairs.sort(key=lambda pair: not pair.neighbours)
    verdict = _whole(pairs)
    values: dict[str, ParamValue] = json.loads(params)
    under = ", ".join(f"{name}={value}" for name, value in values.items())
    title = metric_named(order.metric).title + (f" ({under})" if under else "")
    lost = [reasons[step].rstrip(".") for step in order.steps if step not in having]
    why = "; ".join(dict.fromkeys([*(lost if verdict == "not measured" else []), *_grounds(verdict, pairs)]))
    sentence = f"{title}: {order.statement}: {verdict}; {why}."
    return OrderVerdict(order.scenario, order.metric, values, order.statement, verdict, sentence, tuple(pairs))


def _whole(pairs: Sequence[PairVerdict]) -> Verdict:
    """One pair of neighbours contradicts the whole; it holds when all do, unless what adds up over several does not."""
    of_neighbours = {pair.verdict for pair in pairs if pair.neighbours}
    for verdict in ("contradicted", "not measured"):
        if verdict in of_neighbours:
            return verdict
    holds = of_neighbours == {"holds"} and all(pair.verdict != "contradicted" for pair in pairs)
    return "holds" if holds else "not decided"


def _grounds(verdict: Verdict, pairs: Sequence[PairVerdict]) -> list[str]:
    """Return the sentences of the pairs that a verdict stands on; a pair with a missing step has none of its own."""
    if verdict == "contradicted":
        chosen = [pair for pair in pairs if pair.neighbours and pair.verdict == verdict]
    else:
        chosen = [pair for pair in pairs if pair.neighbours or pair.verdict == "contradicted"]
    return [pair.sentence for pair in chosen if not pair.lost]


def _pair(
    order: Order,
    pair: tuple[Step, Step],
    having: Mapping[Step, Series],
    reasons: Mapping[Step, str],
    level: float,
) -> PairVerdict:
    better, worse = pair
    between = order.steps[order.steps.index(better) + 1 : order.steps.index(worse)]
    blank = PairVerdict(better.name, worse.name, not any(step in having for step in between), "not measured", "")
    missing = "; ".join(reasons[step].rstrip(".") for step in pair if step not in having)
    logs = None if missing else log_ratios(having[better], having[worse])
    if logs is None or not len(logs):
        why = "a value is zero" if logs is None else "no block has both"
        return replace(
            blank, lost=bool(missing), sentence=missing or f"{better.name} and {worse.name} cannot be divided, {why}"
        )
    known = metric_named(order.metric)
    logs = logs if known.better == "higher" else -logs
    ci = signed_rank_ci(logs, level)
    scaled = Interval(math.exp(ci.low), math.exp(ci.high), level) if ci else None
    ratio = math.exp(hodges_lehmann(logs))
    verdict = _decide(ratio, scaled, known.min_effect)
    found = replace(blank, verdict=verdict, ratio=ratio, ci=scaled, n=len(logs))
    return replace(found, sentence=_sentence(found, ratio, level))


def _decide(ratio: float, ci: Interval | None, min_effect: float) -> Verdict:
    """Decide "at least as good": behind counts only from the smallest effect on that the metric calls one."""
    behind = 1 / (1 + min_effect)
    if ci is None:
        return "not decided"
    if ci.low >= behind:
        return "holds"
    return "contradicted" if ci.high < 1 and ratio <= behind else "not decided"


def _sentence(pair: PairVerdict, ratio: float, level: float) -> str:
    text, ci = f"{pair.better} is {units.significant(ratio)}", pair.ci
    if ci is None:
        blocks = "1 block" if pair.n == 1 else f"{pair.n} blocks"
        return f"{text} × as good as {pair.worse} in {blocks}, {needed_for(level)} are needed to decide"
    interval = f"[{units.significant(ci.low)}, {units.significant(ci.high)}]"
    ending = ", no difference that counts" if pair.verdict == "holds" and ci.low < 1 else ""
    certain = f"{units.significant(100 * level)} % interval"
    return f"{text} {interval} × as good as {pair.worse} over {pair.n} blocks ({certain}){ending}"
