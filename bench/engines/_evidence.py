"""What the kernel says about a live instance: read from /proc, never from the engine that is to be checked."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from bench import proc
from bench.errors import InvocationFailed

_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_SECCOMP = {"0": "off", "1": "strict", "2": "filter"}


def of_process(pid: int, reference: int | str = "thread-self") -> Mapping[str, str]:
    """Return what ``pid`` runs and how it is held apart; namespaces are compared with those of ``reference``.

    Keys: ``payload`` (SHA-256 of the program), ``namespaces``, ``network`` (``host``, ``none`` for just loopback,
    else ``private``), ``root_fs``, ``cgroup``, ``seccomp``, ``no_new_privs``.

    Raises:
        InvocationFailed: The process is gone.
    """
    home = Path(f"/proc/{pid}")
    try:
        status = _status(home)
        return {
            "payload": hashlib.sha256((home / "exe").read_bytes()).hexdigest(),
            "namespaces": " ".join(namespaces(pid, reference)) or "none",
            "network": network(pid, reference),
            "root_fs": root_file_system((home / "mountinfo").read_text(encoding="utf-8")),
            "cgroup": cgroup((home / "cgroup").read_text(encoding="utf-8")),
            "seccomp": _SECCOMP.get(status.get("Seccomp", ""), "unknown"),
            "no_new_privs": {"0": "no", "1": "yes"}.get(status.get("NoNewPrivs", ""), "unknown"),
        }
    except (FileNotFoundError, ProcessLookupError) as error:
        msg = f"process {pid} is gone, nothing can be read back from it"
        raise InvocationFailed(msg) from error


def namespaces(pid: int, reference: int | str = "thread-self") -> list[str]:
    """Return the kinds of namespace in which ``pid`` is not with ``reference``, sorted."""
    theirs, ours = Path(f"/proc/{pid}/ns"), Path(f"/proc/{reference}/ns")
    kinds = [kind for kind in _NAMESPACES if os.path.lexists(ours / kind)]  # a kernel need not have all of them
    return [kind for kind in kinds if (theirs / kind).readlink() != (ours / kind).readlink()]


def network(pid: int, reference: int | str = "thread-self") -> str:
    """Return ``host`` (the reference's network namespace), ``none`` (nothing but loopback) or ``private``."""
    if "net" not in namespaces(pid, reference):
        return "host"
    lines = Path(f"/proc/{pid}/net/dev").read_text(encoding="utf-8").splitlines()
    # Kernels add a device of each of these modules to every namespace; they are down and lead nowhere.
    idle = ("lo", "tunl0", "sit0", "gre0", "gretap0", "erspan0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0")
    names = {line.split(":")[0].strip() for line in lines[2:]} - set(idle)
    return "private" if names else "none"


def root_file_system(mountinfo: str) -> str:
    """Return the file system type of ``/`` in a mountinfo table (proc_pid_mountinfo(5)): the last one mounted there."""
    kind = "unknown"
    for line in mountinfo.splitlines():
        fields = line.split()
        if fields[4] == "/":
            kind = fields[fields.index("-") + 1]
    return kind


def cgroup(table: str) -> str:
    """Return the path in the hierarchy that counts memory, or in the only one (cgroups(7))."""
    path = "unknown"
    for line in table.splitlines():
        _, controllers, where = line.split(":", 2)
        if "memory" in controllers.split(","):
            return where
        if not controllers:
            path = where
    return path


def family(pid: int) -> set[int]:
    """Return the process and all its descendants; none when it is gone."""
    if not runs(pid):
        return set()
    found, todo = {pid}, [pid]
    while todo:
        new = proc.children_of(todo.pop()) - found
        found |= new
        todo += new
    return found


def runs(pid: int) -> bool:
    """Say whether the process exists and is no zombie (a subreaper may be slow to collect it)."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def parent(pid: int) -> int | None:
    """Return the parent's pid, ``None`` when the process is gone."""
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def arguments(pid: int) -> list[str]:
    """Return the command line of a process; empty when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    return []


def digest(path: Path) -> str:
    """Return the first 16 hexadecimal digits of a file's SHA-256, read again only when the file has changed."""
    stat = path.stat()
    return _digest(path, stat.st_mtime_ns, stat.st_ino, stat.st_size)


@functools.lru_cache(maxsize=64)
def _digest(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _stat(pid: int) -> list[str]:
    """Return the fields after the program's name: state, parent … (proc_pid_stat(5))."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return []


def _status(home: Path) -> dict[str, str]:
    lines = (home / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
