"""System tests of benchmark ``isolation``: a whole run, and a harness that is killed in the middle of the storm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import store
from bench.core import proctable
from bench.core.model import Status
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare, without_controls
from tests.system.test_faults import background, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

STORM = "forks:25:0:268435456:-"
SHORT = ("-p", "milliseconds=200", "-p", "alone_milliseconds=200")


def test_run_measures_every_arm_and_leaves_the_host_unchanged(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    scenario = without_controls(tmp_path, "isolation")
    done = tare("run", scenario, "-t", "host", "-t", "runc", "-p", "neighbour=cpu", *SHORT, "--blocks", "1")
    assert done.returncode == 0, done.stderr[-2000:]
    (folder,) = (tmp_path / "results").glob("*/")
    outcomes = store.outcomes(store.load(folder))
    skipped = outcomes[outcomes["status"] == Status.SKIPPED]
    assert set(skipped["target"]) <= {"host", "runc"}
    assert (outcomes["status"] == Status.OK).sum() >= 7, outcomes[["target", "params", "status", "reason"]].to_string()
    assert_same(before)
    assert tare("report", str(folder)).returncode == 0
    assert "An idle neighbour leaves the median time" in tare("show", str(folder)).stdout.replace("\n", " ")


@pytest.mark.parametrize("target", ["host", "docker"])
def test_harness_killed_in_the_middle_of_the_storm_leaves_nothing(tare: Tare, tmp_path: Path, target: str) -> None:
    before = inventory()
    scenario = without_controls(tmp_path, "isolation")
    long = (
        "-p",
        "neighbour=forks",
        "-p",
        "arm=unlimited",
        "-p",
        "percent=25",
        "-p",
        "milliseconds=60000",
        "--blocks",
        "1",
    )
    with background(tmp_path, scenario, "-t", target, *long) as process:
        until(lambda: len(proctable.with_argument(STORM)) > 3, "the storm")
        until(lambda: any("fork:" in one for one in _victims()), "the victim beside it")
        ours = proctable.with_argument(STORM) | proctable.with_argument("--pulse") | proctable.with_argument("--victim")
        process.kill()
        process.communicate(timeout=60)
    assert not proctable.wait_until_gone(ours, 60), "the guardian, and the end of the harness, end them all"
    swept = subprocess.run([sys.executable, "-m", "bench", "sweep"], capture_output=True, text=True, check=True)
    assert "control group" not in swept.stdout, "the guardian has ended it"
    assert_same(before)


def _victims() -> list[str]:
    """Return the victims' arguments of all processes."""
    found = []
    for pid in proctable.with_argument("--victim"):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        found.append(words[words.index(b"--victim") + 1].decode())
    return found
