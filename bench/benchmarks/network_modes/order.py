"""The order of network modes that is usually claimed, weighed and worded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from bench.core.metrics import metric_named
from bench.core.model import Skipped
from bench.core.units import significant
from bench.stats import order as claims
from bench.stats.order import Absence, Missing, Order, OrderFound, OrderVerdict, PairFound, Step, Undivided

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
"""Every order that is claimed."""

_ABSENT = {
    Absence.UNAVAILABLE: "is unavailable: {reason}",
    Absence.FAILED: "failed: {reason}",
    Absence.SKIPPED: "was skipped: {reason}",
    Absence.NO_VALUE: "gave no such value",
    Absence.NOT_IN_RUN: "is not part of the run",
}


def orders(
    measurements: pd.DataFrame,
    outcomes: pd.DataFrame,
    skipped: Iterable[Skipped] = (),
    table: Sequence[Order] = ORDERS,
) -> list[OrderFound]:
    """Weigh the claimed orders; frames and ``skipped`` as in :func:`bench.stats.order.orders`."""
    return claims.orders(measurements, outcomes, skipped, table)


def of_the_run(found: OrderFound) -> bool:
    """Say whether a claim is about the run; not if one of its modes was never to be measured."""
    return found.verdict is not OrderVerdict.NOT_MEASURED or any(
        one.absence is not Absence.NOT_IN_RUN for one in found.missing
    )


def statement(order: Order) -> str:
    """Write the claim: ``host ≥ macvlan ≥ bridge``; ``≥`` means "at least as fast as"."""
    return " ≥ ".join(step.name for step in order.steps)


def sentence(found: OrderFound) -> str:
    """Write the claim, its verdict and the pairs that the verdict stands on."""
    under = ", ".join(f"{name}={value}" for name, value in found.params.items())
    title = metric_named(found.order.metric).title + (f" ({under})" if under else "")
    lost = [_missing(one) for one in found.missing] if found.verdict is OrderVerdict.NOT_MEASURED else []
    why = "; ".join(dict.fromkeys([*lost, *map(pair_sentence, found.grounds)]))
    return f"{title}: {statement(found.order)}: {found.verdict}; {why}."


def pair_sentence(pair: PairFound) -> str:
    """Write the verdict on a pair with its numbers, or why there is none."""
    if pair.missing:
        return "; ".join(map(_missing, pair.missing))
    if pair.ratio is None:
        why = "a value is zero" if pair.undivided is Undivided.ZERO else "no block has both"
        return f"{pair.better} and {pair.worse} cannot be divided, {why}"
    text, ci = f"{pair.better} ÷ {pair.worse} is {significant(pair.ratio)}×", pair.ci
    if ci is None:
        blocks = "one block" if pair.n == 1 else f"{pair.n} blocks"
        return f"undecided: {text} in {blocks}, {pair.needed} are needed"
    interval = f"[{significant(ci.low)}, {significant(ci.high)}]"
    ending = ", no difference that counts" if pair.verdict is OrderVerdict.HOLDS and ci.low < 1 else ""
    certain = f"{significant(100 * pair.level)} % interval"
    return f"{text} {interval} over {pair.n} blocks ({certain}){ending}"


def _missing(one: Missing) -> str:
    return f"{one.target} {_ABSENT[one.absence].format(reason=one.reason)}".rstrip(".")
