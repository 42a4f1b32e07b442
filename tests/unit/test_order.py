"""Claims about an order: what holds, what is contradicted, and what cannot be said, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import engines
from bench.benchmarks.network_modes.order import ORDERS, orders, pair_sentence, sentence, statement
from bench.core.metrics import metric_named
from bench.core.model import Skipped
from bench.stats.order import Order, OrderFound, OrderVerdict, Step
from bench.store import MEASUREMENT_COLUMNS, OUTCOME_COLUMNS

METRIC = "network.throughput_bytes_per_s"
HOST, MACVLAN, BRIDGE, PROXIED = "docker:network=host", "docker:network=macvlan", "docker", "docker:network=proxied"
ONE_OUT = {"direction": "out", "streams": 1}
FOUR_IN = {"direction": "in", "streams": 4}


def frames(
    levels: Mapping[str, float], blocks: int = 8, sd: float = 0.01, params: Mapping[str, Any] = ONE_OUT, **changes: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a run in which each target has that level; the host's speed changes from block to block for all alike."""
    measurements, outcomes = [], []
    luck = np.random.default_rng(5)
    host = np.exp(luck.normal(0, 0.3, size=blocks))
    for number, (target, level) in enumerate(levels.items()):
        for block, value in enumerate(level * host * np.exp(luck.normal(0, sd, size=blocks))):
            names = {"run_id": "r", "scenario": "network-modes", "target": target, "engine": "docker", "block": block}
            place = {"order": number, "invocation": number * blocks + block, "warmup": False}
            ended = {"status": "ok", "reason": "", "evidence": {}, "flags": [], "notes": {}, "params": "{}", **changes}
            outcomes.append({**names, **place, **ended})
            what = {"metric": METRIC, "value": float(value), "unit": "bytes/s", "iteration": 0, "at_s": 0.0}
            measurements.append({**names, **place, **what, "params": json.dumps(params, sort_keys=True)})
    return (
        pd.DataFrame.from_records(measurements, columns=list(MEASUREMENT_COLUMNS)),
        pd.DataFrame.from_records(outcomes, columns=list(OUTCOME_COLUMNS)),
    )


def one(*given: Any, **more: Any) -> OrderFound:
    (found,) = orders(*given, **more)
    return found


def test_order_holds_despite_drift_between_blocks() -> None:
    found = one(*frames({HOST: 16e8, MACVLAN: 11e8, BRIDGE: 9e8, PROXIED: 4e8}))
    assert (found.verdict, found.params, found.order.scenario) == ("holds", ONE_OUT, "network-modes")
    assert statement(found.order) == "host ≥ macvlan ≥ bridge ≥ published by proxy"
    assert len(found.pairs) == 6
    assert [pair.neighbours for pair in found.pairs] == [True] * 3 + [False] * 3
    assert "TCP throughput (direction=out, streams=1)" in sentence(found)
    assert "bridge ÷ published by proxy is 2.2" in sentence(found)
    assert "over 8 blocks" in sentence(found)


def test_order_of_equal_steps_holds() -> None:
    found = one(*frames({HOST: 10e8, MACVLAN: 10e8, BRIDGE: 10.05e8, PROXIED: 10e8}))
    assert found.verdict == "holds"
    assert "no difference that counts" in sentence(found)


def test_reversed_pair_contradicts_the_order() -> None:
    found = one(*frames({HOST: 9e8, MACVLAN: 12e8, BRIDGE: 8e8, PROXIED: 4e8}))
    first = found.pairs[0]
    assert (found.verdict, first.verdict, first.better, first.worse) == (
        "contradicted",
        "contradicted",
        "host",
        "macvlan",
    )
    assert first.ci is not None
    assert first.ci.low < 0.75 < first.ci.high < 1
    assert pair_sentence(first) in sentence(found)
    assert "bridge is" not in sentence(found), "only what contradicts is given as the ground"


def test_reversed_pair_below_the_smallest_effect_contradicts_nothing() -> None:
    found = one(*frames({HOST: 9.8e8, MACVLAN: 10e8, BRIDGE: 8e8, PROXIED: 4e8}, sd=0.001))
    assert found.verdict == "holds"
    assert found.pairs[0].ci is not None
    assert found.pairs[0].ci.high < 1, "host is behind for certain, by less than counts"


def test_small_reversed_steps_that_add_up_decide_nothing() -> None:
    found = one(*frames({HOST: 10e8, MACVLAN: 10.4e8, BRIDGE: 10.8e8, PROXIED: 4e8}, sd=0.001))
    assert [pair.verdict for pair in found.pairs if pair.neighbours] == ["holds"] * 3
    assert found.verdict == "not decided"
    assert "host ÷ bridge is 0.926×" in sentence(found)


@pytest.mark.parametrize(("blocks", "sd", "says"), [(3, 0.01, "in 3 blocks, 6 are needed"), (8, 0.6, "over 8 blocks")])
def test_few_blocks_or_much_noise_decide_nothing(blocks: int, sd: float, says: str) -> None:
    found = one(*frames(dict.fromkeys((HOST, MACVLAN, BRIDGE, PROXIED), 9e8), blocks=blocks, sd=sd))
    assert found.verdict == "not decided"
    assert says in sentence(found)


def test_missing_step_is_explained_and_the_rest_weighed() -> None:
    skipped = [Skipped("network-modes", MACVLAN, "the kernel has no macvlan", "load the module")]
    found = one(*frames({HOST: 16e8, BRIDGE: 9e8, PROXIED: 4e8}), skipped=skipped)
    assert found.verdict == "not measured"
    assert f"{MACVLAN} is unavailable: the kernel has no macvlan" in sentence(found)
    assert "host ÷ bridge is 1.7" in sentence(found), "what is left is in order"
    turned = one(*frames({HOST: 6e8, BRIDGE: 9e8, PROXIED: 4e8}), skipped=skipped)
    assert turned.verdict == "contradicted"
    alone = one(*frames({HOST: 6e8}), skipped=skipped)
    assert alone.verdict == "not measured"
    assert sentence(alone).count("the kernel has no macvlan") == 1


def test_step_without_value_has_the_reason_of_its_absence() -> None:
    good, fine = frames({HOST: 16e8, MACVLAN: 11e8, BRIDGE: 9e8})
    _, broken = frames({PROXIED: 1.0}, status="failed", reason="no way in.")
    found = one(good, pd.concat([fine, broken.assign(invocation=broken["invocation"] + 1000)]))
    assert f"not measured; {PROXIED} failed: no way in; host ÷ macvlan is" in sentence(found)
    assert f"{PROXIED} is not part of the run" in sentence(one(good, fine))
    nothing = one(good.iloc[:0], fine)
    assert (nothing.verdict, nothing.params) == ("not measured", {})


def test_each_set_of_params_has_its_own_verdict() -> None:
    good, ended = frames({HOST: 16e8, MACVLAN: 11e8, BRIDGE: 9e8, PROXIED: 4e8})
    turned, _ = frames({HOST: 4e8, MACVLAN: 11e8, BRIDGE: 9e8, PROXIED: 4e8}, params=FOUR_IN)
    found = {str(item.params["direction"]): item.verdict for item in orders(pd.concat([good, turned]), ended)}
    assert found == {"out": "holds", "in": "contradicted"}


def test_other_spelling_of_a_target_stands_for_the_same_step() -> None:
    assert one(*frames({HOST: 16e8, MACVLAN: 11e8, "docker:network=bridge": 9e8, PROXIED: 4e8})).verdict == "holds"


def test_order_is_reversed_where_lower_is_better() -> None:
    good, ended = frames({HOST: 1e-5, BRIDGE: 2e-5})
    table = [Order("network-modes", "network.rr_p50_s", (Step("host", (HOST,)), Step("bridge", (BRIDGE,))))]
    found = one(good.assign(metric="network.rr_p50_s", unit="s"), ended, table=table)
    assert (found.verdict, round(found.pairs[0].ratio or 0, 1)) == ("holds", 2.0)


def test_other_scenarios_and_empty_runs_have_no_order() -> None:
    good, ended = frames({HOST: 16e8})
    assert orders(good.assign(scenario="compute"), ended.assign(scenario="compute")) == []
    assert orders(good.iloc[:0], ended.iloc[:0]) == []


def test_equal_steps_are_rarely_contradicted() -> None:
    wrong = 0
    for seed in range(200):
        good, ended = frames(dict.fromkeys((HOST, MACVLAN, BRIDGE, PROXIED), 9e8), blocks=6)
        good["value"] = 9e8 * np.exp(np.random.default_rng(seed).normal(0, 0.08, size=len(good)))
        wrong += one(good, ended).verdict == "contradicted"
    assert wrong <= 15, "5 % of 200 at the most, and what chance adds to that"


def test_claimed_orders_name_existing_targets_and_metrics() -> None:
    for order in ORDERS:
        assert metric_named(order.metric)
        for target in (target for step in order.steps for target in step.targets):
            engine, _, options = target.partition(":")
            assert engine in engines.names()
            for pair in filter(None, options.split(",")):
                name, value = pair.split("=")
                assert value in engines.get(engine).options[name]
    assert set(OrderVerdict) == {"holds", "contradicted", "not decided", "not measured"}
