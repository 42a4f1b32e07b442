"""Processes we did not start, by PID: find them, wait for them, kill them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path

from bench.core import kernelfiles
from bench.core.clock import now_s


def children_of(pid: int) -> set[int]:
    """Return the PIDs of the direct children of all threads of a process; the empty set when it is gone."""
    tasks = Path(f"/proc/{pid}/task")
    return {
        int(child) for task in kernelfiles.names(tasks) for child in kernelfiles.text(tasks / task / "children").split()
    }


def with_argument(argument: str, table: Path = kernelfiles.PROC) -> set[int]:
    """Return the PIDs of the processes that have exactly this argument on their command line; ``table`` is where /proc is."""
    wanted = os.fsencode(argument)

    def has(pid: int) -> bool:
        return wanted in (kernelfiles.content(table / f"{pid}/cmdline") or b"").split(b"\0")

    return {pid for pid in kernelfiles.pids(table) if has(pid)}


def wait_until_gone(pids: set[int], timeout_s: float) -> set[int]:
    """Wait until all processes have ended; return those that still run after ``timeout_s`` seconds."""
    deadline = now_s() + timeout_s
    left = set(pids)
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            left.discard(pid)
            continue
        with contextlib.closing(os.fdopen(descriptor, "rb", buffering=0)):
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            if poller.poll(max(0.0, deadline - now_s()) * 1000):
                left.discard(pid)
    return left


def kill_all(pids: set[int], timeout_s: float = 5.0) -> set[int]:
    """Send SIGKILL to each process and return those that still run after ``timeout_s`` seconds."""
    for pid in pids:
        with contextlib.suppress(
            ProcessLookupError, PermissionError
        ):  # a number may belong to another user's process now
            os.kill(pid, signal.SIGKILL)
    return wait_until_gone(pids, timeout_s)
