"""What a rung adds is the difference to the rung before it, within a block."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from bench.core.grounds import GROUNDS
from bench.core.model import Status, Summary
from bench.stats.layers import with_added
from bench.stats.samples import of_frames
from bench.stats.summaries import summarise

WALLS = {
    "host": {"start": 1.0, "stop": 0.5},
    "runc": {"create": 20.0, "start": 5.0, "stop": 0.5, "delete": 3.0},
    "docker": {"create": 25.0, "start": 100.0, "stop": 0.25, "delete": 10.0},
}


def summaries(rungs: list[str], blocks: int = 7, lost: tuple[str, int] = ("", -1)) -> list[Summary]:
    """Summarise a ladder in which block ``b`` takes ``1 + b`` times as long, an invocation of it failed."""
    rows: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    for block in range(blocks):
        for order, target in enumerate(rungs):
            number = len(ended)
            status = Status.FAILED if (target, block) == lost else Status.OK
            common = {
                "run_id": "r",
                "scenario": "stack",
                "target": target,
                "engine": target,
                "block": block,
                "order": order,
            }
            ended.append(
                {
                    **common,
                    "invocation": number,
                    "params": "{}",
                    "status": status,
                    "warmup": False,
                    "reason": "",
                    "flags": (),
                }
            )
            for phase, seconds in WALLS[target].items() if status is Status.OK else ():
                params = json.dumps({"phase": phase})
                rows.append({**common, "invocation": number, "iteration": 0, "params": params, "warmup": False,
                             "metric": "stack.wall_s", "value": seconds * (1 + block), "unit": "s", "at_s": 0.0})  # fmt: skip
    meta = {"stack": {"procedure": "stack", "targets": rungs, "baseline": rungs[0], "primary": ["startup.ready_s"]}}
    return summarise(of_frames(pd.DataFrame(rows), pd.DataFrame(ended), meta))


def added(found: list[Summary], target: str) -> dict[str, float]:
    return {
        str(one.params["phase"]): one.median or 0.0
        for one in found
        if one.metric == "stack.added_s" and one.target == target
    }


def test_each_rung_is_compared_with_the_one_before() -> None:
    found = summaries(["host", "runc", "docker"])
    assert added(found, "host") == {}
    assert added(found, "runc") == {
        "create": 80.0,
        "start": 16.0,
        "stop": 0.0,
        "delete": 12.0,
        "total": 108.0,
    }  # block 3 is the median
    assert added(found, "docker") == {"create": 20.0, "start": 380.0, "stop": -1.0, "delete": 28.0, "total": 427.0}


def test_a_failed_invocation_takes_its_block_from_both_comparisons() -> None:
    found = summaries(["host", "runc", "docker"], lost=("runc", 2))
    totals = {one.target: one for one in found if one.metric == "stack.added_s" and one.params == {"phase": "total"}}
    assert {target: one.n for target, one in totals.items()} == {"runc": 6, "docker": 6}
    assert totals["runc"].attempts == 7
    assert totals["runc"].failures == 1


def test_a_rung_of_which_nothing_came_back_is_stepped_over() -> None:
    found = [
        one
        for one in summaries(["host", "runc", "docker"], blocks=1, lost=("runc", 0))
        if one.metric == "stack.added_s"
    ]
    assert {one.target for one in found} == {"docker"}
    assert next(one for one in found if one.params == {"phase": "total"}).median == pytest.approx(135.25 - 1.5)


def test_engine_that_stands_on_another_is_compared_with_that_one() -> None:
    stack = ["host", "runc", "containerd", "cri:network=host", "docker:network=none", "docker:client=cli,network=none"]
    below = GROUNDS.below(stack)
    assert below["cri:network=host"] == "containerd"
    assert below["docker:network=none"] == "containerd"
    assert below["docker:client=cli,network=none"] == "docker:network=none"
    assert below["containerd"] == "runc"
    assert "host" not in below
    assert GROUNDS.below(["runc", "cri", "docker"])["docker"] == "cri"  # without containerd: whichever is before


def test_other_scenarios_have_no_rungs() -> None:
    frame = pd.DataFrame({"scenario": ["startup"], "metric": ["startup.ready_s"]})
    assert with_added(frame, {"startup": {"procedure": "startup", "targets": ["host"]}}) is frame
