"""The guardian ends what a killed harness leaves running, in whatever step of a run it was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.inventory import assert_same, inventory
from tests.system import kills

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]


@pytest.mark.parametrize(
    ("step", "target"),
    [
        ("lab", "runc"),
        ("prepare", "libvirt"),
        ("create", "docker"),
        ("start", "containerd"),
        ("running", "libvirt"),
        ("stop", "containerd"),
        ("delete", "docker"),
        ("between", "runc"),
    ],
)
def test_harness_killed_in_a_step_leaves_no_process_and_no_control_group(
    tmp_path: Path, step: str, target: str
) -> None:
    """More kills, and their times: ``python -m tests.system.kills``."""
    before = inventory()
    took = kills.kill_during(tmp_path, step, target)
    print(f"killed during {step} of {target}: control group gone after {took:.2f} s")
    assert inventory()["processes"] == before["processes"]
    swept = subprocess.run([sys.executable, "-m", "bench", "sweep"], capture_output=True, text=True, check=True)
    assert "control group" not in swept.stdout
    assert "folder" in swept.stdout
    assert_same(before)


def test_every_step_and_every_engine_is_among_the_kills() -> None:
    assert {step for step, _ in kills.KILLS} == set(kills.STEPS)
    assert {target for _, target in kills.KILLS} == set(kills.TARGETS)
    assert len(kills.KILLS) == 20
