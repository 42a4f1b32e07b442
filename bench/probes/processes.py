"""Memory of processes by component: proportional, resident and unique set size, and what cannot be reclaimed."""

from __future__ import annotations

import contextlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.core import kernelfiles
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
_BLOCK = 512
"""Unit of ``st_blocks`` (stat(2)), bytes."""
_NAMES = {
    "conmon": "conmon",
    "unshare": "launcher",
    "docker-proxy": "proxy",
    "slirp4netns": "proxy",
    "pasta": "proxy",
    "fuse-overlayfs": "proxy",
    "pause": "pause",
}
"""Process name → component, where the name is enough; the kernel truncates it to 15 characters (TASK_COMM_LEN)."""
_DAEMONS = frozenset({"dockerd", "containerd", "crio", "podman", "libvirtd", "virtlogd", "virtqemud"})
_HEADER = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ ")


@dataclass(frozen=True)
class Shares:
    """Memory of a process or mapping, bytes.

    Attributes:
        pss: Proportional set size: each page divided by the number of processes that map it.
        rss: Resident set size: each page in full.
        uss: Unique set size: pages that no other process maps.
        anonymous: The part of ``pss`` without a file behind it, shared memory included; not reclaimable without swap.
        shmem: The part of ``anonymous`` that is shared memory.
        processes: Number of processes in the sum.
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
    """Return component → memory of these processes; those that end during the reading are left out.

    ``daemons`` are PIDs of the lab's daemons; ``guest_bytes`` is a guest's declared memory, which identifies its mapping in
    the VMM.

    Raises:
        InvocationFailed: The kernel does not report PSS by kind; Linux 5.3 and later do.
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
        except PermissionError as error:
            msg = f"the memory of process {pid} cannot be read ({error.strerror}): it would be missing from the sum; run as root"
            raise InvocationFailed(msg) from error
        if whole is None:  # a zombie or a kernel thread, which have no memory of their own
            continue
        if guest is not None:
            found["guest"] += guest
            whole -= guest
        found[component] += whole
    return dict(found)


def memfd_bytes(pids: Iterable[int]) -> int:
    """Return the size of the anonymous files (memfd_create(2)) that these processes hold open, each once, bytes.

    gVisor keeps its guests' memory in one, and maps only a part of it.
    """
    sizes = {}
    for pid in pids:
        folder = kernelfiles.PROC / f"{pid}/fd"
        for number in kernelfiles.numbers(folder):
            if kernelfiles.link(folder / str(number)).startswith("/memfd:"):
                with contextlib.suppress(OSError):
                    found = (folder / str(number)).stat()
                    sizes[found.st_dev, found.st_ino] = found.st_blocks * _BLOCK
    return sum(sizes.values())


def classify(comm: str, argv: bytes, *, daemon: bool) -> str:
    """Return the component that a process belongs to, given its name and its arguments (separated by zero bytes)."""
    words = argv.rstrip(b"\0").split(b"\0")
    program = os.path.basename(words[0].decode(errors="replace"))  # noqa: PTH119 - a word, not a path of this host
    if comm == "tare-payload":
        return "payload" if b"--events" in words else "pause"
    if comm.startswith("containerd-shim"):
        return "shim"
    if comm.startswith("qemu-system"):
        return "vmm"
    if "runsc" in program or (comm == "exe" and not argv):  # gVisor's copies under ptrace have no arguments
        return "sandbox+gofer"
    if comm in _NAMES:
        return _NAMES[comm]
    return "daemon" if daemon or comm in _DAEMONS else "other"


def component(pid: int) -> str:
    """Return the component that a live process belongs to; ``other`` when it is gone."""
    try:
        comm, argv = _read(pid, "comm").decode(errors="replace").strip(), _read(pid, "cmdline")
    except OSError:
        return "other"
    return classify(comm, argv, daemon=False)


def is_payload(pid: int) -> bool:
    """Return whether a process is a payload, which answers SIGUSR1; the signal would end any other process."""
    return component(pid) == "payload"


def parse_rollup(text: bytes) -> Shares | None:
    """Parse /proc/PID/smaps_rollup (Documentation/filesystems/proc.rst), ``None`` when it is empty.

    Raises:
        InvocationFailed: It does not report PSS by kind.
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
    """Parse a VMM's /proc/PID/smaps and return the mapping with the guest's declared size in bytes.

    Return ``None`` without such a mapping; the guest's memory then cannot be told from the VMM's own.
    """
    for fields in _mappings(text):
        if fields.get("Size") == declared and "Private_Dirty" in fields:  # a complete entry
            pss = fields["Pss"]  # guest memory is anonymous or shared memory, without a file
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
    """Read a file of /proc/PID without Python's file objects: there may be thousands of processes."""
    descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = chunk = os.read(descriptor, _CHUNK)
        while chunk and name == "smaps":
            chunk = os.read(descriptor, _CHUNK)
            data += chunk
        return data
    finally:
        os.close(descriptor)
