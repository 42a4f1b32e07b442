"""Unix sockets of daemons that are not the lab's: their spelling, the way to them, who listens, and why nobody answers."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import stat
import struct
from pathlib import Path

from bench.core import kernelfiles
from bench.core.errors import TargetUnavailable

ANSWER_S = 5.0
"""Time in which a daemon that works answers its simplest request, seconds."""
_SCHEME = re.compile(r"unix:(?://(?=/)|(?=/(?!/)))")
_LISTENS = 0x10000
"""``__SO_ACCEPTCON`` in the flags of /proc/net/unix."""
_WHY = {
    errno.ENOENT: ("does not exist", "start the daemon, or give the path of its socket"),
    errno.ENOTDIR: ("does not exist", "start the daemon, or give the path of its socket"),
    errno.EACCES: ("may not be opened by this user", "run as root"),
    errno.EPERM: ("may not be opened by this user", "run as root"),
    errno.ECONNREFUSED: ("exists, but nobody listens there", "start the daemon, or give the path of its socket"),
    errno.EPROTOTYPE: ("is not a stream socket", "give the path of the daemon's socket"),
}
"""Error of connect(2) → what is the matter with the socket, and the remedy."""


def canonical(text: str) -> str:
    """Return the one spelling of a socket's path: ``unix:///PATH``; empty when the text is no absolute path.

    ``text`` is a path, or ``unix:`` or ``unix://`` and a path. /var/run is a link to /run.
    """
    path = text[len(scheme[0]) :] if (scheme := _SCHEME.match(text)) else text
    if not path.startswith("/"):
        return ""
    plain = "/" + os.path.normpath(path).lstrip("/")
    return f"unix://{plain.removeprefix('/var') if plain.startswith('/var/run/') else plain}"


def outside(endpoint: str) -> str:
    """Return the path by which this process reaches a socket of the host, which the lab's own ``/run`` may hide."""
    path = canonical(endpoint).removeprefix("unix://") or endpoint
    candidates = (path, *(f"/proc/{pid}/root{path}" for pid in (os.getppid(), 1)))
    return next(filter(os.path.exists, candidates), path)


def check(endpoint: str, path: str) -> None:
    """Connect once to the socket of an endpoint, which is at ``path`` for this process.

    Raises:
        TargetUnavailable: Nobody accepts the connection; the remedy is that for the error.
    """
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            msg = f"'{endpoint}' is not a socket"
            raise TargetUnavailable(msg, "give the path of the daemon's socket")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
            sock.settimeout(ANSWER_S)
            sock.connect(path)
    except OSError as error:
        reason, remedy = _WHY.get(error.errno or 0, (f"cannot be reached: {error.strerror or error}", "see the reason"))
        msg = f"the socket '{endpoint}' {reason}"
        raise TargetUnavailable(msg, remedy) from error


def owner(path: str) -> int | None:
    """Return the PID of the process that listens on a unix socket; ``None`` when that is unknown.

    The kernel keeps the process that called listen(2) (unix(7), SO_PEERCRED). That is systemd for a service that it starts with
    the first connection; the listener is then the other process that has the socket open.
    """
    with contextlib.suppress(OSError), contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.settimeout(ANSWER_S)
        sock.connect(path)
        said = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid = int(struct.unpack("3i", said)[0])
        return _holder(path) if pid == 1 else pid or None
    return None


def _holder(path: str) -> int | None:
    """Return the process beside the first one that has a listening socket open."""
    link = f"socket:[{_inode(path)}]"
    for pid in kernelfiles.pids():
        files = kernelfiles.PROC / str(pid) / "fd"
        if pid != 1 and any(kernelfiles.link(files / name) == link for name in kernelfiles.names(files)):
            return pid
    return None


def _inode(path: str) -> str:
    """Return the inode of a listening socket, which only its network namespace lists; empty when it is not found."""
    name = re.sub(r"^/proc/\d+/root", "", path)
    for table in ("/proc/1/net/unix", "/proc/net/unix"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
                fields = line.split(maxsplit=7)
                if len(fields) == 8 and canonical(fields[7]) == canonical(name) and int(fields[3], 16) & _LISTENS:
                    return fields[6]
    return ""
