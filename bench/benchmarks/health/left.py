"""What probes leave: processes that did not exist before, and that stay when the probes are over."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection

from bench.core import kernelfiles
from bench.core.clock import sleep_s
from bench.engines.base import Instance
from bench.invocation.context import InvocationContext
from bench.lab import cgroups

_ZOMBIE = "Z"
_GONE = ""


def every(context: InvocationContext, instance: Instance) -> frozenset[int]:
    """Return the PIDs of the run and of the instance, zombies in the instance included, without this one."""
    path = context.lab.cgroup_path
    found = instance.pids() | (cgroups.pids_of(path) if path else set())
    return frozenset(found - {os.getpid()})


def state(pid: int) -> str:
    """Return the state of a process as the kernel writes it (``Z``: a zombie); empty when it is gone."""
    text = kernelfiles.text(kernelfiles.PROC / f"{pid}/stat")
    return (text.rpartition(")")[2].split() or [_GONE])[0]


def staying(pids: Collection[int], seconds: float) -> frozenset[int]:
    """Return those PIDs that still exist after a time."""
    sleep_s(seconds)
    return frozenset(pid for pid in pids if state(pid) != _GONE)


def running(pids: Collection[int]) -> int:
    """Count those that run: neither gone nor zombies."""
    return sum(state(pid) not in (_GONE, _ZOMBIE) for pid in pids)


def zombies(pids: Collection[int]) -> int:
    """Count the zombies."""
    return sum(state(pid) == _ZOMBIE for pid in pids)


def named(pids: Collection[int]) -> str:
    """Return the names of processes with their numbers: ``3 conmon``; empty for none."""
    names = Counter(kernelfiles.text(kernelfiles.PROC / f"{pid}/comm").strip() for pid in pids)
    return ", ".join(f"{count} {name}" for name, count in sorted(names.items()) if name)
