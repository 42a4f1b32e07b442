"""An instance that reports what it may do: system calls, capabilities, mounts, privileged acts."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.benchmarks.hardening import surface
from bench.benchmarks.hardening.surface import Surface
from bench.core import kernelfiles, proc
from bench.core.syscalls import COUNT
from bench.engines.base import Instance, InstanceSpec
from bench.engines.hardening import Hardening
from bench.invocation import life
from bench.invocation.context import InvocationContext
from bench.lab import images
from bench.probes import filters
from bench.probes.filters import Passed

_ANYBODY = 0o777
"""Mode of the event socket: the payload need not be root, and may be another user of the host."""
_GRACE_S = 5.0
_DAEMONS = "/lab"
"""End of the path of the control group of a run's daemons (:mod:`bench.lab.cgroups`)."""


def observe(context: InvocationContext, wanted: Hardening | None) -> tuple[Surface, dict[str, str]]:
    """Start an instance and return what it reports of itself, and the evidence of what runs."""
    with _victim(context) as pid:
        arguments = ("--surface", f"{pid}:{COUNT}", "--sleep")
        spec = life.spec_of(context, arguments, suffix="-o", hardening=wanted)
        with life.opened(context, spec) as one:
            open_to_all(spec)
            with context.account.engine():
                one.request()
                instance = one.run()
                one.channel.wait_line(surface.END, context.timeout_s, instance.alive)
            evidence = life.evidence_of(context, instance)
            found = surface.parse([line.text for line in one.channel.lines])
            return from_outside(found, instance), evidence


def open_to_all(spec: InstanceSpec) -> None:
    """Let every user report to an instance's event socket."""
    spec.events.chmod(_ANYBODY)


@contextlib.contextmanager
def _victim(context: InvocationContext) -> Iterator[int]:
    """Yield a process of the host's, which an instance tries to signal, to trace and to look into."""
    name = f"{context.name}-v"
    context.lab.journal.add("process", name=name)
    program = images.payload(context.lab.paths.state).path
    victim = proc.spawn([str(program), "--name", name, "--sleep"])
    try:
        yield victim.pid
    finally:
        victim.stop(_GRACE_S)


def from_outside(found: Surface, instance: Instance) -> Surface:
    """Return what an instance has reported, with what the host's kernel says of its processes."""
    owners: dict[str, frozenset[int]] = {}
    pids = sorted(instance.pids())
    for pid in pids:
        owners[_program(pid)] = owners.get(_program(pid), frozenset()) | kernelfiles.users(pid)
    maps = [surface.user_map(kernelfiles.text(Path(f"/proc/{pid}/uid_map")).splitlines()) for pid in pids]
    roots = frozenset(outside for rows in maps for inside, outside, _ in rows if inside == 0)
    outside, passed = _outside(instance), let_through(instance)
    return dataclasses.replace(
        found, outside=outside, passed=passed, owners=owners, groups=_own_groups(pids), roots=roots
    )


def _own_groups(pids: Iterable[int]) -> int:
    """Count the hierarchies in which processes have a control group that is neither ours nor that of the lab's daemons."""
    ours = set(_groups("self"))
    rows = {row for pid in pids for row in _groups(pid)} - ours
    return len({kind for kind, path in rows if not path.endswith(_DAEMONS)})


def _groups(pid: int | str) -> list[tuple[str, str]]:
    """Return hierarchy and path of each of a process's control groups (cgroups(7))."""
    lines = kernelfiles.text(Path(f"/proc/{pid}/cgroup")).splitlines()
    return [(kind, path) for kind, path in ((line.rpartition(":")[0], line.rpartition(":")[2]) for line in lines)]


def let_through(instance: Instance) -> dict[str, Passed] | None:
    """Return what the filters of an instance's processes let through, by program; empty where none has a filter.

    Processes that another one traces are left out: their calls are answered by it (gVisor's platform ``ptrace``).
    """
    found: dict[str, Passed] = {}
    pids = sorted(instance.pids())
    for pid in filter(_is_filtered, pids):
        passed = filters.of_process(pid)
        if passed is None:
            return None
        name = _program(pid)
        if name not in found or passed.count > found[name].count:
            found[name] = passed
    return found if pids else None


def _is_filtered(pid: int) -> bool:
    status = _status(pid)
    return status.get("Seccomp", "0") != "0" and status.get("TracerPid", "0") == "0"


def _program(pid: int) -> str:
    """Return the name by which a process was started; of one without a command line (gVisor's) the kernel's name of it."""
    first = (kernelfiles.content(Path(f"/proc/{pid}/cmdline")) or b"").partition(b"\0")[0]
    return Path(os.fsdecode(first)).name or _status(pid).get("Name", "")


def _status(pid: int) -> dict[str, str]:
    return surface.status(kernelfiles.text(Path(f"/proc/{pid}/status")).splitlines())


def _outside(instance: Instance) -> dict[str, str]:
    """Return the status of an instance's process that has most filters, from the host's kernel; of gVisor it is the sandbox."""
    rows = [_status(pid) for pid in sorted(instance.pids())]
    return max(rows, key=lambda row: int(row.get("Seccomp_filters", "0")), default={})
