"""Adopt the orphans of everything that is started here, and collect them the moment they end.

Shims, containers' first processes and background VMMs lose their parent on purpose. Then PID 1 is to collect them when
they end, and the PID 1 of a container or of a small machine may do so only every second or two. Until then the dead
hold their control group, and a runtime that waits until they are gone is measured with that delay.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator

from bench.core import proc, proctable

_PR_SET_CHILD_SUBREAPER = 36
_IDLE_S = 0.02
_LAST_THREAD_S = 1.0
"""How long the threads of a process may outlive its first one, whose end shows already: until the last has ended there
is no status. gVisor has dozens, and the last ends some milliseconds later."""
_COLLECTING = threading.Lock()
"""Held from the collection of an orphan until its end is noted."""
_ends: dict[int, int] = {}
"""How collected orphans ended: pid → exit status, or minus the signal."""


@contextlib.contextmanager
def adopted() -> Iterator[None]:
    """Be the parent of orphans for the time of the block (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    stop = threading.Event()
    others = proctable.children_of(os.getpid()) - proc.RUNNING
    thread = threading.Thread(target=_collect, args=(stop, others), name="tare-orphans", daemon=True)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    thread.start()
    try:
        yield
    finally:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        stop.set()
        proc.stray()  # its end is what the thread wakes up for
        thread.join()
        _ends.clear()


def end_of(pid: int) -> str:
    """Say how an orphan ended: ``ended with status 3``, or just ``has ended`` when nobody saw it."""
    if pid not in _ends:
        proctable.wait_until_gone({pid}, _LAST_THREAD_S)
    with _COLLECTING:
        status = _ends.get(pid)
    if status is None:
        with contextlib.suppress(ChildProcessError):  # it may be dead and not collected yet
            seen = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if seen is not None:
                status = seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status
        with _COLLECTING:  # … or collected in between
            status = _ends.get(pid, status)
    return "has ended" if status is None else f"ended with {proc.describe_status(status)}"


def _collect(stop: threading.Event, others: set[int]) -> None:
    """Wait for the end of any child; collect it unless somebody here waits for it.

    ``others`` are children that a library started before: theirs to collect.
    """
    while not stop.is_set():
        proc.COLLECTED.clear()
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            proc.COLLECTED.wait(_IDLE_S)  # no child at all
            continue
        if dead is not None and _collect_one(dead.si_pid, others):
            continue
        # The dead one is somebody's, who is about to collect it; if that takes long, others may have died behind it.
        if not proc.COLLECTED.wait(_IDLE_S):
            _collect_now(others)


def _collect_one(pid: int, others: set[int]) -> bool:
    """Collect a child that has ended, unless it is somebody's; say whether it was ours."""
    with proc.STARTING:  # a child that is just being started is not in RUNNING yet
        if pid in proc.RUNNING or pid in others:
            return False
    with _COLLECTING, contextlib.suppress(ChildProcessError):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            _ends[pid] = os.waitstatus_to_exitcode(status)
    return True


def _collect_now(others: set[int]) -> None:
    """Collect all orphans that have ended: among thousands of living ones this is slow."""
    with proc.STARTING:
        orphans = proctable.children_of(os.getpid()) - proc.RUNNING - others
    for pid in orphans:
        _collect_one(pid, others)
