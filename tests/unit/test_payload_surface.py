"""The payload that reports what a program may do: every call and act once, the same each time, and nothing left by trying."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.benchmarks.hardening import surface
from bench.benchmarks.hardening.surface import ANSWERED, MISSING, UNTRIED, Surface
from bench.core import kernelfiles, proc
from bench.core.syscalls import COUNT, NAMES
from bench.lab import images

_QUEUES = [Path("/proc/sysvipc") / name for name in ("msg", "sem", "shm")]


def reported(state: Path, *, count: int = COUNT, pid: int = 0) -> Surface:
    program = str(images.payload(state).path)
    done = proc.run([program, "--events", "fd:1", "--surface", f"{pid}:{count}", "--exit"], timeout_s=60)
    assert done.status == 0, done.stderr
    assert done.stdout.endswith("E surface\n")
    return surface.parse(done.stdout.splitlines())


def test_every_system_call_is_tried_and_two_times_give_the_same(built_state: Path) -> None:
    before = [kernelfiles.text(path) for path in _QUEUES]
    first, second = reported(built_state), reported(built_state)
    assert set(first.calls) == set(NAMES)
    assert first.calls == second.calls
    assert first.acts == second.acts
    assert [kernelfiles.text(path) for path in _QUEUES] == before


def test_usual_calls_answer_and_a_number_of_none_is_missing(built_state: Path) -> None:
    found = reported(built_state)
    usual = ("read", "openat", "getpid", "clone", "exit", "exit_group", "execve", "kill", "futex", "mmap")
    assert {found.calls[name] for name in usual} == {ANSWERED}
    assert {found.calls[name] for name in ("sync", "rt_sigreturn")} == {UNTRIED}
    program = str(images.payload(built_state).path)
    done = proc.run([program, "--events", "fd:1", "--surface", "0:424", "--exit"], timeout_s=60)
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("S calls ")]
    assert "".join(row[3] for row in rows)[400:] == MISSING * 24


def test_acts_on_a_process_of_the_host_are_tried_only_with_one(built_state: Path) -> None:
    on_host = {"signal-host", "trace-host", "open-other-root"}
    assert not on_host & set(reported(built_state, count=1).acts)
    victim = proc.spawn([str(images.payload(built_state).path), "--sleep"])
    try:
        found = reported(built_state, count=1, pid=victim.pid).acts
        assert found["signal-host"] == 0
        assert on_host < set(found)
        assert victim.poll() is None
    finally:
        victim.stop(5)


def test_status_and_mounts_are_those_of_the_kernel(built_state: Path) -> None:
    found = reported(built_state, count=1)
    own = surface.status(kernelfiles.text(Path("/proc/self/status")).splitlines())
    assert found.status["CapBnd"] == own["CapBnd"]
    assert found.status["NoNewPrivs"] == own["NoNewPrivs"]
    assert "/" in {one.point for one in found.mounts}
    assert found.users


@pytest.mark.parametrize("value", ["", "1", "x:1", "1:x"])
def test_unusable_value_is_an_error(built_state: Path, value: str) -> None:
    program = str(images.payload(built_state).path)
    done = proc.run([program, "--events", "fd:1", "--surface", value, "--exit"], timeout_s=10)
    assert done.status == 64
    assert "--surface" in done.stderr
