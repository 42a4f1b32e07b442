"""The plan: complete blocks, reproducible, balanced."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import scenario
from bench.core.model import Scenario
from bench.scenario import plan

STARTUP = scenario.load(scenario.find("startup"))[0]


def make(
    targets: int, *, blocks: int = 8, warmup: int = 1, params: dict[str, tuple[int, ...]] | None = None
) -> Scenario:
    chosen = tuple(scenario.parse_target(f"fake:copy={number}") for number in range(targets))
    return dataclasses.replace(
        STARTUP, targets=chosen, baseline=chosen[0].text, blocks=blocks, warmup_blocks=warmup, params=dict(params or {})
    )


def test_every_block_holds_every_variant_once() -> None:
    one = make(4, params={"cpus": (1, 2)})
    wanted = Counter((target, tuple(params.items())) for target, params in plan.variants(one))
    assert len(wanted) == 4 * 2 + 2 + 1  # targets, the null control with the same parameters, the sentinel
    for block in range(9):
        found = [item for item in plan.build([one], 1) if item.block == block]
        assert Counter((item.target, tuple(item.params.items())) for item in found) == wanted
        assert [item.order for item in found] == list(range(len(wanted)))


def test_warmup_blocks_come_first_and_are_flagged() -> None:
    items = plan.build([make(3, warmup=2)], 1)
    assert {item.block for item in items if item.warmup} == {0, 1}
    assert [item.index for item in items] == list(range(len(items)))


def test_plan_depends_only_on_the_seed() -> None:
    assert plan.build([make(6)], 5) == plan.build([make(6)], 5)
    assert plan.build([make(6)], 5) != plan.build([make(6)], 6)


def test_plan_of_a_known_seed_never_changes() -> None:
    """Guard the generator: a change would break --resume and the reproduction of published runs."""
    order = [item.target for item in plan.build([make(3, blocks=2, warmup=0)], 42)]
    assert order == GOLDEN


GOLDEN = [
    "fake:copy=1",
    "sentinel",
    "fake:copy=0",
    "null",
    "fake:copy=2",
    "fake:copy=0",
    "fake:copy=1",
    "fake:copy=2",
    "sentinel",
    "null",
]


@given(st.integers(min_value=1, max_value=14), st.integers(min_value=0, max_value=2**32))
def test_every_variant_takes_every_position_once_in_as_many_blocks_as_variants(count: int, seed: int) -> None:
    one = dataclasses.replace(make(count, blocks=count, warmup=0), null_target=False, sentinel=False)
    places = Counter((item.target, item.order) for item in plan.build([one], seed))
    assert set(places.values()) == {1}


@pytest.mark.parametrize("count", [2, 3, 4, 7, 10])
def test_every_variant_follows_every_other_equally_often(count: int) -> None:
    one = dataclasses.replace(make(count, blocks=2 * count, warmup=0), null_target=False, sentinel=False)
    items = plan.build([one], 3)
    pairs = Counter((a.target, b.target) for a, b in itertools.pairwise(items) if a.block == b.block)
    assert set(pairs.values()) == {2}
    assert len(pairs) == count * (count - 1)
