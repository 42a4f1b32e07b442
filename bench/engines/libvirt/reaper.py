"""A parent process for libvirtd that reaps orphans at once. A program of its own, which imports nothing of Tare.

libvirtd daemonises each QEMU, so that PID 1 becomes its parent, and later waits until its PID is free again. The init process
of a container or of a small machine may reap only every second or two, which would be counted as the time that a machine
needs to stop. As a child subreaper (prctl(2)) this process takes the place of PID 1.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_CHILD_SUBREAPER = 36
_SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


def argv(program: list[str]) -> list[str]:
    """Return the command line that runs a program below a reaper."""
    return [sys.executable, "-I", "-S", __file__, *program]


def main(program: list[str]) -> int:
    """Run the program, forward SIGTERM and SIGINT, reap every orphan, and return the exit status as a shell would."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    child = os.posix_spawn(program[0], program, os.environ, setsigmask=())
    while True:
        number = signal.sigwait(_SIGNALS)
        if number != signal.SIGCHLD:
            os.kill(child, number)
            continue
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)) is not None:
            if ended.si_pid == child:
                return ended.si_status if ended.si_code == os.CLD_EXITED else 128 + ended.si_status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
