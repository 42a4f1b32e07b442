"""The stack procedure: phases that add up, and churn that says which daemons worked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from bench import scenario, store
from bench.core.clock import sleep_s
from bench.core.model import Scenario, Status
from bench.engines.fake import Fake
from bench.invocation.context import InvocationContext
from bench.run import runner
from bench.scenario import plan
from tests.fakes import FakeLab, context

LIFE = ["create", "start", "evidence", "stop", "delete", "delete"]
CHURN = ["create", "start", "stop", "delete"]


def ladder(target: str, lives: int) -> Scenario:
    base = scenario.load(scenario.find("stack"))[0]
    changes = {"null_target": False, "sentinel": False, "blocks": 1, "warmup_blocks": 0, "timeout_s": 0.3}
    parsed = scenario.parse_target(target)
    return dataclasses.replace(base, targets=(parsed,), baseline=target, params={"lives": (lives,)}, **changes)  # type: ignore[arg-type]


def run(folder: Path, one: Scenario, lab: FakeLab) -> tuple[pd.DataFrame, pd.DataFrame, Fake]:
    with context(folder, one, lab) as ready:
        runner.execute(ready, plan.build([one], 1), lambda *_: None)
        fake = cast("Fake", next(iter(ready.engines.values())))
    found = store.load(folder / "r1")
    return store.measurements(found), store.outcomes(found), fake


SLOW_S = {"create": 0.02, "start": 0.01, "stop": 0.01}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make some steps of the fake engine take a known time at least."""
    for name, seconds in SLOW_S.items():
        monkeypatch.setattr(Fake, name, _slowed(getattr(Fake, name), seconds))


def _slowed(step: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def slowed(*given: Any) -> Any:
        sleep_s(seconds)
        return step(*given)

    return slowed


@pytest.mark.usefixtures("slow")
def test_the_phases_add_up_to_what_the_caller_waits(tmp_path: Path, lab: FakeLab) -> None:
    numbers, outcomes, fake = run(tmp_path, ladder("fake", 2), lab)
    assert list(outcomes["status"]) == [Status.OK]
    assert fake.calls == LIFE + CHURN * 2
    assert not fake.live
    phases = numbers[numbers["metric"] == "stack.wall_s"]
    assert [text.split('"')[-2] for text in phases["params"]] == ["create", "start", "ready", "stop", "delete"]
    values = dict(zip(numbers["metric"], numbers["value"], strict=True))
    both = max(values["startup.started_s"], values["startup.ready_s"])
    create, start, ready, stop, _ = phases["value"]
    assert create >= SLOW_S["create"]
    assert start >= SLOW_S["start"]
    assert stop == values["startup.stop_s"] >= SLOW_S["stop"]
    assert SLOW_S["create"] + SLOW_S["start"] <= create + start + ready <= both + 1e-9  # CPU time is read between them
    whole = sum(SLOW_S.values())
    assert 2 / outcomes["wall_s"].iloc[0] < values["stack.lives_per_s"] <= 1 / whole
    assert "stack.daemon_cpu_s" not in values  # there are no daemons, and absent is not zero


def test_without_churn_nothing_is_said_of_it(tmp_path: Path, lab: FakeLab) -> None:
    numbers, outcomes, fake = run(tmp_path, ladder("fake", 0), lab)
    assert fake.calls == LIFE
    assert "stack.lives_per_s" not in set(numbers["metric"])
    assert outcomes["notes"].iloc[0] == {}


@pytest.mark.parametrize("step", ["create", "start", "stop", "delete"])
def test_a_failure_in_any_step_fails_the_invocation_and_leaves_nothing(tmp_path: Path, lab: FakeLab, step: str) -> None:
    numbers, outcomes, fake = run(tmp_path, ladder(f"fake:fail={step}", 2), lab)
    assert list(outcomes["status"]) == [Status.FAILED]
    assert f"fails at {step}" in outcomes["reason"].iloc[0]
    assert numbers.empty
    assert "delete" in fake.calls


def test_what_a_daemon_outside_the_lab_uses_is_unknown_and_not_a_part_of_it(lab: FakeLab) -> None:
    def place(target: str) -> InvocationContext:
        engine = SimpleNamespace(target=scenario.parse_target(target))
        fields = dict.fromkeys(("invocation", "params", "hub", "name", "timeout_s", "account", "note_request"))
        return InvocationContext(engine=engine, lab=lab, **fields)  # type: ignore[arg-type]

    assert place("docker").cpu_s() == 0.0
    assert place("docker:endpoint=system").cpu_s() is None
    assert place("cri:endpoint=/run/crio/crio.sock").cpu_s() is None
