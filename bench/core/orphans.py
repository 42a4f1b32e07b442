"""Adopt the orphans of all processes started here, and reap them as soon as they end.

Shims, the first processes of containers and background VMMs leave their parent on purpose. PID 1 should then reap them, but
the PID 1 of a container or of a small machine may do so only every second or two. Until then the zombies keep their control
group busy, and a runtime that waits for it would be measured with that delay.
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
"""Longest wait for the remaining threads of a process whose main thread has ended: only after the last one is there an exit
status. gVisor has dozens of threads, which end some milliseconds later."""
_REAPING = threading.Lock()
"""Held while an orphan is reaped, until its exit status is in ``_ends``."""
_ends: dict[int, int] = {}
"""Reaped orphans: pid → exit status, or minus the signal."""


@contextlib.contextmanager
def adopted() -> Iterator[None]:
    """Adopt and reap orphans during the block (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    stop = threading.Event()
    others = proctable.children_of(os.getpid()) - proc.RUNNING
    thread = threading.Thread(target=_reap, args=(stop, others), name="tare-orphans", daemon=True)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    thread.start()
    try:
        yield
    finally:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        stop.set()
        proc.stray()  # its end wakes the thread up
        thread.join()
        _ends.clear()


def end_of(pid: int) -> str:
    """Return how an orphan ended: ``ended with status 3``, or ``has ended`` when its status is unknown."""
    if pid not in _ends:
        proctable.wait_until_gone({pid}, _LAST_THREAD_S)
    with _REAPING:
        status = _ends.get(pid)
    if status is None:
        with contextlib.suppress(ChildProcessError):  # it may be a zombie
            seen = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if seen is not None:
                status = seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status
        with _REAPING:  # or it was reaped in between
            status = _ends.get(pid, status)
    return "has ended" if status is None else f"ended with {proc.describe_status(status)}"


def _reap(stop: threading.Event, others: set[int]) -> None:
    """Wait for any child to end; reap it unless a :class:`~bench.core.proc.Process` does.

    ``others`` are children that a library started earlier and reaps itself.
    """
    while not stop.is_set():
        proc.REAPED.clear()
        try:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            proc.REAPED.wait(_IDLE_S)  # no child at all
            continue
        if dead is not None and _reap_one(dead.si_pid, others):
            continue
        # Another thread is about to reap this child; while it stays a zombie, waitid does not report the others.
        if not proc.REAPED.wait(_IDLE_S):
            _reap_all(others)


def _reap_one(pid: int, others: set[int]) -> bool:
    """Reap a child that has ended and return ``True``, or return ``False`` when another thread or library reaps it."""
    with proc.STARTING:  # a child that is being started is not in RUNNING yet
        if pid in proc.RUNNING or pid in others:
            return False
    with _REAPING, contextlib.suppress(ChildProcessError):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            _ends[pid] = os.waitstatus_to_exitcode(status)
    return True


def _reap_all(others: set[int]) -> None:
    """Reap all orphans that have ended; slow when thousands are alive."""
    with proc.STARTING:
        orphans = proctable.children_of(os.getpid()) - proc.RUNNING - others
    for pid in orphans:
        _reap_one(pid, others)
