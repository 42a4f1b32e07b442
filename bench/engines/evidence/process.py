"""Facts about a live instance, read from the kernel (/proc), never from the engine that they check."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import signal
from pathlib import Path

from bench.core import kernelfiles, proc, proctable
from bench.core.errors import InvocationFailed

_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_LAYERED = {
    "overlay": {"overlay", "overlay2", "overlayfs"},
    "fuse.fuse-overlayfs": {"fuse-overlayfs"},
    "btrfs": {"btrfs"},
    "zfs": {"zfs"},
    "aufs": {"aufs"},
}
"""File system type of a root → the storage drivers and snapshotters that make such a root."""
_PLAIN = {"vfs", "native"}
"""Drivers that copy into a folder of the host's own file system."""
_MAPPED = {"devicemapper", "devmapper"}
"""Drivers that give each instance a thin device of the kernel's device mapper with a file system on it."""
_SECCOMP = {"0": "off", "1": "strict", "2": "filter"}


def of_process(pid: int, reference: int | str = "thread-self") -> dict[str, str]:
    """Return what ``pid`` runs and how it is isolated; namespaces are compared with those of ``reference``.

    Keys: ``payload`` (SHA-256 of the program), ``namespaces``, ``network`` (``host``, ``none`` for just loopback,
    else ``private``), ``root_fs``, ``cgroup``, ``seccomp``, ``no_new_privs``.

    Raises:
        InvocationFailed: The process is gone, or another user's.
    """
    home = Path(f"/proc/{pid}")
    try:
        status = _status(home)
        return {
            "payload": hashlib.sha256((home / "exe").read_bytes()).hexdigest(),
            "namespaces": " ".join(namespaces(pid, reference)) or "none",
            "network": network(pid, reference),
            "root_fs": root_file_system((home / "mountinfo").read_text(encoding="utf-8", errors="replace")),
            "cgroup": cgroup((home / "cgroup").read_text(encoding="utf-8", errors="replace")),
            "seccomp": _SECCOMP.get(status.get("Seccomp", ""), "unknown"),
            "no_new_privs": {"0": "no", "1": "yes"}.get(status.get("NoNewPrivs", ""), "unknown"),
        }
    except PermissionError as error:
        msg = f"process {pid} belongs to another user, so what runs cannot be read back; run as root"
        raise InvocationFailed(msg) from error
    except OSError as error:
        msg = f"process {pid} is gone, nothing can be read back from it"
        raise InvocationFailed(msg) from error


def namespaces(pid: int, reference: int | str = "thread-self") -> list[str]:
    """Return the kinds of namespace that ``pid`` does not share with ``reference``, sorted."""
    theirs, ours = Path(f"/proc/{pid}/ns"), Path(f"/proc/{reference}/ns")
    kinds = [kind for kind in _NAMESPACES if os.path.lexists(ours / kind)]  # a kernel need not have all of them
    return [kind for kind in kinds if (theirs / kind).readlink() != (ours / kind).readlink()]


def network(pid: int, reference: int | str = "thread-self") -> str:
    """Return ``host`` (the reference's network namespace), ``none`` (only loopback) or ``private``."""
    if "net" not in namespaces(pid, reference):
        return "host"
    lines = Path(f"/proc/{pid}/net/dev").read_text(encoding="utf-8").splitlines()
    # Kernels add a device of each of these modules to every namespace; these devices are down.
    idle = ("lo", "tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0")
    names = {line.split(":")[0].strip() for line in lines[2:]} - set(idle)
    return "private" if names else "none"


def of_monitor(pid: int) -> dict[str, str]:
    """Return the OCI runtime that made a container, from the process that monitors it.

    Keys: ``shim`` (the monitor's name), ``shim_path`` (its program), ``runtime``, ``runtime_path``, ``runtime_digest``.
    containerd's shim runs in the container's bundle, where it keeps the name of the runtime for its own use; conmon has it as an
    argument.

    Raises:
        InvocationFailed: The parent of ``pid`` is neither, or is gone.
    """
    monitor = parent(pid)
    words = arguments(monitor) if monitor else []
    name = Path(words[0]).name if words else ""
    home = Path(f"/proc/{monitor}")
    if "containerd-shim" in name:
        program = (home / "cwd/runtime").read_text(encoding="utf-8").strip() or "runc"
    elif "conmon" in name and (given := runtime_argument(words)):
        program = given
    else:
        msg = f"process {pid} is not a child of a containerd shim or of conmon, so its OCI runtime cannot be read back"
        raise InvocationFailed(msg)
    path = _found(home, program)
    found = {"shim": name, "shim_path": str((home / "exe").readlink())}
    found |= {"runtime": Path(program).name, "runtime_path": path}
    return found | {"runtime_digest": digest(home / "root" / path.lstrip("/"))}


def runtime_argument(words: list[str]) -> str:
    """Return the OCI runtime in conmon's command line (conmon(8), ``-r`` or ``--runtime``), empty without one."""
    for number, word in enumerate(words):
        following = "".join(words[number + 1 : number + 2])
        if word in ("-r", "--runtime"):
            return following
        if word.startswith("--runtime="):
            return word.partition("=")[2]
    return ""


def _found(home: Path, program: str) -> str:
    """Return the path of a program as that process would find it."""
    environment = (home / "environ").read_bytes().decode(errors="replace").split("\0")
    search = next((entry[5:] for entry in environment if entry.startswith("PATH=")), os.defpath)
    return shutil.which(program, path=search) or program


def storage(root_fs: str, claimed: str, device: str = "") -> str:
    """Return the storage driver or snapshotter that a root file system proves; ``claimed`` decides between equals.

    ``root_fs`` comes from :func:`root_file_system`, ``device`` from :func:`root_device`.
    """
    if claimed in _MAPPED and device.startswith(("/dev/mapper/", "/dev/dm-")):
        return claimed
    makers = _LAYERED.get(root_fs, _PLAIN)
    if claimed in makers or (claimed in _PLAIN and root_fs.startswith("folder on ")):
        return claimed
    return f"{claimed} by the engine's word, but / is {root_fs}"


def root_file_system(mountinfo: str, path: str = "/") -> str:
    """Return the file system mounted last at a path in a mountinfo table (proc_pid_mountinfo(5)).

    The result is its type; ``folder on TYPE`` when only a part of that file system is mounted there. A btrfs subvolume counts as
    a file system of its own.
    """
    kind = "unknown"
    for fields in kernelfiles.split(mountinfo):
        if fields[4:5] == [path] and "-" in fields:
            kind = fields[fields.index("-") + 1]
            if fields[3] != "/" and kind != "btrfs":
                kind = f"folder on {kind}"
    return kind


def root_device(pid: int) -> str:
    """Return the device mounted as a process's ``/``, or the name that a file system without a device gives itself.

    Raises:
        InvocationFailed: The process is gone.
    """
    try:
        table = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        msg = f"process {pid} is gone, nothing can be read back from it"
        raise InvocationFailed(msg) from error
    rows = kernelfiles.split(table)
    return next((row[row.index("-") + 2] for row in reversed(rows) if row[4:5] == ["/"]), "unknown")


def cgroup(table: str) -> str:
    """Return the path in the hierarchy that accounts for memory, or in the only one (cgroups(7))."""
    path = "unknown"
    for line in table.split("\n")[:-1]:
        _, controllers, where = line.split(":", 2)
        if "memory" in controllers.split(","):
            return where
        if not controllers:
            path = where
    return path


def shim_family(pid: int) -> set[int]:
    """Return the PIDs of a container's first process, its descendants and its shim; nothing once the first process is gone."""
    found = family(pid)
    shim = parent(pid) if found else None
    return found | {shim} if shim is not None and shim > 1 else found


def family(pid: int) -> set[int]:
    """Return the PIDs of a process and all its descendants; nothing when it is gone."""
    if not runs(pid):
        return set()
    found, todo = {pid}, [pid]
    while todo:
        new = proctable.children_of(todo.pop()) - found
        found |= new
        todo += new
    return found


def runs(pid: int) -> bool:
    """Return whether the process exists and is not a zombie (a subreaper may be slow to reap it)."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def parent(pid: int) -> int | None:
    """Return the parent's pid, ``None`` when the process is gone."""
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def arguments(pid: int) -> list[str]:
    """Return the command line of a process; empty when it is gone."""
    said = kernelfiles.content(Path(f"/proc/{pid}/cmdline"))
    return [] if said is None else said.decode(errors="replace").rstrip("\0").split("\0")


def describe_exit(status: int) -> str:
    """Describe a container's exit status; runtimes report signal N as 128 + N."""
    return proc.describe_status(128 - status if status - 128 in set(signal.Signals) else status)


def digest(path: Path) -> str:
    """Return the first 16 hexadecimal digits of a file's SHA-256; the file is read again only after a change."""
    stat = path.stat()
    return _digest(path, stat.st_mtime_ns, stat.st_ino, stat.st_size)


@functools.lru_cache(maxsize=64)
def _digest(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _stat(pid: int) -> list[str]:
    """Return the fields after the program's name: state, parent … (proc_pid_stat(5))."""
    return kernelfiles.text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()


def _status(home: Path) -> dict[str, str]:
    lines = (home / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
