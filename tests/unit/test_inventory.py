"""The inventory that system tests compare counts what they left, and not what others run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import inventory


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """Return a program that is called as an engine is."""
    found = shutil.which("sleep")
    assert found
    return Path(shutil.copy(found, tmp_path / "conmon"))


@pytest.fixture
def started() -> Iterator[list[int]]:
    """Yield a list of processes that are ended after the test."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def orphan(script: str, environment: dict[str, str], started: list[int]) -> int:
    """Run a shell script that ends and leaves processes behind, whose ids it prints; return the last, the engine."""
    done = subprocess.run(["sh", "-c", script], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    pids = [int(word) for word in done.stdout.split()]
    started += pids
    return pids[-1]


def seen(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while inventory.status(pid)[0] != "conmon" and time.monotonic() < deadline:
        time.sleep(0.01)  # the shell's child has not called exec yet
    return f"{pid} (conmon" in set(inventory.processes())


def test_orphan_of_a_test_counts(engine: Path, started: list[int]) -> None:
    inventory.inventory()
    pid = orphan(f"{engine} 100 >/dev/null & echo $!", dict(os.environ), started)
    assert seen(pid)


def test_orphan_below_a_living_parent_that_a_test_started_counts(engine: Path, started: list[int]) -> None:
    inventory.inventory()
    script = (
        f"sh -c 'echo $$; {engine} 100 >/dev/null & echo $!; exec >/dev/null; while :; do sleep 1; done' & sleep 0.5"
    )
    assert seen(orphan(script, dict(os.environ), started))


def test_engine_of_another_living_program_does_not_count(engine: Path, started: list[int]) -> None:
    script = (
        f"sh -c 'echo $$; {engine} 100 >/dev/null & echo $!; exec >/dev/null; while :; do sleep 1; done' & sleep 0.5"
    )
    assert not seen(orphan(script, {"PATH": os.environ["PATH"]}, started))


def test_what_is_new_counts_and_what_other_labs_took_with_them_does_not() -> None:
    before = {"rules": "a\nb", "control groups": "/tare/1\n/tare/2"}
    assert inventory.changes(before, {"rules": "b\na", "control groups": "/tare/2"}) == {}
    now = {"rules": "a", "control groups": "/tare/2\n/tare/3"}
    assert inventory.changes(before, now) == {"rules": ["- b"], "control groups": ["+ /tare/3"]}
