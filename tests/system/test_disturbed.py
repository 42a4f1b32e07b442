"""Ramps of memory beside a program that takes and gives back memory all the time: right, or said to be disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from bench import store
from tests.inventory import assert_same, inventory
from tests.system.conftest import Tare, without_controls

pytestmark = [pytest.mark.root, pytest.mark.engines, pytest.mark.system]

MIB = 2**20
TAKEN = 200 * MIB
BREATHING = f"""
import mmap, time
while True:
    block = mmap.mmap(-1, {TAKEN}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for offset in range(0, {TAKEN}, 4096):
        block[offset] = 1
        if offset % (20 << 20) == 0:
            time.sleep(0.1)
    time.sleep(0.7)
    block.close()
    time.sleep(0.7)
"""
"""Takes 200 MiB in a second, keeps it, gives it back, and begins anew."""
WITHIN, FLOOR = 0.10, 65536
"""Agreement of two ways of counting: a tenth, or the smallest difference that the metric counts."""


@contextmanager
def breathing() -> Iterator[None]:
    """Run a program outside the run that takes and gives back memory."""
    with subprocess.Popen([sys.executable, "-c", BREATHING]) as process:
        try:
            yield
        finally:
            process.kill()


def run(tare: Tare, results: Path, benchmark: str, *words: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run one block of a benchmark on runc; return the measurements with parsed params, and the outcomes."""
    scenario = without_controls(results.parent, benchmark)
    done = tare("run", scenario, "-t", "runc", "-p", "instances=20", "-p", "touch_bytes=0", *words, timeout_s=500)
    assert done.returncode == 0, done.stdout + done.stderr
    found = store.load(store.find(results, "latest"))
    numbers, outcomes = store.measurements(found), store.outcomes(found)
    numbers["params"] = numbers["params"].map(json.loads)
    return numbers, outcomes


def slope(numbers: pd.DataFrame, metric: str, column: str = "") -> float:
    """Return the slope of runc in one column."""
    mine = numbers[(numbers["metric"] == metric) & (numbers["target"] == "runc")]
    (value,) = [
        value for value, params in zip(mine["value"], mine["params"], strict=True) if params.get("column", "") == column
    ]
    return float(value)


def test_ramps_beside_a_breathing_program_are_right_or_disturbed(tare: Tare, tmp_path: Path) -> None:
    """Compare what is left of MemAvailable with what the parts of the same readings add up to, for each ramp with a value."""
    before, results = inventory(), tmp_path / "results"
    noticed, attempts, right = 0, 0, {}
    with breathing():
        for benchmark, words in (("memory", ("--blocks", "1")), ("density", ("-p", "step=5", "--blocks", "1"))):
            numbers, outcomes = run(tare, results, benchmark, *words)
            attempts += sum(map(len, outcomes["disturbed"]))  # the host's as well
            for _, outcome in outcomes[outcomes["target"] == "runc"].iterrows():
                noticed += len(outcome["disturbed"])
                assert outcome["status"] in ("ok", "disturbed"), outcome["reason"]
                mine = numbers[numbers["invocation"] == outcome["invocation"]]
                assert mine.empty == (outcome["status"] == "disturbed"), "a disturbed ramp has no measurement"
                if outcome["status"] == "disturbed":
                    assert len(outcome["disturbed"]) == 3, "it was repeated twice"
                elif benchmark == "memory":
                    parts = slope(mine, "memory.slope_bytes", "anonymous") + slope(mine, "memory.slope_bytes", "kernel")
                    taken = slope(mine, "memory.slope_bytes", "available")
                    assert taken == pytest.approx(parts, rel=WITHIN, abs=FLOOR)
                    right["memory"] = taken
                elif "memory" in right:
                    taken = slope(mine, "density.slope_bytes")
                    assert taken == pytest.approx(right["memory"], rel=WITHIN, abs=FLOOR)
    assert noticed, "200 MiB came and went, and no ramp noticed it"
    kept = list(results.glob("*/raw/*disturbed-ramp*"))
    assert len(kept) == attempts, "the readings of each disturbed ramp are kept"
    assert_same(before)
