"""The guardian: it sleeps while the harness lives, then ends the run's control group and nothing else."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from bench.core import proc
from bench.core.clock import sleep_s
from bench.core.errors import InvocationTimeout
from bench.lab import guardian


def test_process_is_below_its_own_run_only() -> None:
    table = b"3:cpu,cpuacct:/tare/1a2b/harness\n0::/user.slice\n"
    assert guardian.is_below(table, "tare/1a2b")
    assert guardian.is_below(b"0::/docker/x/tare/1a2b\n", "tare/1a2b")
    for other in ("tare/1a2", "tare/1a2b3", "tare/harness", "are/1a2b"):
        assert not guardian.is_below(table, other), other
    assert not guardian.is_below(b"0::/tare/1a2b.guardian\n", "tare/1a2b")
    assert not guardian.is_below(b"", "tare/1a2b")


def test_guardian_sleeps_until_the_harness_ends(tmp_path: Path) -> None:
    """The control group is a plain folder here, with this process's number in it: it is in no run, so it must survive."""
    own, top = tmp_path / "tare/x.guardian", tmp_path / "tare/x"
    for folder in (own, top / "lab"):
        folder.mkdir(parents=True)
    (top / "lab/cgroup.procs").write_text(f"{os.getpid()}\n")
    harness = proc.spawn([sys.executable, "-c", "import time; time.sleep(60)"])
    descriptor = os.pidfd_open(harness.pid)
    watching = proc.spawn(guardian.argv(own, [top]), keep={guardian.HARNESS: descriptor})
    os.close(descriptor)
    with pytest.raises(InvocationTimeout):
        watching.wait(0.5)
    assert harness.stop(5, signal.SIGKILL) == -signal.SIGKILL
    sleep_s(0.2)
    assert watching.poll() is None, "a group that cannot be removed is tried again"
    (top / "lab/cgroup.procs").unlink()
    assert watching.wait(10) == 0
    assert not top.exists()
