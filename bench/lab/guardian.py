"""End what a killed harness leaves running. A program of its own, which imports nothing of Tare.

It sleeps until the harness has ended, however that came about: the harness passes it a pidfd of itself (pidfd_open(2)), and ends
it when the lab is closed. Then it kills the processes in the run's control group, and no others, and removes the group. Files,
and what engines made in a user's daemons, are left to ``tare sweep``.

It runs in a control group of its own beside the run's, so that its CPU time is not counted and a service manager that ends the
harness's group does not end it, too.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

HARNESS = 3
"""Number of the descriptor that refers to the harness."""
_PAUSE_MS = 10
_TRIES = 6000
"""A process that waits for a broken disk cannot be killed: give up after a minute."""


def argv(own: Path, tops: Sequence[Path]) -> list[str]:
    """Return the command line of the guardian of a run.

    Args:
        own: The folder of the guardian's own control group.
        tops: The folders of the run's control group, one for each hierarchy.
    """
    return [sys.executable, "-I", "-S", __file__, str(own), *map(str, tops)]


def main(own: Path, tops: Sequence[Path]) -> None:
    """Wait until the harness has ended, then end the run's control group in every hierarchy."""
    os.chdir("/")
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("-900", encoding="ascii")
    poller = select.poll()
    poller.register(HARNESS, select.POLLIN)
    poller.poll()
    tries = _TRIES
    while [top for top in tops if not end(top)] and tries:
        select.poll().poll(_PAUSE_MS)
        tries -= 1
    _leave(own)
    for top in tops:
        with contextlib.suppress(OSError):
            top.parent.rmdir()  # succeeds only when no other run has a group there


def end(top: Path) -> bool:
    """Kill the processes in a control group and below it and remove the groups; return whether all are gone."""
    with contextlib.suppress(OSError):  # version 2, Linux 5.14
        if (top / "cgroup.kill").exists():
            (top / "cgroup.kill").write_text("1", encoding="ascii")
    for name, _, _ in os.walk(top, topdown=False):
        group = Path(name)
        for pid in _members(group):
            _kill(pid, top)
        with contextlib.suppress(OSError):
            group.rmdir()
    return not os.path.lexists(top)


def _members(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _kill(pid: int, top: Path) -> None:
    """Kill a process if it is still in the run's group once its pidfd is open: its number may be another process's by then."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    with contextlib.suppress(OSError):
        if pid != os.getpid() and is_below(Path(f"/proc/{pid}/cgroup").read_bytes(), f"{top.parent.name}/{top.name}"):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    os.close(descriptor)


def is_below(table: bytes, name: str) -> bool:
    """Return whether a control group of a process is the one named ``tare/RUN`` or below it (table of cgroups(7))."""
    return any(f"/{name}/".encode() in line + b"/" for line in table.split(b"\n"))


def _leave(own: Path) -> None:
    """Leave the guardian's own group for the hierarchy's root and remove it."""
    with contextlib.suppress(OSError):
        (own.parent.parent / "cgroup.procs").write_text("0", encoding="ascii")
        own.rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(top) for top in sys.argv[2:]])
