"""The trial of one target by ``tare doctor``: its steps in order, each failure by its reason, and nothing left after any."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import cast

import pytest

from bench import scenario
from bench.core.clock import EventHub
from bench.core.errors import InvocationFailed
from bench.engines.fake import Fake
from bench.lab import Lab
from bench.run import preflight
from tests.fakes import FakeLab

STEPS = ["create", "start", "evidence", "stop", "delete"]


def tried(state: Path, engine_text: str, *, broken_delete: bool = False) -> tuple[preflight.Verdict, Fake]:
    """Try a fake target; return the verdict and the engine."""
    lab = FakeLab(state)
    engine = Fake(scenario.parse_target(engine_text), cast("Lab", lab))
    if broken_delete:

        def delete(name: str) -> None:
            engine.calls.append("delete")
            msg = f"'{name}' could not be removed"
            raise InvocationFailed(msg)

        engine.delete = delete  # type: ignore[method-assign]
    try:
        with EventHub() as hub:
            return preflight.trial(engine, cast("Lab", lab), hub, 1, 0.5), engine
    finally:
        lab.journal.close(done=True)
        shutil.rmtree(lab.paths.run)


def test_trial_takes_every_step_once_and_in_order(built_state: Path) -> None:
    verdict, engine = tried(built_state, "fake")
    assert (verdict.ok, engine.calls, engine.live) == (True, STEPS, set())


@pytest.mark.parametrize(
    ("fails", "calls", "reason"),
    [
        ("create", ["create", "delete"], "fails at create"),
        ("start", ["create", "start", "delete"], "fails at start"),
        ("ready", ["create", "start", "delete"], "'ready' did not arrive within"),
        ("dies", ["create", "start", "delete"], "'ready' will not come: the fake payload died"),
        ("evidence", ["create", "start", "evidence", "delete"], "fails at evidence"),
        ("mismatch", ["create", "start", "evidence", "delete"], "something else"),
        ("stop", STEPS, "fails at stop"),
    ],
)
def test_trial_that_fails_says_why_and_leaves_no_instance(
    built_state: Path, fails: str, calls: list[str], reason: str
) -> None:
    verdict, engine = tried(built_state, f"fake:fail={fails}")
    assert (verdict.ok, engine.calls, engine.live) == (False, calls, set())
    assert reason in verdict.says


def test_first_reason_is_told_when_the_deletion_fails_too(built_state: Path) -> None:
    verdict, _ = tried(built_state, "fake:fail=start", broken_delete=True)
    assert "fails at start" in verdict.says
    assert "could not be removed" not in verdict.says


def test_trial_whose_deletion_alone_fails_is_no_success(built_state: Path) -> None:
    verdict, _ = tried(built_state, "fake", broken_delete=True)
    assert (verdict.ok, "could not be removed" in verdict.says) == (False, True)
