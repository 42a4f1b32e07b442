"""A parent for a daemon that leaves orphans: collects them the moment they end. Runs alone, imports nothing of ours.

libvirtd puts each QEMU into the background, so that its parent becomes PID 1, and then waits until its process id is
free again. The init of a container or of a small machine may collect the dead only every second or two, and all of that
would be counted as the time that a machine needs to stop. As a child subreaper (prctl(2)) this process takes PID 1's
place.
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
    """Run the program, pass SIGTERM on to it, collect every orphan, and return its end as a shell does."""
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
