"""Name the limit of the host that a ramp ran into, from counters and from the error message."""

from __future__ import annotations

import contextlib
import re
import resource
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.core import kernelfiles
from bench.core.units import format_value
from bench.lab import cgroups

_GIB = 2**30
_NEAR = 0.95
"""Fraction of the limit from which a counter counts as exhausted: a failed start has already released its share."""


@dataclass(frozen=True)
class Counter:
    """Usage and limit of a countable resource."""

    name: str
    used: int
    limit: int

    @property
    def text(self) -> str:
        """Usage and limit in words."""
        return f"{self.name}: {self.used} of {self.limit} in use"


def floor_bytes(asked: int, total: int) -> int:
    """Return how much of MemAvailable a ramp leaves free: ``asked``, or for 0 a tenth of ``total`` but at least 1 GiB."""
    return asked or max(_GIB, total // 10)


def counters(cgroup_path: str = "", proc: Path = Path("/proc")) -> list[Counter]:
    """Return the host's countable resources that can be read; ``cgroup_path`` is the run's control group."""
    lab_pids = cgroups.pids_of(f"{cgroup_path}/lab") if cgroup_path else set()
    found = [
        _counter("processes (kernel.pid_max)", lambda: _tasks(proc), lambda: _number(proc / "sys/kernel/pid_max")),
        _counter(
            "threads (kernel.threads-max)", lambda: _tasks(proc), lambda: _number(proc / "sys/kernel/threads-max")
        ),
        _counter(
            "open files (fs.file-max)",
            lambda: _number(proc / "sys/fs/file-nr"),
            lambda: _number(proc / "sys/fs/file-max"),
        ),
        _counter("open files of this process", lambda: len(kernelfiles.names(proc / "self/fd")), _own_files),
        _counter("ports of one bridge", lambda: bridge_ports(lab_pids, proc), lambda: BRIDGE_PORTS),
    ]
    mount = cgroups.controller("pids")
    if mount is not None:
        found += _pids_groups(mount, mount / cgroup_path.lstrip("/"))
    return [counter for counter in found if counter is not None]


BRIDGE_PORTS = 1023
"""Largest number of ports of a Linux bridge: they have 10 bits and begin at 1 (BR_MAX_PORTS in net/bridge/br_private.h)."""

_WORDS = (
    ("exchange full", "ports of one bridge"),
    ("no available ipv4", "addresses of the engine's network"),
    ("all predefined address pools", "addresses of the engine's network"),
    ("too many open files", "open files"),
    ("cannot allocate memory", "memory"),
    ("out of memory", "memory"),
    ("oom", "memory"),
    ("no space left on device", "space: of a file system, or the number of control groups or namespaces"),
    ("resource temporarily unavailable", "processes"),
    ("no child processes", "processes"),
    ("pids.max", "processes"),
)
"""Error messages of kernel and engines (errno(3), and EXFULL of a bridge) → the exhausted resource."""


def name_of(error: str, known: list[Counter], available: int) -> str:
    """Return a sentence on the limit that a failed start hit: an exhausted counter, else what the error message names."""
    said = " ".join(error.split())[:300]
    for counter in known:
        if counter.used >= _NEAR * counter.limit:
            return f"{counter.text}; the error: {said}"
    for words, resource_name in _WORDS:
        if words in said.lower():
            numbers = [counter.text for counter in known if counter.name.startswith(resource_name)]
            memory = [f"MemAvailable {format_value(available, 'bytes')}"] if resource_name == "memory" else []
            return f"{resource_name} ({'; '.join([*numbers, *memory]) or 'no counter'}); the error: {said}"
    return f"an error that names no resource known here: {said}"


def bridge_ports(pids: Iterable[int], proc: Path = Path("/proc")) -> int | None:
    """Return the number of veth devices in the network namespace of one of these processes, ``None`` if none can be read.

    Container engines attach one end of each veth pair to a bridge and move the other end into a container.
    """
    for pid in pids:
        with contextlib.suppress(OSError):
            table = (proc / f"{pid}/net/dev").read_text(encoding="ascii")
            return sum(line.lstrip().startswith("veth") for line in table.splitlines())
    return None


def _counter(name: str, used: Callable[[], int | None], limit: Callable[[], int | None]) -> Counter | None:
    with contextlib.suppress(OSError, ValueError):
        have, most = used(), limit()
        if have is not None and most is not None:
            return Counter(name, have, most)
    return None


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii").split()[0])


def _own_files() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _tasks(proc: Path) -> int:
    """Return the number of threads on the host, from the fourth field of /proc/loadavg (runnable/all).

    Raises:
        ValueError: The field has another form.
    """
    found = re.search(r" \d+/(\d+) ", (proc / "loadavg").read_text(encoding="ascii"))
    if found is None:
        msg = "no thread count in /proc/loadavg"
        raise ValueError(msg)
    return int(found[1])


def _pids_groups(mount: Path, group: Path) -> list[Counter]:
    """Return the pids limits of a control group and its ancestors (Documentation/admin-guide/cgroup-v2.rst, PID)."""
    found = []
    for path in (group, *group.parents):
        if path == mount:
            break
        counter = _counter(
            f"processes (control group /{path.relative_to(mount)})",
            lambda path=path: _number(path / "pids.current"),  # type: ignore[misc]
            lambda path=path: _number(path / "pids.max"),  # type: ignore[misc]
        )
        found += [counter] if counter else []
    return found
