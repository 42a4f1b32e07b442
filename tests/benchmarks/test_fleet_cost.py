"""What a fleet of a hundred hosts costs its controller: wall time over the slowest host's, and memory.

The hosts are a hundred folders of this machine behind local connections, their Tare a script that sleeps and leaves a run, so that
the controller's work and the agents' is all that there is. On few CPUs the agents of all hosts share them, as they would not on a
hundred machines. ``TARE_FLEET_HOSTS`` and ``TARE_FLEET_SLEEP_S`` change the size.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import store
from bench.core import kernelfiles
from tests.inventory import status
from tests.synthetic_pairs import write

pytest.importorskip("ansible_runner", reason="pip install 'tare-bench[provision]'")

HOSTS = int(os.environ.get("TARE_FLEET_HOSTS", "100"))
SLEEP_S = int(os.environ.get("TARE_FLEET_SLEEP_S", "240"))

PROGRAM = """#!/bin/sh
[ "$1" = --version ] && { echo "tare, version 0.1.0"; exit; }
for word; do
    case $word in fleet.host=*) id=run-${word#fleet.host=} ;; esac
    results=$word
done
date +%s.%N > TIMES/$id
sleep SECONDS
mkdir -p "$results"
cp -r TEMPLATE "$results/$id"
sed -i "s/template/$id/g" "$results/$id"/*.json*
date +%s.%N >> TIMES/$id
"""


def family(pid: int) -> set[int]:
    """Return a process and all below it."""
    found, grown = {pid}, True
    parents = {one: status(one)[2] for one in kernelfiles.pids(kernelfiles.PROC)}
    while grown:
        new = {one for one, parent in parents.items() if parent in found} - found
        found |= new
        grown = bool(new)
    return found


def proportional_bytes(pids: set[int]) -> int:
    """Return the memory of processes, pages that several share counted once among them."""
    total = 0
    for pid in pids:
        for line in kernelfiles.text(kernelfiles.PROC / f"{pid}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                total += 1024 * int(line.split()[1])
    return total


def prepare(folder: Path) -> Path:
    """Write the hosts' program and the inventory; return its path."""
    write(folder, "template", {"host": [0.1] * 400, "runc": [0.2] * 400})
    (folder / "times").mkdir()
    program = folder / "tare"
    text = PROGRAM.replace("TIMES", str(folder / "times")).replace("TEMPLATE", str(folder / "template"))
    program.write_text(text.replace("SECONDS", str(SLEEP_S)))
    program.chmod(0o755)
    inventory = folder / "inventory.yml"
    common = f"{{ansible_connection: local, tare_program: {program}, tare_fleet_dir: {folder}/place}}"
    inventory.write_text(
        f"all:\n  vars: {common}\n  hosts:\n" + "".join(f"    h{number}:\n" for number in range(HOSTS))
    )
    return inventory


def test_hundred_hosts_take_little_longer_than_the_slowest_in_little_memory(tmp_path: Path) -> None:
    inventory = prepare(tmp_path)
    argv = [sys.executable, "-m", "bench", "fleet", "run", "-i", str(inventory), "startup", "-t", "host"]
    begin, most = time.monotonic(), 0
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen([*argv, "--results", str(tmp_path / "results")], stdout=out, stderr=out)
        while process.poll() is None:
            most = max(most, proportional_bytes(family(process.pid)))
            time.sleep(1)
    wall_s = time.monotonic() - begin
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, (tmp_path / "out").read_text()[-2000:]
    times = [tuple(map(float, path.read_text().split())) for path in (tmp_path / "times").iterdir()]
    slowest_s = max(end - start for start, end in times)
    copied = sum(path.stat().st_size for path in (tmp_path / "results").rglob("*") if path.is_file())
    print(
        f"\n{HOSTS} hosts: wall {wall_s:.0f} s, slowest host {slowest_s:.0f} s (ratio {wall_s / slowest_s:.2f}), "
        f"started within {max(start for start, _ in times) - min(start for start, _ in times):.0f} s, "
        f"{copied / 2**20:.0f} MiB copied, controller at most {most / 2**20:.0f} MiB (PSS), "
        f"CPU time of controller and agents {used.ru_utime + used.ru_stime:.0f} s"
    )
    assert len({store.load(path).run_id for path in (tmp_path / "results").iterdir()}) == HOSTS
    assert most <= 2**30
    assert wall_s <= 1.3 * slowest_s
