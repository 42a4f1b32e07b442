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

_PROCESSES, _FILES, _MEMORY = "processes", "open files", "memory"
_SPACE = "space: of a file system, or the number of control groups or namespaces"
_ADDRESSES = "addresses of the engine's network"
_INOTIFY = r"inotify|fsnotify"
_ERRORS: tuple[tuple[str, tuple[tuple[str, str], ...], str], ...] = (
    (
        r"resource temporarily unavailable|\bEAGAIN\b|errno[ =:]+11\b|os error 11\b",
        (
            (r"\b(v?fork|clone3?|pthread_create|newosproc|spawn|setuid)\b|\bthreads?\b|\bprocess(es)?\b", _PROCESSES),
            (
                r"connect|socket|\.sock\b|\bdial\b|sendmsg|accept",
                "connections that wait at a socket (net.core.somaxconn)",
            ),
            (r"iptables|ip6tables|xtables|\bnft\b", "the lock of the packet filter"),
        ),
        "",
    ),
    (
        r"too many open files|\bE[MN]FILE\b|errno[ =:]+2[34]\b|os error 2[34]\b",
        ((_INOTIFY, "inotify instances (fs.inotify.max_user_instances)"),),
        _FILES,
    ),
    (
        r"no space left on device|\bENOSPC\b|errno[ =:]+28\b|os error 28\b",
        (
            (_INOTIFY, "inotify watches (fs.inotify.max_user_watches)"),
            (r"epoll", "epoll watches (fs.epoll.max_user_watches)"),
            (r"unshare|\bclone3?\b|namespace", "namespaces (user.max_*_namespaces)"),
            (r"cgroup", "control groups (cgroup.max.descendants)"),
            (r"semget|shmget|msgget", "objects of System V IPC (kernel.shmmni, kernel.sem)"),
        ),
        _SPACE,
    ),
    (
        r"disk quota exceeded|\bEDQUOT\b|errno[ =:]+122\b|os error 122\b",
        ((r"\bkey(s|ring)?\b|add_key|keyctl", "keys of a user (kernel.keys.maxkeys, kernel.keys.maxbytes)"),),
        "the quota of a file system",
    ),
    (r"cannot allocate memory|out of memory|\bENOMEM\b|errno[ =:]+12\b|os error 12\b", (), _MEMORY),
    (r"\boom[- ]?kill|\boomkilled\b|\boom\b(?![_-]score)", (), _MEMORY),
    (r"exchange full|\bEXFULL\b", (), "ports of one bridge"),
    (r"no available ipv4|all predefined address pools|non-overlapping ipv4 address pool", (), _ADDRESSES),
    (r"exceeded num_locks", (), "locks of Podman (num_locks)"),
    (r"no locks available|\bENOLCK\b", (), "locks of files"),
    (r"pids\.max", (), _PROCESSES),
)
"""Errors of kernel (errno(3)) and engines → what they can be about, with the resource that then ran out, and the default."""
_PATH = re.compile(r"(?<!\w)/[^\s:;,'\"]+")


def name_of(error: str, known: list[Counter], available: int) -> str:
    """Return a sentence on the limit that a failed start hit: an exhausted counter, else what the error message names."""
    said = " ".join(error.split())[:300]
    for counter in known:
        if counter.used >= _NEAR * counter.limit:
            return f"{counter.text}; the error: {said}"
    if name := _resource(said):
        numbers = [counter.text for counter in known if counter.name.startswith(name)]
        memory = [f"MemAvailable {format_value(available, 'bytes')}"] if name == _MEMORY else []
        return f"{name} ({'; '.join([*numbers, *memory]) or 'no counter'}); the error: {said}"
    return f"unknown: an error that names no resource known here: {said}"


def _resource(said: str) -> str:
    """Return the resource that an error message is about, empty when it names none.

    Each layer puts its own words before those of the layer below, so the last error counts, and of what precedes it the last.
    """
    said = _PATH.sub(_kind_of_path, said)
    found = [
        (last.start(), subjects, default)
        for pattern, subjects, default in _ERRORS
        if (last := _last(pattern, said)) is not None
    ]
    if not found:
        return ""
    start, subjects, default = max(found, key=lambda one: one[0])
    about = [(last.end(), name) for pattern, name in subjects if (last := _last(pattern, said[:start])) is not None]
    return max(about)[1] if about else default


def _kind_of_path(path: re.Match[str]) -> str:
    """Return what a path stands for in place of its words, which are names that somebody chose."""
    if path[0].startswith("/sys/fs/cgroup"):
        return "cgroup"
    return "socket" if path[0].endswith(".sock") else "path"


def _last(pattern: str, text: str) -> re.Match[str] | None:
    """Return the last match, in any case of letters."""
    return max(re.finditer(pattern, text, re.IGNORECASE), key=lambda found: found.start(), default=None)


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
