"""What processes weigh, by component: proportional, resident and unique set size, and what reclaim cannot take back."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.core.errors import InvocationFailed

COMPONENTS = (
    "payload",
    "guest",
    "vmm",
    "pause",
    "shim",
    "conmon",
    "sandbox+gofer",
    "launcher",
    "proxy",
    "daemon",
    "other",
    "harness",
)
_CHUNK = 1 << 16
_NAMES = {
    "conmon": "conmon",
    "unshare": "launcher",
    "docker-proxy": "proxy",
    "slirp4netns": "proxy",
    "pasta": "proxy",
    "fuse-overlayfs": "proxy",
    "pause": "pause",
}
"""Program → component, where the program's name is enough; it is cut off at 15 characters (TASK_COMM_LEN)."""
_DAEMONS = frozenset({"dockerd", "containerd", "crio", "podman", "libvirtd", "virtlogd", "virtqemud"})
_HEADER = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ ")


@dataclass(frozen=True)
class Shares:
    """Memory of a process or mapping, bytes.

    Attributes:
        pss: Each page divided by the number of processes that map it.
        rss: Each page in full.
        uss: Only pages that nobody else maps.
        anonymous: The part of ``pss`` that no file backs (with shared memory): reclaim cannot give it back without swap.
        shmem: The part of ``anonymous`` that is shared memory.
        processes: How many processes are summed up.
    """

    pss: int = 0
    rss: int = 0
    uss: int = 0
    anonymous: int = 0
    shmem: int = 0
    processes: int = 0

    def __add__(self, other: Shares) -> Shares:
        return Shares(*(mine + its for mine, its in zip(self._all(), other._all(), strict=True)))

    def __sub__(self, other: Shares) -> Shares:
        return Shares(*(mine - its for mine, its in zip(self._all(), other._all(), strict=True)))

    def _all(self) -> tuple[int, ...]:
        return (self.pss, self.rss, self.uss, self.anonymous, self.shmem, self.processes)


def weigh(pids: Iterable[int], *, daemons: frozenset[int], guest_bytes: int | None) -> dict[str, Shares]:
    """Return component → memory of the processes in one pass; those that end meanwhile are left out.

    ``daemons`` are the lab's; ``guest_bytes`` is the declared memory of a guest, by which its mapping is found in a VMM.

    Raises:
        InvocationFailed: This kernel does not tell proportional sizes by kind (Linux 5.3).
    """
    found: dict[str, Shares] = defaultdict(Shares)
    own = os.getpid()
    for pid in pids:
        try:
            comm, argv = _read(pid, "comm").decode(errors="replace").strip(), _read(pid, "cmdline")
            component = "harness" if pid == own else classify(comm, argv, daemon=pid in daemons)
            whole = parse_rollup(_read(pid, "smaps_rollup"))
            guest = _guest(pid, guest_bytes) if component == "vmm" and guest_bytes else None
        except (FileNotFoundError, ProcessLookupError):
            continue
        if whole is None:  # a zombie, or a kernel thread: no memory of its own
            continue
        if guest is not None:
            found["guest"] += guest
            whole -= guest
        found[component] += whole
    return dict(found)


def classify(comm: str, argv: bytes, *, daemon: bool) -> str:
    """Return which component of an instance a process is, by its name and arguments (separated by zero bytes)."""
    words = argv.rstrip(b"\0").split(b"\0")
    program = os.path.basename(words[0].decode(errors="replace"))  # noqa: PTH119 - a word, not a path of this host
    if comm == "tare-payload":
        return "payload" if b"--events" in words else "pause"
    if comm.startswith("containerd-shim"):
        return "shim"
    if comm.startswith("qemu-system"):
        return "vmm"
    if "runsc" in program or (comm == "exe" and not argv):  # … whose copies under ptrace clear their arguments
        return "sandbox+gofer"
    if comm in _NAMES:
        return _NAMES[comm]
    return "daemon" if daemon or comm in _DAEMONS else "other"


def is_payload(pid: int) -> bool:
    """Say whether a process is a payload that answers SIGUSR1; any other would end by that signal."""
    try:
        comm, argv = _read(pid, "comm").decode(errors="replace").strip(), _read(pid, "cmdline")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return classify(comm, argv, daemon=False) == "payload"


def parse_rollup(text: bytes) -> Shares | None:
    """Return what /proc/PID/smaps_rollup says (Documentation/filesystems/proc.rst), ``None`` when it is empty.

    Raises:
        InvocationFailed: The proportional size is not told by kind.
    """
    fields = _fields(text.splitlines())
    if not fields:
        return None
    if "Pss_Anon" not in fields:
        msg = "this kernel's smaps_rollup has no Pss_Anon (Linux 5.3 has): memory cannot be split into what reclaim can take"
        raise InvocationFailed(msg)
    shmem = fields["Pss_Shmem"]
    return Shares(fields["Pss"], fields["Rss"], _unique(fields), fields["Pss_Anon"] + shmem, shmem, 1)


def parse_guest(text: bytes, declared: int) -> Shares | None:
    """Return the mapping of a guest's memory from a VMM's /proc/PID/smaps: the one of the declared size, bytes.

    ``None`` when there is none: then the guest's memory cannot be told from the VMM's own.
    """
    for fields in _mappings(text):
        if fields.get("Size") == declared and "Private_Dirty" in fields:  # a whole entry
            pss = fields["Pss"]  # a guest's memory has no file behind it: anonymous, or shared memory
            return Shares(pss, fields["Rss"], _unique(fields), pss, 0)
    return None


def _guest(pid: int, declared: int) -> Shares | None:
    return parse_guest(_read(pid, "smaps"), declared)


def _mappings(text: bytes) -> Iterator[dict[str, int]]:
    lines: list[bytes] = []
    for line in text.splitlines():
        if _HEADER.match(line):
            if lines:
                yield _fields(lines)
            lines = []
        else:
            lines.append(line)
    if lines:
        yield _fields(lines)


def _fields(lines: Iterable[bytes]) -> dict[str, int]:
    found = {}
    for line in lines:
        if line.endswith(b" kB"):
            name, _, size = line[:-3].partition(b":")
            found[name.decode()] = int(size) * 1024
    return found


def _unique(fields: Mapping[str, int]) -> int:
    return fields["Private_Clean"] + fields["Private_Dirty"]


def _read(pid: int, name: str) -> bytes:
    """Read a file of a process as quickly as Python can: there may be thousands of them."""
    descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = chunk = os.read(descriptor, _CHUNK)
        while chunk and name == "smaps":
            chunk = os.read(descriptor, _CHUNK)
            data += chunk
        return data
    finally:
        os.close(descriptor)
