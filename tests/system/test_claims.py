"""System test of ``tare claims``: the command that it names for a claim that was not measured measures it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

CLAIM = "scratch-is-empty"


def verdict(tare: Tare) -> dict[str, Any]:
    """Return what the newest run says about the claim."""
    said = tare("claims", "latest", "--json")
    assert said.returncode == 0, said.stderr
    [claim] = [one for one in json.loads(said.stdout)["claims"] if one["name"] == CLAIM]
    found: dict[str, Any] = claim["hosts"][0]["verdicts"][0]
    return found


def test_command_named_for_a_claim_decides_it(tare: Tare, built_state: Path) -> None:
    before = inventory()
    env = {"TARE_STATE": str(built_state)}
    done = tare("run", "startup", "-t", "host", "--blocks", "1", "--warmup", "0", env=env)
    assert done.returncode == 0, done.stderr
    unmeasured = verdict(tare)
    assert (unmeasured["decision"], unmeasured["reason"]) == ("not measured", "no scenario")
    program, *arguments = shlex.split(unmeasured["command"])
    assert program == "tare"
    done = tare(*arguments, env=env)
    assert done.returncode == 0, done.stderr
    decided = verdict(tare)
    assert decided["decision"] == "supported", decided
    [comparison] = decided["comparisons"]
    assert 0 <= comparison["estimate"] < 1e6
    assert_same(before)
