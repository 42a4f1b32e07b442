"""What an instance reports of itself, parsed: system calls, status, mounts, devices, privileged acts (surface.c)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bench.core.errors import InvocationFailed
from bench.core.syscalls import NUMBERS
from bench.probes.filters import Passed

END = "E surface"
ANSWERED, REFUSED, MISSING, KILLED, UNTRIED = "apnku"
"""Answers to a system call: any but these, EPERM, ENOSYS, the end of the caller; not tried."""
_KERNEL = frozenset({"proc", "sysfs", "cgroup", "cgroup2"})


@dataclass(frozen=True)
class Mount:
    """A mount: where, whether it is writable, the type of its file system and the folder of that file system."""

    point: str
    writable: bool
    kind: str
    root: str


@dataclass(frozen=True)
class Surface:
    """What an instance reports of itself.

    Attributes:
        calls: System call → the letter of its answer.
        status: Lines of ``/proc/self/status`` (proc_pid_status(5)).
        users: Lines of ``/proc/self/uid_map``: first user inside, the same outside, how many.
        mounts: Its mounts.
        devices: Names of the device nodes in ``/dev``.
        acts: Privileged act → 0 where it is allowed, else the error.
        outside: Lines of the status of its process that the host sees, the one with most filters.
        passed: Program → what its filters let through to the host's kernel, of its processes with filters; ``None`` where that
            is unknown.
        owners: Program → the users of the host that its processes are, of the container's processes and its monitor.
        groups: In how many hierarchies its processes have a control group that is neither the harness's nor its daemons'.
        roots: The users of the host that root is in the user namespaces of its processes.
    """

    calls: dict[str, str]
    status: dict[str, str]
    users: list[tuple[int, int, int]]
    mounts: list[Mount]
    devices: list[str]
    acts: dict[str, int]
    outside: dict[str, str] = field(default_factory=dict)
    passed: dict[str, Passed] | None = None
    owners: dict[str, frozenset[int]] = field(default_factory=dict)
    groups: int = 0
    roots: frozenset[int] = frozenset()

    def answering(self, letter: str) -> list[str]:
        """Return the system calls with that answer, by name."""
        return sorted(name for name, found in self.calls.items() if found == letter)

    @property
    def maps_users(self) -> bool:
        """Whether its users are others of the host."""
        return bool(self.users) and all(inside != outside for inside, outside, _ in self.users)

    @property
    def root_programs(self) -> list[str]:
        """The programs that run as the host's root."""
        return sorted(name for name, users in self.owners.items() if 0 in users)

    @property
    def hidden(self) -> list[str]:
        """Paths of the kernel's files over which something empty is mounted."""
        return sorted({one.point for one in self.mounts if _below_kernel(one) and one.kind not in _KERNEL})

    @property
    def read_only(self) -> list[str]:
        """Paths below ``/proc`` that are mounted again, read-only."""
        return sorted(
            {
                one.point
                for one in self.mounts
                if one.point.startswith("/proc/") and one.kind == "proc" and not one.writable
            }
        )

    @property
    def writable(self) -> list[str]:
        """Mount points where the instance could write if its user may."""
        return sorted({one.point for one in self.mounts if one.writable and one.point not in self.hidden})


def parse(lines: Iterable[str]) -> Surface:
    """Return what a payload has reported with ``--surface``.

    Raises:
        InvocationFailed: It is not complete.
    """
    rows: dict[str, list[str]] = {}
    for line in lines:
        letter, _, rest = line.partition(" ")
        kind, _, value = rest.partition(" ")
        if letter == "S":
            rows.setdefault(kind, []).append(value)
    calls = _calls(rows.get("calls", []))
    if missing := [
        name
        for name, found in (("calls", calls), ("status", rows.get("status")), ("acts", rows.get("act")))
        if not found
    ]:
        msg = f"the payload reported no {' and no '.join(missing)} of what it may do"
        raise InvocationFailed(msg)
    acts = {name: int(error) for name, error in (row.split() for row in rows["act"])}
    return Surface(
        calls,
        status(rows["status"]),
        user_map(rows.get("uid_map", [])),
        [_mount(row.split()) for row in rows.get("mount", [])],
        sorted(rows.get("device", [])),
        acts,
    )


def user_map(lines: Iterable[str]) -> list[tuple[int, int, int]]:
    """Return the lines of a ``uid_map`` (user_namespaces(7)): first user inside, the same outside, how many."""
    return [(int(inside), int(outside), int(count)) for inside, outside, count in (line.split() for line in lines)]


def status(lines: Iterable[str]) -> dict[str, str]:
    """Return the lines of a status file by name."""
    return {name: " ".join(value.split()) for name, _, value in (line.partition(":") for line in lines)}


def capabilities(mask: str) -> int:
    """Return how many capabilities a mask has."""
    return int(mask, 16).bit_count()


def _calls(rows: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in rows:
        first, _, letters = row.partition(" ")
        found |= {NUMBERS[number]: letter for number, letter in enumerate(letters, int(first)) if number in NUMBERS}
    return found


def _mount(fields: Sequence[str]) -> Mount:
    point, options, kind, root = fields
    return Mount(point, options == "rw", kind, root)


def _below_kernel(one: Mount) -> bool:
    return one.point.startswith(("/proc/", "/sys/")) and not one.point.startswith("/sys/fs/cgroup")
