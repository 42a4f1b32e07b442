"""Turn scenarios into the seeded list of invocations: randomised complete blocks, balanced over positions.

The same scenarios and seed give the same list on every host and Python version.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence

from bench import benchmarks
from bench.core.model import NULL, SENTINEL, Invocation, ParamValue, Scenario

Variant = tuple[str, Mapping[str, ParamValue]]


def build(scenarios: Sequence[Scenario], seed: int) -> list[Invocation]:
    """Return the invocations of all scenarios, one scenario after another, indexed from 0."""
    invocations: list[Invocation] = []
    for scenario in scenarios:
        rng = random.Random(f"{seed}:{scenario.name}")  # noqa: S311 - a schedule, not a secret
        every = variants(scenario)
        in_force = [_in_force(scenario, *variant) for variant in every]
        squares = _orders(len(every), rng)
        for block in range(scenario.warmup_blocks + scenario.blocks):
            warmup = block < scenario.warmup_blocks
            for place, number in enumerate(next(squares)):
                named = (len(invocations), scenario.name, *every[number])
                invocations.append(Invocation(*named, block, place, warmup, in_force[number]))
    return invocations


def _in_force(scenario: Scenario, target: str, params: Mapping[str, ParamValue]) -> Mapping[str, ParamValue]:
    """Return every parameter of a variant's invocations, with the defaults of those that the scenario does not set."""
    return benchmarks.with_defaults(SENTINEL if target == SENTINEL else scenario.procedure, params)


def variants(scenario: Scenario) -> list[Variant]:
    """Return targets × parameters; the null control gets every parameter set, the sentinel none."""
    names = sorted(scenario.params)
    sets = [
        dict(zip(names, values, strict=True))
        for values in itertools.product(*(scenario.params[name] for name in names))
    ]
    targets = [target.text for target in scenario.targets] + ([NULL] if scenario.null_target else [])
    found: list[Variant] = [(target, params) for target in targets for params in sets]
    return [*found, (SENTINEL, {})] if scenario.sentinel else found


def _orders(count: int, rng: random.Random) -> Iterator[list[int]]:
    """Yield the order of each block, without end.

    ``count`` consecutive blocks form a Williams square with shuffled labels and rows: every variant takes every position
    once, and follows every other variant equally often (for odd ``count``: over a square and its mirror). So neither
    position nor predecessor favours a variant. E. J. Williams, "Experimental designs balanced for the estimation of
    residual effects of treatments", Australian Journal of Scientific Research A 2 (1949).
    """
    while True:
        labels = list(range(count))
        rng.shuffle(labels)
        rows = [[labels[(step + shift) % count] for step in _zigzag(count)] for shift in range(count)]
        rng.shuffle(rows)
        yield from rows
        if count % 2:
            rng.shuffle(rows)
            yield from (row[::-1] for row in rows)


def _zigzag(count: int) -> list[int]:
    """Return 0, 1, n-1, 2, n-2, … (n is ``count``): the differences between neighbours, modulo n, are all distinct."""
    low, high = 0, count
    found = [0]
    while len(found) < count:
        if len(found) % 2:
            low += 1
            found.append(low)
        else:
            high -= 1
            found.append(high)
    return found
