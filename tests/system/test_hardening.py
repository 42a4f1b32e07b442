"""System tests of benchmark ``hardening``: facts that are exact, the price of a filter in its band, nothing left."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench import store
from bench.benchmarks.hardening.measure import measure
from bench.core import proctable
from bench.core.clock import EventHub
from bench.core.errors import NotApplicable
from bench.core.metrics import METRICS
from bench.core.model import Interval, ParamValue
from bench.invocation.context import InvocationResult
from bench.lab import Lab
from bench.stats.exact import median_ci
from tests.inventory import assert_same, inventory
from tests.system.by_hand import on_host
from tests.system.conftest import Tare, prepared, without_controls
from tests.system.test_faults import background, until

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

LEVEL = 0.99
PAIRS = 8
NAMES = ("docker", "podman", "containerd", "runc", "crun", "runsc")
SHORT = ("-p", "pairs=1", "-p", "milliseconds=20", "--warmup", "0")


@pytest.fixture
def lab(open_state: Path) -> Iterator[Lab]:
    with Lab("4a2d", state=open_state) as opened:
        yield opened


def asked(*names: str) -> list[str]:
    return [word for name in names for word in ("-t", name)]


def interval(found: InvocationResult, call: str) -> Interval:
    """Return the interval of the median of a call's ratios, which are of pairs."""
    ratios = [
        math.log(one.value)
        for one in found.series
        if one.metric == "hardening.call_ratio" and one.params["call"] == call
    ]
    assert len(ratios) == PAIRS
    ci = median_ci(ratios, LEVEL)
    assert ci is not None
    return Interval(math.exp(ci.low), math.exp(ci.high), LEVEL)


def kernel() -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


@pytest.mark.skipif(kernel() < (5, 11), reason="this kernel runs the whole filter for each call")
def test_docker_filter_costs_little_for_getpid_and_nothing_without_calls(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    """Require the time without the filter, as a multiple of that with it, not to be certainly outside 1 ÷ 1.5 to 1."""
    engine = prepared(lab, "docker:network=none")
    with EventHub() as hub:
        found = measure(
            on_host(lab, hub, engine, "hardening", {"switch": "no-filter", "pairs": PAIRS, "milliseconds": 20})
        )
    getpid, compute = interval(found, "getpid"), interval(found, "compute")
    with capsys.disabled():
        print(
            f"\n    without ÷ with: getpid {getpid.low:.3f}–{getpid.high:.3f}, compute {compute.low:.3f}–{compute.high:.3f}",
            end="",
        )
    assert getpid.high >= 1 / 1.5
    assert getpid.low <= 1
    assert compute.high >= 0.95
    assert compute.low <= 1.05


def measurements(folder: Path) -> pd.DataFrame:
    run = store.load(store.find(folder / "results", "latest"))
    outcomes = store.outcomes(run)
    assert set(outcomes["status"]) <= {"ok", "skipped"}, outcomes["reason"].tolist()
    ended = outcomes[outcomes["status"] == "ok"]
    notes = ended.assign(text=ended["notes"].map(str)).groupby(["target", "params"])["text"]
    assert (notes.nunique() == 1).all(), notes.unique()
    return store.measurements(run)


def test_facts_are_the_same_in_every_block_and_nothing_is_left(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    chosen = (*asked(*NAMES), *SHORT, "--blocks", "2", "-p", "switch=all")
    done = tare("run", without_controls(tmp_path, "hardening"), *chosen, timeout_s=500)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers = measurements(tmp_path)
    exact = numbers[[METRICS[name].exact for name in numbers["metric"]]]
    cells = exact.groupby(["target", "metric", "params"])["value"]
    assert (cells.count() == 2).all()
    assert (cells.min() == cells.max()).all(), cells.agg(["min", "max"])
    assert set(numbers.loc[numbers["metric"] == "hardening.acts", "target"]) == set(NAMES)
    assert_same(before)


def test_files_of_an_image_are_measured_with_and_without_mapped_users(lab: Lab) -> None:
    for name in ("podman", "docker"):
        engine = prepared(lab, f"{name}:network=none")
        for number, switch in enumerate(("default", "userns")):
            params: dict[str, ParamValue] = {"part": "files", "switch": switch, "files": 50}
            try:
                with EventHub() as hub:
                    found = measure(on_host(lab, hub, engine, "hardening", params, number=number))
            except NotApplicable as error:
                pytest.skip(str(error))
            assert found.values["hardening.first_start_s"] > 0
            assert found.values["hardening.second_start_s"] > 0


@pytest.mark.parametrize(("names", "switch"), [(("podman", "docker"), "all"), (("podman", "runc"), "rootless")])
def test_killed_run_leaves_nothing_after_a_sweep(
    tare: Tare, tmp_path: Path, names: tuple[str, ...], switch: str
) -> None:
    """Kill the harness while instances report what they may do, of a daemon that maps users or of an ordinary user of the host."""
    before = inventory()
    chosen = (*asked(*names), *SHORT, "--blocks", "3", "-p", f"switch={switch}")
    with background(tmp_path, without_controls(tmp_path, "hardening"), *chosen) as process:
        for _ in range(3):
            until(lambda: bool(proctable.with_argument("--surface")), "an instance reports what it may do")
        process.kill()
        process.wait()
    until(lambda: inventory()["processes"] == before["processes"], "the guardian has ended the run's processes")
    assert tare("sweep").returncode == 0
    assert_same(before)
