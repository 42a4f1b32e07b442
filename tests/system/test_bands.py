"""Known physics: ratios that published work found on many machines must come out here, too. Each figure is printed.

Only what is robust enough to carry over between hosts and kernels is a failure (the width of each band allows for it); the
sources are named beside the bands.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Tare, inventory, without_controls

pytestmark = [pytest.mark.root, pytest.mark.engines, pytest.mark.system]

Lines = list[dict[str, Any]]
SINGLE = ("mnt", "pid", "uts", "ipc", "cgroup", "user")


def measured(tare: Tare, state: Path, *arguments: str) -> Lines:
    """Run a scenario and return the measurements of its measured blocks."""
    before = inventory()
    done = tare("run", *arguments, env={"TARE_STATE": str(state)}, timeout_s=500)
    assert done.returncode == 0, done.stdout + done.stderr
    run_id = done.stdout.split()[-1]
    exported = tare("export", run_id, "--format", "jsonl")
    assert exported.returncode == 0, exported.stderr
    assert inventory() == before
    return [line for line in map(json.loads, exported.stdout.splitlines()) if not line["warmup"]]


def blocks(lines: Lines, metric: str, target: str, *, add: bool = False, **params: str | float) -> dict[int, float]:
    """Return block → value of a series; ``add`` sums up what the params leave open."""
    found: dict[int, float] = {}
    for line in lines:
        if (line["metric"], line["target"]) == (metric, target) and params.items() <= line["params"].items():
            found[line["block"]] = line["value"] + (found.get(line["block"], 0.0) if add else 0.0)
    assert found, f"no {metric} of {target} with {params}"
    return found


def ratio(above: dict[int, float], below: dict[int, float]) -> float:
    """Return the median over the blocks of what is paired within each."""
    return math.exp(statistics.median(math.log(above[block] / below[block]) for block in above.keys() & below.keys()))


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[[str, float, float, float], None]:
    """Print a figure with its band and hold it to it."""

    def show(name: str, value: float, low: float, high: float) -> None:
        with capsys.disabled():
            print(f"\n    {name}: {value:.3g} (band {low:g} to {high:g})", end="")
        assert low <= value <= high, f"{name}: {value} lies outside {low} to {high}"

    return show


def test_a_network_namespace_is_the_dear_one(
    tare: Tare, state: Path, tmp_path: Path, shown: Callable[..., None]
) -> None:
    """A life in one (fork, unshare, exit, wait) takes 2 to 8 times that in any other single one.

    The figures that the band comes from hold the child's first page faults beside the call, so whole lives are compared. The
    call alone, which is shown too, has a larger ratio and no band: what it is divided by is a few microseconds.
    """
    scenario = without_controls(tmp_path, "namespaces")
    lines = measured(tare, state, scenario, "-t", "host", "--blocks", "3", "--warmup", "0", "-p", "rounds=50")
    kinds = [kind for kind in SINGLE if any(line["params"].get("kind") == kind for line in lines)]
    assert len(kinds) >= 4
    alone = min(line["params"]["workers"] for line in lines if line["metric"] == "namespace.create_per_s")

    def life(kind: str) -> float:
        return 1 / statistics.median(blocks(lines, "namespace.create_per_s", "host", kind=kind, workers=alone).values())

    def call(kind: str) -> float:
        return statistics.median(blocks(lines, "namespace.create_s", "host", kind=kind).values())

    shown("net ÷ mean of the others, the call alone", call("net") / statistics.mean(map(call, kinds)), 0, math.inf)
    shown("net ÷ mean of the others, a whole life", life("net") / statistics.mean(map(life, kinds)), 2, 8)


def test_the_ladder_of_runtimes(tare: Tare, state: Path, tmp_path: Path, shown: Callable[..., None]) -> None:
    """A whole life by runc takes 1.3 to 3 times that by crun (crun's README), by Docker 4 to 20 times that by runc (bucketbench)."""
    rungs = ("-t", "crun", "-t", "runc", "-t", "docker")
    lines = measured(tare, state, without_controls(tmp_path, "stack"), *rungs, "--blocks", "10", "-p", "lives=0")
    life = {target: blocks(lines, "stack.wall_s", target, add=True) for target in ("crun", "runc", "docker")}
    shown("runc ÷ crun, a whole life", ratio(life["runc"], life["crun"]), 1.3, 3)
    shown("docker ÷ runc, a whole life", ratio(life["docker"], life["runc"]), 4, 20)


def test_what_a_user_space_kernel_weighs(tare: Tare, state: Path, shown: Callable[..., None]) -> None:
    """GVisor adds 10 to 40 MB an instance to runc (its own density figures); memory over N is a line."""
    targets = ("-t", "runc", "-t", "runsc")
    idle = ("-p", "touch_bytes=0", "-p", "instances=20")
    lines = measured(tare, state, "memory", *targets, *idle, "--blocks", "1", "--warmup", "0")
    slope = {target: blocks(lines, "memory.slope_bytes", target, column="available")[0] for target in ("runc", "runsc")}
    shown("runsc − runc, MB an instance", (slope["runsc"] - slope["runc"]) / 1e6, 10, 40)
    fit = blocks(lines, "memory.fit_r2", "runsc", column="available")[0]
    shown("R² of gVisor's memory over N", fit, 0.99, 1)
