"""Two figures of one quantity in one run: they agree, are apart, or cannot be told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from bench.core.metrics import METRICS
from bench.display.wording.checks import needed_blocks, sentence
from bench.stats.alarms import check_run
from bench.stats.findings import Answer, Check, CheckName
from bench.stats.samples import of_frames
from bench.store import MEASUREMENT_COLUMNS, OUTCOME_COLUMNS

MIB = 2**20
AVAILABLE = {"column": "available"}
SIZE = {"memory_bytes": 256 * MIB, "cpus": 1, "touch_bytes": 0}


class Trial:
    """A run of several scenarios, a series at a time."""

    def __init__(self) -> None:
        self.measurements: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []

    def add(
        self,
        scenario: str,
        metric: str,
        values: Sequence[float],
        params: Mapping[str, Any] | None = None,
        target: str = "docker",
        **force: Any,
    ) -> Trial:
        """Add one invocation a block, with the parameters in force and its values by metric and parameters of a series."""
        for block, value in enumerate(values):
            place = {
                "run_id": "r",
                "scenario": scenario,
                "target": target,
                "engine": target,
                "block": block,
                "order": 0,
            }
            place |= {"invocation": len(self.outcomes), "warmup": False}
            ended = {"status": "ok", "reason": "", "evidence": {}, "flags": [], "notes": {}, "mismatch": {}}
            self.outcomes.append({**place, **ended, "params": "{}", "in_force": {**SIZE, **force}, "disturbed": []})
            what = {"metric": metric, "value": float(value), "unit": METRICS[metric].unit, "iteration": 0, "at_s": 0}
            self.measurements.append({**place, **what, "params": json.dumps(params or {}, sort_keys=True)})
        return self

    def check(self) -> Check | None:
        """Return the answer of the check, ``None`` when it does not arise; it belongs to the later scenario."""
        frames = (
            pd.DataFrame.from_records(self.measurements, columns=list(MEASUREMENT_COLUMNS)),
            pd.DataFrame.from_records(self.outcomes, columns=list(OUTCOME_COLUMNS)),
        )
        names = dict.fromkeys(one["scenario"] for one in self.outcomes)
        found = [
            one
            for one in check_run(of_frames(*frames, {name: {} for name in names}))
            if one.name is CheckName.AGREEMENT
        ]
        assert len(found) <= 1
        return found[0] if found else None


def spread(centre: float, n: int = 6) -> list[float]:
    return [centre * (1 + 0.002 * place) for place in range(n)]


def both(memory: Sequence[float], density: Sequence[float], **force: Any) -> Trial:
    trial = Trial().add("memory", "memory.slope_bytes", memory, AVAILABLE, instances=50)
    return trial.add("density", "density.slope_bytes", density, instances=100, **force)


@pytest.mark.parametrize(
    ("ratio", "answer"), [(1.0, Answer.FINE), (1.03, Answer.FINE), (1.2, Answer.DOUBT), (0.8, Answer.DOUBT)]
)
def test_memory_of_two_benchmarks_is_compared(ratio: float, answer: Answer) -> None:
    check = both(spread(4 * MIB), spread(ratio * 4 * MIB)).check()
    assert check is not None
    assert (check.scenario, check.answer) == ("density", answer)


def test_figures_that_are_apart_are_named_with_their_intervals() -> None:
    check = both(spread(2 * MIB), spread(3.74 * MIB)).check()
    assert check is not None
    assert "1 of 1 pair of figures do not agree: docker: density.slope_bytes of 'density' 3.7" in sentence(check)
    assert "and memory.slope_bytes (column=available) of 'memory' 2.0" in sentence(check)
    assert sentence(check).count("[") == 2


def test_single_blocks_are_undecided_and_say_what_it_takes() -> None:
    check = both([2 * MIB], [4 * MIB]).check()
    assert check is not None
    assert (check.answer, needed_blocks(check)) == (Answer.UNDECIDED, 6)
    assert "not decided" in sentence(check)


def test_interval_of_the_fit_widens_that_of_the_blocks() -> None:
    trial = Trial().add("memory", "memory.slope_bytes", spread(2 * MIB), AVAILABLE)
    trial.add("memory", "memory.slope_low_bytes", spread(-2.6 * MIB), AVAILABLE)
    trial.add("memory", "memory.slope_high_bytes", spread(6.6 * MIB), AVAILABLE)
    check = trial.add("density", "density.slope_bytes", spread(3.74 * MIB)).check()
    assert check is not None
    assert check.answer is Answer.FINE


def test_figures_under_other_parameters_are_not_compared() -> None:
    assert both(spread(4 * MIB), spread(68 * MIB), touch_bytes=64 * MIB).check() is None
    other = Trial().add("memory", "memory.slope_bytes", spread(4 * MIB), {"column": "pss"})
    assert other.add("density", "density.slope_bytes", spread(9 * MIB)).check() is None
    targets = Trial().add("memory", "memory.slope_bytes", spread(4 * MIB), AVAILABLE)
    assert targets.add("density", "density.slope_bytes", spread(9 * MIB), target="runc").check() is None


def test_start_of_two_scenarios_is_compared_unless_the_cache_is_cold() -> None:
    for cache, times, answer in (("warm", 1.0, Answer.FINE), ("warm", 1.5, Answer.DOUBT), ("cold", 1.5, None)):
        trial = Trial().add("startup", "startup.ready_s", spread(0.25), cache=cache)
        check = trial.add("stack", "startup.ready_s", spread(times * 0.25), lives=10).check()
        assert (check and check.answer) == answer


def test_metric_without_a_quantity_is_compared_under_equal_parameters_only() -> None:
    for rounds, answer in ((100, Answer.DOUBT), (200, None)):
        trial = Trial().add("one", "compute.syscall_s", spread(1e-6), rounds=100)
        check = trial.add("two", "compute.syscall_s", spread(2e-6), rounds=rounds).check()
        assert (check and check.answer) == answer


def test_controls_are_no_figures() -> None:
    trial = Trial().add("startup", "startup.ready_s", spread(0.25), target="null")
    assert trial.add("stack", "startup.ready_s", spread(0.5), target="null").check() is None
