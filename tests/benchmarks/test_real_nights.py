"""Nights of a real runtime that becomes slower, on the host as it is and beside a load that comes and goes.

    TARE_NIGHTS=20 pytest tests/benchmarks/test_real_nights.py -s

Four nights are measured with a wrapper around runc that only passes on. Then the wrapper sleeps before ``create``, and the next night is
measured again and again, each time after the same four. Printed are the exit codes of ``tare nightly`` and what it said of runc.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.test_real_changes import delayed

pytestmark = [pytest.mark.root, pytest.mark.engines, pytest.mark.timeout(7200)]

NIGHTS = int(os.environ.get("TARE_NIGHTS", "5"))
"""How often the night after is measured."""

BASE_NIGHTS, BLOCKS = 4, 20

LOAD = """
import random, sys, time
drawn = random.Random(int(sys.argv[1]))
while True:
    time.sleep(drawn.uniform(5, 30))
    end = time.monotonic() + drawn.uniform(2, 15)
    while time.monotonic() < end:
        pass
"""


@pytest.fixture(params=["quiet", "load"])
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield the condition; with ``load``, one process a CPU is busy for 2 to 15 s after each 5 to 30 s."""
    seeds = range(os.cpu_count() or 1) if request.param == "load" else ()
    processes = [subprocess.Popen([sys.executable, "-c", LOAD, str(seed)]) for seed in seeds]
    yield request.param
    for process in processes:
        process.kill()
        process.wait()


def night(folder: Path, runc: str, seed: int) -> tuple[int, str]:
    """Measure one night below ``folder``; return its exit code and what its summary says first."""
    argv = [sys.executable, "-m", "bench", "nightly", "startup", "-t", "host", "-t", runc, "-t", "crun"]
    done = subprocess.run(
        [*argv, "--blocks", str(BLOCKS), "--seed", str(seed)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1, 4, 5), done.stderr
    summaries = sorted((folder / "reports").glob("*/summary.json"), key=lambda path: path.stat().st_mtime)
    found = json.loads(summaries[-1].read_text(encoding="utf-8"))
    mine = [f"{one['metric']} {one.get('ratio') or 0:.2f}" for one in found["confirmed"] if one["target"] == runc]
    return done.returncode, ", ".join(mine)


@pytest.mark.parametrize("delay_s", [0.030, 0.005])
def test_night_after_a_runtime_became_slower_is_an_alarm(tmp_path: Path, host: str, delay_s: float) -> None:
    script = tmp_path / "wrapped"
    before = tmp_path / "before"
    before.mkdir()
    runc = delayed(script, 0)
    base = [night(before, runc, number)[0] for number in range(BASE_NIGHTS)]
    delayed(script, delay_s)
    codes: Counter[int] = Counter()
    print(f"\n{host}, {1e3 * delay_s:.0f} ms: the nights before ended with {base}")
    for number in range(NIGHTS):
        after = tmp_path / f"after-{number}"
        shutil.copytree(before, after)
        started = time.monotonic()
        code, mine = night(after, runc, 1000 + number)
        codes[code] += 1
        print(
            f"  night {number + 1:2}: exit {code} after {time.monotonic() - started:.0f} s; {mine or 'nothing of runc'}"
        )
        shutil.rmtree(after)
    print(f"  exit codes: {dict(sorted(codes.items()))}")
    if delay_s == 0.030:  # it doubles the start: the alarm is due the same night
        assert codes[1] == NIGHTS
